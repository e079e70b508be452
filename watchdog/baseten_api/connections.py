"""A fixed set of connections.

On httpcore, which is what carries httpx: of a request through a client of httpx two fifths of the
CPU go into what this API has no use for, such as redirects and cookies (`make bench`, the row "one
GET"), and with a pool of many connections far more, as it scans them all. A pool whose requests are
cancelled from outside can stay dead for good; a connection of one's own, thrown away when a request
on it was cut short, cannot.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from datetime import timedelta
from typing import Any

import httpcore

from watchdog.baseten_api.answers import Answer, read_body
from watchdog.baseten_api.route import Route


class Connection:
    """One connection at a time, opened with a request and again when the last one has ended."""

    def __init__(self, route: Route) -> None:
        self._route = route
        self._http = route.connect()
        self._stream: httpcore.AsyncNetworkStream | None = None

    async def exchange(self, method: str, path: str, key: str, most_bytes: int) -> Answer:
        """Send one request, once, and read no more than about `most_bytes` of the answer. Raises
        httpcore's errors and OSError; thereafter the connection is to be closed."""
        if self._is_spent():
            await self._http.aclose()
            self._http = self._route.connect()
        request = self._route.request(method, path, key)
        response = await self._http.handle_async_request(request)
        self._stream = response.extensions["network_stream"]
        try:
            body = await read_body(response.aiter_stream(), most_bytes)
        finally:
            await response.aclose()
        return Answer(response.status, response.headers, body, key)

    def _is_spent(self) -> bool:
        """Whether the next request needs another connection: this one is closed, or holds bytes
        that came after the last answer and would be taken for the next one."""
        http, stream = self._http, self._stream
        if stream is None:
            return False
        if isinstance(http, httpcore.AsyncHTTPConnection) and (
            http.has_expired() or http.is_closed()
        ):
            return True
        return _has_unparsed(http) or _has_undecrypted(stream)

    async def close(self) -> None:
        # It must not be cut short by the cancellation that ended a request, or the socket would
        # stay open.
        await asyncio.shield(asyncio.ensure_future(self._http.aclose()))


def _has_unparsed(http: Any) -> bool:
    """httpcore asks its socket alone for bytes that nobody wants: what was read from there together
    with the last answer is in its inner parts."""
    if isinstance(http, httpcore.AsyncHTTPProxy):
        return any(_has_unparsed(each) for each in http.connections)
    while not isinstance(http, httpcore.AsyncHTTP11Connection):
        http = http._connection  # noqa: SLF001
    unparsed, _ = http._h11_state.trailing_data  # noqa: SLF001
    return bool(unparsed)


def _has_undecrypted(stream: httpcore.AsyncNetworkStream) -> bool:
    """What TLS holds has left the socket, and has not reached HTTP yet."""
    tls = stream.get_extra_info("ssl_object")
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
        self._idle: list[Connection] = []

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
            keep = len(self._idle) < self._size
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
        return Connection(self._route)
