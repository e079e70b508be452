"""A fixed set of connections.

On httpcore, which is what carries httpx: of a request through a client of httpx two fifths of the
CPU go into what this API has no use for, such as redirects and cookies (`make bench`, the row "one
GET"), and with a pool of many connections far more, as it scans them all. A pool whose requests are
cancelled from outside can stay dead for good; a connection of one's own, thrown away when a request
on it was cut short, cannot.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from datetime import timedelta

import httpcore

from watchdog.baseten_api.answers import Answer, read_body
from watchdog.baseten_api.route import Route


class Connection:
    """One connection at a time, opened with a request and again when the last one has ended."""

    def __init__(self, route: Route) -> None:
        self._route = route
        self._http = route.connect()

    async def exchange(self, method: str, path: str, key: str, most_bytes: int) -> Answer:
        """Send one request, once, and read no more than about `most_bytes` of the answer. Raises
        httpcore's errors and OSError; thereafter the connection is to be closed."""
        if isinstance(self._http, httpcore.AsyncHTTPConnection) and (
            self._http.has_expired() or self._http.is_closed()
        ):
            await self._http.aclose()
            self._http = self._route.connect()
        request = self._route.request(method, path, key)
        response = await self._http.handle_async_request(request)
        try:
            body = await read_body(response.aiter_stream(), most_bytes)
        finally:
            await response.aclose()
        return Answer(response.status, response.headers, body, key)

    async def close(self) -> None:
        # It must not be cut short by the cancellation that ended a request, or the socket would
        # stay open.
        await asyncio.shield(asyncio.ensure_future(self._http.aclose()))


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
