"""A fixed set of HTTP clients of one connection each.

Measured on httpx 0.28 and httpcore 1.0: a pool scans all its connections for each request, and one
whose requests are cancelled from outside can stay dead for good. A client of one connection, thrown
away when a request on it was cut short, has neither trouble.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import httpx

from watchdog.baseten_api.key import ApiSetupError

_IDLE_SECONDS = 180
"""Longer than any sensible interval, so that a check does not pay for TLS; a server that closes
earlier costs a new connection and no more."""

_PHASE_SHARE = 0.9
"""Each phase of a request may take this much of the whole time-out, so that httpx's own time-outs,
which tell a connection that was never made from a lost answer, come before the whole one."""


def make_ssl_context() -> ssl.SSLContext:
    """The context that stock httpx would make, once for all clients: it takes 10 ms and 1 MB.

    Raises ApiSetupError when the CA file or folder in the environment cannot be used.
    """
    try:
        return httpx.create_ssl_context()
    except (OSError, ssl.SSLError) as error:
        raise ApiSetupError(
            f"the CA certificates cannot be loaded: {error}: mend SSL_CERT_FILE or SSL_CERT_DIR"
        ) from error


class Connections:
    """At most `size` requests at a time. The most recently used client is taken first, so that
    few connections serve a small fleet."""

    def __init__(self, size: int, *, base_url: str, timeout: timedelta, user_agent: str) -> None:
        self._ssl = make_ssl_context()
        self._base_url = base_url
        self._timeout = timeout.total_seconds() * _PHASE_SHARE
        self._user_agent = user_agent
        self._idle: list[httpx.AsyncClient] = []
        self._places = asyncio.Semaphore(size)

    @asynccontextmanager
    async def reused(self) -> AsyncIterator[httpx.AsyncClient]:
        """A client whose connection may be open already."""
        async with self._places:
            client = self._idle.pop() if self._idle else self._make(keep=1)
            try:
                yield client
            except BaseException:
                await self._discard(client)
                raise
            self._idle.append(client)

    @asynccontextmanager
    async def fresh(self) -> AsyncIterator[httpx.AsyncClient]:
        """A client with a connection of its own: on one that is reused, a server that just closed
        it would lose the answer."""
        client = self._make(keep=0)
        try:
            yield client
        finally:
            await self._discard(client)

    async def close(self) -> None:
        while self._idle:
            await self._idle.pop().aclose()

    def _make(self, *, keep: int) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            base_url=self._base_url,
            verify=self._ssl,
            timeout=self._timeout,
            limits=httpx.Limits(
                max_connections=1, max_keepalive_connections=keep, keepalive_expiry=_IDLE_SECONDS
            ),
            headers={"User-Agent": self._user_agent, "Accept": "application/json"},
            follow_redirects=False,
        )

    @staticmethod
    async def _discard(client: httpx.AsyncClient) -> None:
        # Closing must not be cut short by the same cancellation, or the socket would stay open.
        await asyncio.shield(asyncio.ensure_future(client.aclose()))
