"""A client that waits as long as a test may: none of them is about how long an answer takes."""

from typing import Any

import httpx

from tests.fakes.processes import PATIENCE_SECONDS


def client_of(url: str = "", **more: Any) -> httpx.AsyncClient:
    """Proxies in the environment are not for what is on this machine."""
    return httpx.AsyncClient(base_url=url, trust_env=False, timeout=PATIENCE_SECONDS, **more)
