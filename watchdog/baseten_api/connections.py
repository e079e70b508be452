"""A fixed set of connections, each in a client of httpx of its own.

The pool of httpx scans all its connections for each request, and one whose requests are cancelled
from outside can stay dead for good. A client that has one connection has little to scan, and is
thrown away when a request on it was cut short.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from datetime import timedelta
from typing import Any

import httpx

from watchdog.baseten_api.answers import Answer, read_body
from watchdog.baseten_api.key import KeySource
from watchdog.baseten_api.route import Route


class Connection:
    """One connection at a time, opened with a request and again when the server closed the last
    one."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client
        self.is_clean = True
        """Whether nothing came after the last answer, which would be taken for the next one."""

    async def exchange(self, method: str, path: str, key: KeySource, most_bytes: int) -> Answer:
        """Send one request, once, and read no more than about `most_bytes` of the answer. Raises
        httpx's errors and OSError; thereafter the connection is to be closed."""
        headers = {"Authorization": key.authorization()}
        sent = key()
        async with self._client.stream(method, path, headers=headers) as response:
            body = await read_body(response.aiter_raw(), most_bytes)
            self.is_clean = not (_has_unparsed(response) or _has_undecrypted(response))
        return Answer(response.status_code, response.headers.raw, body, sent)

    async def close(self) -> None:
        # It must not be cut short by the cancellation that ended a request, or the socket would
        # stay open.
        await asyncio.shield(asyncio.ensure_future(self._client.aclose()))


def _has_unparsed(response: Any) -> bool:
    """httpx asks the socket alone for bytes that nobody wants, and no public part of it shows those
    that were read from there together with the answer. A version whose inner parts have other names
    gets a new connection for each request, which is slower and no less safe."""
    try:
        parser = response.stream._stream._httpcore_stream._stream._connection._h11_state  # noqa: SLF001
    except AttributeError:
        return True
    unparsed, _ = parser.trailing_data
    return bool(unparsed)


def _has_undecrypted(response: httpx.Response) -> bool:
    """What TLS holds has left the socket, and has not reached HTTP yet."""
    tls = response.extensions["network_stream"].get_extra_info("ssl_object")
    if tls is None:
        return False
    try:
        tls.read(1)
    except ssl.SSLWantReadError:
        return False
    except ssl.SSLError:
        return True  # The other side said that it will close.
    return True


class Connections:
    """Requests find their connections here. The most recently used one is taken first, so that few
    serve a small fleet."""

    def __init__(self, size: int, *, base_url: str, timeout: timedelta, user_agent: str) -> None:
        """Raises ApiSetupError as Route does."""
        self._route = Route(base_url, timeout=timeout, user_agent=user_agent)
        self._size = size
        self._places = asyncio.Semaphore(size)
        # Made at once, so that what is wrong with the environment shows here.
        self._idle = [self._make()]

    def resized(self, size: int, *, timeout: timedelta) -> "Connections":
        """Others like these, of another number and time-out."""
        route = self._route
        return Connections(
            size, base_url=route.base_url, timeout=timeout, user_agent=route.user_agent
        )

    def place(self, *, urgent: bool) -> AbstractAsyncContextManager[None]:
        """Wait until fewer than `size` requests are under way. Urgent ones, of which the limits on
        retries leave but few, do not wait behind a crowd of slow checks."""
        return nullcontext() if urgent else self._places

    @asynccontextmanager
    async def reused(self) -> AsyncIterator[Connection]:
        """One that may be open already."""
        connection = self._idle.pop() if self._idle else self._make()
        keep = False
        try:
            yield connection
            keep = connection.is_clean and len(self._idle) < self._size
        finally:
            if keep:
                self._idle.append(connection)
            else:
                await connection.close()

    @asynccontextmanager
    async def fresh(self) -> AsyncIterator[Connection]:
        """A new one: on one that is reused, a server that just closed it would lose the answer."""
        connection = self._make()
        try:
            yield connection
        finally:
            await connection.close()

    async def close(self) -> None:
        """Requests still under way close theirs when they end."""
        self._size = 0
        while self._idle:
            await self._idle.pop().close()

    def _make(self) -> Connection:
        return Connection(self._route.client())
