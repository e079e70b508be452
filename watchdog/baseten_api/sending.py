"""Sends a request, and returns its result."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from typing import Any

import httpx

from watchdog.baseten_api.again import first_answer
from watchdog.baseten_api.answers import Answer, Body, parse, told
from watchdog.baseten_api.connections import Connection, Connections
from watchdog.baseten_api.key import KeySource
from watchdog.baseten_api.requests import ApiRequest
from watchdog.engine.events import ApiRequested
from watchdog.engine.ports import AnswerLost, ApiError, Clock, Listener, NotSent
from watchdog.refusal import refusal

_NOT_CONNECTED = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
)

# OSError, because httpx does not wrap an ssl.SSLError that is raised after the handshake.
_BROKEN = (httpx.NetworkError, httpx.ProtocolError, OSError)

_SILENT_SHARE = 0.5
"""The share of the whole time-out for which a used connection may give nothing before the request
is sent on a new one as well. The new one has as much time."""

_Exchanged = tuple[Answer, Body | None]


class Sender:
    """`connections` and `timeout` may be changed: a request that is under way ends with the old
    ones."""

    def __init__(
        self,
        connections: Connections,
        key: KeySource,
        *,
        timeout: timedelta,
        enter: Callable[[ApiRequest[Any]], Awaitable[None]],
        clock: Clock,
        listener: Listener,
    ) -> None:
        """`timeout` bounds each request as a whole. `enter` waits until a request may be sent."""
        self.connections = connections
        self.timeout = timeout
        self._key = key
        self._enter = enter
        self._clock = clock
        self._listener = listener

    async def send(self, request: ApiRequest[Body]) -> _Exchanged[Body]:
        """The answer, and its body if the answer is a 2xx. If an answer cannot be used, the
        connection is closed, because the next answer on it could be wrong too. Raises ApiError."""
        seconds = self.timeout.total_seconds()
        ends = asyncio.get_running_loop().time() + seconds
        if request.method == "POST" or request.optional:
            async with self.connections.fresh() as connection:
                return await self._once(request, connection, ends)
        async with self.connections.reused() as connection:
            if not connection.is_used:
                return await self._once(request, connection, ends)
            return await first_answer(
                partial(self._once, request, connection, ends),
                partial(self._again, request, ends),
                is_silent=lambda: connection.is_silent,
                after=seconds * _SILENT_SHARE,
            )

    async def _again(self, request: ApiRequest[Body], ends: float) -> _Exchanged[Body]:
        """Send it once more, on a new connection, as soon as the rate and the holds allow it."""
        try:
            async with asyncio.timeout_at(ends):
                await self._enter(request)
        except TimeoutError:
            raise NotSent("no turn in time", code="held") from None
        async with self.connections.fresh() as connection:
            return await self._once(request, connection, ends)

    async def _once(
        self, request: ApiRequest[Body], connection: Connection, ends: float
    ) -> _Exchanged[Body]:
        """Send one request, once, and return its result. `ends` is a time of the event loop."""
        started = self._clock.monotonic()
        try:
            with self._as_api_error():
                # The client's own time-outs bound only each single read: a server that sends byte
                # by byte would block a worker for ever.
                async with asyncio.timeout_at(ends):
                    answer = await connection.exchange(
                        request.method, request.path, self._key, request.most_bytes
                    )
            good = answer.status // 100 == 2
            body = parse(request.body, answer.body, request.model_id) if good else None
        except ApiError as error:
            self._tell(request.operation, error.code, started)
            raise
        self._tell(request.operation, str(answer.status), started)
        return answer, body

    def _tell(self, operation: str, code: str, started: float) -> None:
        seconds = self._clock.monotonic() - started
        self._listener(ApiRequested(operation=operation, code=code, duration_seconds=seconds))

    @contextmanager
    def _as_api_error(self) -> Iterator[None]:
        """Raises the ApiError that an error of httpx or of the system means."""
        key, seconds = self._key(), self.timeout.total_seconds()
        try:
            yield
        except _NOT_CONNECTED as error:
            raise NotSent(told("no connection", error, key), code="connect") from error
        except (httpx.TimeoutException, TimeoutError) as error:
            raise AnswerLost(f"no answer within {seconds:g} s", code="timeout") from error
        except _BROKEN as error:
            raise AnswerLost(told("the connection broke", error, key), code="connect") from error
        except RuntimeError as error:
            # The name of a host is looked up in a thread, before a connection is made.
            if refusal(error) is None:
                raise
            raise NotSent(told("no connection", error, key), code="connect") from error
        except MemoryError as error:
            raise AnswerLost(told("the answer was not read", error, key), code="connect") from error
