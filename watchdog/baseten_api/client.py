"""The management API: requests, and what each answer means."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import httpx

from watchdog.baseten_api import requests
from watchdog.baseten_api.answers import Answer, Body, parse, told
from watchdog.baseten_api.bodies import RetryBody
from watchdog.baseten_api.connections import Connections
from watchdog.baseten_api.gate import Gate
from watchdog.baseten_api.key import KeySource
from watchdog.baseten_api.requests import (
    GET_DEPLOYMENT,
    LIST_MODELS,
    LOG_LINES,
    RETRY,
    ApiRequest,
)
from watchdog.domain.discovery import Listing
from watchdog.domain.records import Hold
from watchdog.engine.events import ApiRequested
from watchdog.engine.ports import (
    Act,
    AnswerLost,
    ApiError,
    Clock,
    Denied,
    Deployment,
    Forbidden,
    Listener,
    NotFound,
    NotSent,
    Post,
    Rejected,
    RetryAnswer,
    Throttled,
)

_NOT_CONNECTED = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
)

# OSError, because httpx does not wrap an ssl.SSLError that is raised after the handshake.
_BROKEN = (httpx.NetworkError, httpx.ProtocolError, OSError)


_Send = Callable[[], Awaitable[tuple[Body, Answer]]]


class HttpBasetenApi:
    """See `engine.ports.BasetenApi`. Call `close` when done."""

    def __init__(
        self,
        base_url: str,
        key: KeySource,
        *,
        timeout: timedelta,
        max_requests_per_second: float,
        concurrency: int,
        user_agent: str,
        clock: Clock,
        listener: Listener,
    ) -> None:
        """`timeout` bounds each request as a whole. Raises ApiSetupError."""
        self._base_url = base_url
        self._key = key
        self._timeout = timeout
        self._clock = clock
        self._listener = listener
        self._gate = Gate(max_requests_per_second, clock, listener)
        self._connections = Connections(
            concurrency, base_url=base_url, timeout=timeout, user_agent=user_agent
        )

    @property
    def key_accepted(self) -> bool | None:
        """Whether the API accepted the key the last time; None before its first answer."""
        return self._gate.key_accepted

    @property
    def key_mark(self) -> str:
        return self._key.mark(self._base_url)

    async def close(self) -> None:
        await self._connections.close()

    def prepare(
        self,
        key: KeySource,
        *,
        request_timeout: timedelta,
        max_requests_per_second: float,
        concurrency: int,
    ) -> Callable[[], Awaitable[None]]:
        """A function that switches to other settings and cannot fail. Requests that are under way
        end with the old settings. `prepare` itself raises ApiSetupError."""
        old = self._connections
        new = old.resized(concurrency, timeout=request_timeout)

        async def take_up() -> None:
            if self._key.take(key):
                self._gate.key_changed()
            self._connections = new
            self._timeout = request_timeout
            self._gate.pace(max_requests_per_second)
            await old.close()

        return take_up

    async def get_deployment(self, model_id: str, *, urgent: bool = False) -> Deployment:
        body, answer = await self._call(requests.get_deployment(model_id), urgent=urgent)
        return replace(body.to_deployment(), date=answer.date())

    async def error_lines(
        self, model_id: str, deployment_id: str, *, since: datetime, until: datetime
    ) -> list[str]:
        for errors in (True, False):
            request = requests.get_logs(
                model_id, deployment_id, since=since, until=until, errors=errors
            )
            body, answer = await self._call(request, urgent=False)
            if body.logs:
                return body.to_lines(answer.key, most=LOG_LINES)
        return []

    async def acts(
        self, model_id: str, deployment_ids: Collection[str], *, since: datetime
    ) -> list[Act]:
        request = requests.list_audit_logs(model_id, deployment_ids, since=since)
        body, answer = await self._call(request, urgent=False)
        return body.to_acts(answer.key, model_id)

    async def list_models(self) -> Listing:
        body, answer = await self._call(requests.list_models(), urgent=False)
        return body.to_listing(answer.key)

    @asynccontextmanager
    async def retry_turn(self, model_id: str) -> AsyncIterator[Post]:
        async with self._turn(requests.retry(model_id), urgent=True) as send:
            yield partial(self._retry, send)

    @staticmethod
    async def _retry(send: _Send[RetryBody]) -> RetryAnswer:
        body, answer = await send()
        return body.to_answer(answer.key)

    def retry_hold(self, model_id: str) -> Hold | None:
        # A retry includes the GET directly before its POST, so a hold of either operation delays
        # it.
        return self._gate.hold(RETRY, model_id) or self._gate.hold(GET_DEPLOYMENT, model_id)

    async def _call(self, request: ApiRequest[Body], *, urgent: bool) -> tuple[Body, Answer]:
        """Send one request, once. Returns the parsed body of its 2xx answer, and the answer."""
        async with self._turn(request, urgent=urgent) as send:
            return await send()

    @asynccontextmanager
    async def _turn(self, request: ApiRequest[Body], *, urgent: bool) -> AsyncIterator[_Send[Body]]:
        """Wait until the request may be sent. Its place is kept until it has been sent or the block
        ends."""
        if self._key.refresh():
            self._gate.key_changed()
        if request.optional and self._gate.key_accepted is False:
            raise NotSent(
                "the key is refused, and a check is to find out when it is good", code="held"
            )
        async with AsyncExitStack() as place:
            await place.enter_async_context(
                self._connections.place(urgent=urgent or request.optional)
            )
            await self._gate.enter(
                request.operation,
                request.model_id,
                urgent=urgent,
                despite_auth=request.operation == LIST_MODELS,
            )
            yield partial(self._send, request, place)

    async def _send(self, request: ApiRequest[Body], place: AsyncExitStack) -> tuple[Body, Answer]:
        operation = request.operation
        # The place is released before the answer is judged: a 403 leads to another request, which
        # needs a place too.
        async with place:
            started = self._clock.monotonic()
            try:
                answer, body = await self._exchange(request)
            except ApiError as error:
                self._tell(operation, error.code, started)
                raise
            self._tell(operation, str(answer.status), started)
        if body is None:
            raise await self._error(request, answer)
        self._gate.succeeded(operation)
        return body, answer

    def _tell(self, operation: str, code: str, started: float) -> None:
        seconds = self._clock.monotonic() - started
        self._listener(ApiRequested(operation=operation, code=code, duration_seconds=seconds))

    async def _exchange(self, request: ApiRequest[Body]) -> tuple[Answer, Body | None]:
        """The answer, and its body if it is a 2xx. If it cannot be used, its connection is closed,
        because the next answer on it could be wrong too."""
        alone = request.method == "POST" or request.optional
        connection = self._connections.fresh() if alone else self._connections.reused()
        key, seconds = self._key(), self._timeout.total_seconds()
        try:
            # The client's own time-outs bound only each single read: a server that sends byte by
            # byte would block a worker for ever.
            async with connection as opened, asyncio.timeout(seconds):
                answer = await opened.exchange(
                    request.method, request.path, self._key, request.most_bytes
                )
                good = answer.status // 100 == 2
                return answer, parse(request.body, answer.body, request.model_id) if good else None
        except _NOT_CONNECTED as error:
            raise NotSent(told("no connection", error, key), code="connect") from error
        except (httpx.TimeoutException, TimeoutError) as error:
            raise AnswerLost(f"no answer within {seconds:g} s", code="timeout") from error
        except _BROKEN as error:
            raise AnswerLost(told("the connection broke", error, key), code="connect") from error

    async def _error(self, request: ApiRequest[Any], answer: Answer) -> ApiError:
        operation = request.operation
        status, code, text = answer.status, str(answer.status), answer.text()
        if status in (401, 403):
            # An answer to an earlier key says nothing about the present one.
            good = status == 403 and await self._good_otherwise(request)
            present = answer.key == self._key()
            if present and good:
                return Forbidden(text, code=code)
            if present and request.decides_about_key:
                self._gate.denied(code)
            return Denied(text, code=code)
        if status == 429:
            seconds = answer.retry_after(self._clock.now())
            hold = self._gate.throttled(operation, request.model_id, seconds)
            return Throttled(text, hold=hold)
        if status == 404:
            return NotFound(text, code=code)
        if status // 100 == 4:
            return Rejected(text, code=code)
        return AnswerLost(text, code=code)

    async def _good_otherwise(self, request: ApiRequest[Any]) -> bool:
        """Whether the API accepts the key for other requests than the one that was answered 403."""
        was_good = self._gate.key_accepted is True
        if request.operation == LIST_MODELS:
            return False
        if request.optional:
            return was_good
        try:
            await self._call(requests.try_to_list_models(), urgent=True)
        except Denied:
            return False
        except ApiError as error:
            # A list that is too long to read was still answered 200; other errors say nothing about
            # the key.
            return was_good or error.code == "invalid_body"
        return True
