"""Takes the README's pictures of the page: `python -m tests.deploy.pictures`."""

import asyncio
from pathlib import Path

from tests.deploy.browser import chromium
from tests.deploy.servers import ROOT
from tests.fakes.fleet import a_fleet
from tests.fakes.site import Site

_PICTURES = {
    "page-fleet.png": ("/", "light", 780),
    "page-model.png": ("/targets/7hs2v0yb", "dark", 720),
}
"""What to show, in which colours, and how high."""


async def take(folder: Path) -> None:
    site = Site(a_fleet(14))
    await site.start()
    try:
        async with chromium() as tab:
            for name, (path, scheme, height) in _PICTURES.items():
                await tab.look(scheme=scheme, width=1280, height=height)
                await tab.open(f"{site.server.url}{path}")
                picture = await tab.picture()
                await asyncio.to_thread((folder / name).write_bytes, picture)
    finally:
        await site.stop()


if __name__ == "__main__":
    asyncio.run(take(ROOT / "deploy"))
