"""A client that waits as long as a test may take: no test depends on how long an answer takes."""

from typing import Any

import httpx

from tests.fakes.processes import PATIENCE_SECONDS


def client_of(url: str = "", **more: Any) -> httpx.AsyncClient:
    """A client without the environment's proxies, which are not for addresses of this machine."""
    return httpx.AsyncClient(base_url=url, trust_env=False, timeout=PATIENCE_SECONDS, **more)
