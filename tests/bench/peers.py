"""Other programs that do the daemon's daily work: one GET of each deployment, and its status read.
Each runs in its own process and prints what that took."""

import argparse
import asyncio
import json
import subprocess
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta

from tests.bench.usage import tell, used
from watchdog.baseten_api import KeySource
from watchdog.baseten_api.connections import Connections

_KEY = {"Authorization": "Api-Key test-key", "Accept": "application/json"}

_MOST_BYTES = 1_000_000

_CURL = """
while read -r url; do
    status=$(curl -sS -H 'Authorization: Api-Key test-key' "$url" | jq -r .status)
    [ "$status" = ACTIVE ] || exit 1
done
"""


def with_aiohttp(urls: Sequence[str], workers: int) -> None:
    import aiohttp

    async def run() -> None:
        async with aiohttp.ClientSession(headers=_KEY) as session:

            async def get(url: str) -> str:
                async with session.get(url) as answer:
                    return str(json.loads(await answer.read())["status"])

            await _share(urls, workers, get)

    asyncio.run(run())


def with_httpx(urls: Sequence[str], workers: int) -> None:
    import httpx

    limits = httpx.Limits(max_connections=workers, max_keepalive_connections=workers)

    async def run() -> None:
        async with httpx.AsyncClient(headers=_KEY, limits=limits) as client:

            async def get(url: str) -> str:
                return str((await client.get(url)).json()["status"])

            await _share(urls, workers, get)

    asyncio.run(run())


def with_httpcore(urls: Sequence[str], workers: int) -> None:
    """What httpx sends its requests with."""
    import httpcore

    async def run() -> None:
        async with httpcore.AsyncConnectionPool(max_connections=workers) as pool:

            async def get(url: str) -> str:
                answer = await pool.request("GET", url, headers=list(_KEY.items()))
                return str(json.loads(answer.content)["status"])

            await _share(urls, workers, get)

    asyncio.run(run())


def with_our_connections(urls: Sequence[str], workers: int) -> None:
    """Only the connections of the daemon, without the rest of it."""
    base_url, _, _ = urls[0].partition("/v1/")

    async def run() -> None:
        connections = Connections(
            workers, base_url=base_url, timeout=timedelta(seconds=10), user_agent="bench"
        )

        async def get(url: str) -> str:
            async with connections.reused() as connection, asyncio.timeout(10):
                path = url.removeprefix(base_url)
                answer = await connection.exchange(
                    "GET", path, KeySource(value="test-key"), _MOST_BYTES
                )
            return str(json.loads(answer.body)["status"])

        await _share(urls, workers, get)
        await connections.close()

    asyncio.run(run())


def with_requests(urls: Sequence[str], _: int) -> None:
    import requests

    with requests.Session() as session:
        session.headers.update(_KEY)
        for url in urls:
            _check(session.get(url).json()["status"])


def with_curl(urls: Sequence[str], _: int) -> None:
    subprocess.run(["bash", "-c", _CURL], input="\n".join([*urls, ""]), text=True, check=True)


def with_hey(urls: Sequence[str], workers: int) -> None:
    """All requests are for the same deployment, because hey requests only one address."""
    requests = ["hey", "-n", str(len(urls)), "-c", str(workers), urls[0]]
    done = subprocess.run(requests, capture_output=True, text=True, check=True)
    assert f"[200]\t{len(urls)} responses" in done.stdout, done.stdout


async def _share(urls: Sequence[str], workers: int, get: Callable[[str], Awaitable[str]]) -> None:
    left = iter(urls)

    async def work() -> None:
        for url in left:
            _check(await get(url))

    await asyncio.gather(*(work() for _ in range(workers)))


def _check(status: str) -> None:
    if status != "ACTIVE":
        raise ValueError(status)


_PEERS = {
    "aiohttp": with_aiohttp,
    "httpcore": with_httpcore,
    "httpx": with_httpx,
    "ours": with_our_connections,
    "requests": with_requests,
    "curl": with_curl,
    "hey": with_hey,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("peer", choices=_PEERS)
    parser.add_argument("url")
    parser.add_argument("--requests", type=int, required=True)
    parser.add_argument("--workers", type=int, default=1)
    given = parser.parse_args()
    urls = [f"{given.url}/v1/models/m{n:05}/deployments/development" for n in range(given.requests)]
    peer = _PEERS[given.peer]
    peer(urls[: given.workers], given.workers)  # imports, and first connections
    with used() as usage:
        peer(urls, given.workers)
    tell(cpu_seconds=usage.cpu_seconds, wall_seconds=usage.wall_seconds, checks=len(urls))


if __name__ == "__main__":
    main()
