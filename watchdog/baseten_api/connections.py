"""The connections to the API, each in its own httpx client. A limited number is kept open.

The pool of httpx scans all its connections for each request, and a pool whose requests are
cancelled from outside can stop working for good. A client with one connection has little to scan,
and it is discarded when a request on it was interrupted.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext, suppress
from datetime import timedelta
from typing import Any

import httpx

from watchdog.baseten_api.answers import Answer, read_body
from watchdog.baseten_api.key import KeySource
from watchdog.baseten_api.route import Route
from watchdog.baseten_api.wire import Wire


class Connection:
    """One connection at a time. A request opens it, and opens it again if the server closed the
    last one."""

    def __init__(self, client: httpx.AsyncClient, context: ssl.SSLContext) -> None:
        """`context` is that of the client."""
        self._client = client
        self.context = context
        self._wire = Wire()
        self.is_used = False
        """Whether it has received an answer before. Only then may its connection be open
        already."""
        self.is_clean = True
        """False if the last answer was not read to its end, or bytes followed it: they would be
        read as the next answer."""

    @property
    def is_silent(self) -> bool:
        """Whether the present request got nothing yet on a connection that was open before."""
        return self._wire.is_silent

    async def exchange(self, method: str, path: str, key: KeySource, most_bytes: int) -> Answer:
        """Send one request, once, and read at most about `most_bytes` of the answer. Raises httpx's
        errors and OSError; the connection must then be closed."""
        headers = {"Authorization": key.authorization()}
        sent = key()
        self.is_clean = False
        self._wire.begin()
        watched = {"trace": self._wire.trace}
        async with self._client.stream(
            method, path, headers=headers, extensions=watched
        ) as response:
            body = await read_body(response.aiter_raw(), most_bytes)
            clean = not (_has_unparsed(response) or _has_undecrypted(response))
        self.is_clean, self.is_used = clean, True
        return Answer(response.status_code, response.headers.raw, body, sent)

    async def close(self) -> None:
        # Shielded: if the cancellation that ended a request also interrupted this, the socket would
        # stay open. An error here says nothing about the answer.
        with suppress(httpx.HTTPError, OSError):
            await asyncio.shield(asyncio.ensure_future(self._client.aclose()))


def _has_unparsed(response: Any) -> bool:
    """Whether bytes that follow the answer were read together with it. httpx looks for more bytes
    only in the socket. Those that it has already read are in no public attribute. If a version
    names its internals differently, each request gets a new connection, which is slower but as
    safe."""
    try:
        parser = response.stream._stream._httpcore_stream._stream._connection._h11_state  # noqa: SLF001
    except AttributeError:
        return True
    unparsed, _ = parser.trailing_data
    return bool(unparsed)


def _has_undecrypted(response: httpx.Response) -> bool:
    """Whether TLS holds bytes that were read from the socket and have not reached HTTP yet."""
    tls = response.extensions["network_stream"].get_extra_info("ssl_object")
    if tls is None:
        return False
    try:
        tls.read(1)
    except ssl.SSLWantReadError:
        return False
    except ssl.SSLError:
        return True  # The server announced that it will close the connection.
    return True


class Connections:
    """The connections that requests use. The most recently used one is taken first, so that a small
    fleet uses few."""

    def __init__(self, size: int, *, base_url: str, timeout: timedelta, user_agent: str) -> None:
        """Raises ApiSetupError as Route does."""
        self._route = Route(base_url, timeout=timeout, user_agent=user_agent)
        self._size = size
        self._places = asyncio.Semaphore(size)
        # Created at once, so that an error in the environment is found here.
        self._idle = [self._make()]

    def resized(self, size: int, *, timeout: timedelta) -> "Connections":
        """Connections to the same address with another size and time-out."""
        route = self._route
        return Connections(
            size, base_url=route.base_url, timeout=timeout, user_agent=route.user_agent
        )

    def read_authorities(self) -> None:
        """Read the CA certificates again, for all later connections. Raises ApiSetupError."""
        self._route.authorities.read()

    def place(self, *, urgent: bool) -> AbstractAsyncContextManager[None]:
        """Wait until fewer than `size` requests are under way. Urgent requests do not wait, so that
        slow checks cannot delay them; the limits on retries keep them few."""
        return nullcontext() if urgent else self._places

    @asynccontextmanager
    async def reused(self) -> AsyncIterator[Connection]:
        """A connection that may be open already."""
        connection = await self._taken()
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
        """A new connection: if the server has just closed a reused one, the answer would be
        lost."""
        self._route.authorities.refresh()
        connection = self._make()
        try:
            yield connection
        finally:
            await connection.close()

    async def close(self) -> None:
        """Close the idle connections. A request under way closes its own when it ends."""
        self._size = 0
        while self._idle:
            await self._idle.pop().close()

    async def _taken(self) -> Connection:
        """An idle connection, or a new one; never one that uses earlier CA certificates."""
        self._route.authorities.refresh()
        while self._idle:
            connection = self._idle.pop()
            if connection.context is self._route.authorities.context:
                return connection
            await connection.close()
        return self._make()

    def _make(self) -> Connection:
        return Connection(self._route.client(), self._route.authorities.context)
