"""The management API: requests, and what each answer means."""

from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from watchdog.baseten_api import requests
from watchdog.baseten_api.answers import Answer, Body
from watchdog.baseten_api.bodies import RetryBody
from watchdog.baseten_api.connections import Connections
from watchdog.baseten_api.gate import Gate, Precedence
from watchdog.baseten_api.key import KeySource
from watchdog.baseten_api.requests import (
    GET_DEPLOYMENT,
    LIST_MODELS,
    RETRY,
    ApiRequest,
)
from watchdog.baseten_api.sending import Sender
from watchdog.domain.causes import Startup
from watchdog.domain.discovery import Listing
from watchdog.domain.records import Hold
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
        self._clock = clock
        self._gate = Gate(max_requests_per_second, clock, listener)
        connections = Connections(
            concurrency, base_url=base_url, timeout=timeout, user_agent=user_agent
        )
        self._sender = Sender(
            connections,
            key,
            timeout=timeout,
            enter=partial(self._enter, urgent=True),
            clock=clock,
            listener=listener,
        )

    @property
    def key_accepted(self) -> bool | None:
        """Whether the API accepted the key the last time; None before its first answer."""
        return self._gate.key_accepted

    @property
    def key_mark(self) -> str:
        return self._key.mark(self._base_url)

    def read_authorities(self) -> None:
        """Read the CA certificates again. Raises ApiSetupError."""
        self._sender.connections.read_authorities()

    async def close(self) -> None:
        await self._sender.connections.close()

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
        old = self._sender.connections
        new = old.resized(concurrency, timeout=request_timeout)

        async def take_up() -> None:
            if self._key.take(key):
                self._gate.key_changed()
            self._sender.connections = new
            self._sender.timeout = request_timeout
            self._gate.pace(max_requests_per_second)
            await old.close()

        return take_up

    async def get_deployment(self, model_id: str, *, urgent: bool = False) -> Deployment:
        body, answer = await self._call(requests.get_deployment(model_id), urgent=urgent)
        return replace(body.to_deployment(), date=answer.date())

    async def log_lines(
        self, model_id: str, deployment_id: str, *, since: datetime, until: datetime
    ) -> tuple[str, ...]:
        request = requests.get_logs(model_id, deployment_id, since=since, until=until)
        body, answer = await self._call(request, urgent=False)
        return body.to_lines(answer.key, since)

    async def startups(
        self, model_id: str, deployment_id: str, *, since: datetime, until: datetime
    ) -> list[Startup]:
        request = requests.list_startups(model_id, deployment_id, since=since, until=until)
        body, _ = await self._call(request, urgent=False)
        return body.to_startups(since)

    async def acts(
        self, model_id: str, deployment_ids: Collection[str], *, since: datetime
    ) -> list[Act]:
        request = requests.list_audit_logs(model_id, deployment_ids, since=since)
        body, answer = await self._call(request, urgent=False)
        return body.to_acts(answer.key, model_id, since)

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
        """Send a request. Returns the parsed body of its 2xx answer, and the answer. A look or a
        listing is sent a second time if its connection gives nothing (`again`)."""
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
                "the key is refused: a later check finds out whether it is accepted again",
                code="held",
            )
        async with AsyncExitStack() as place:
            await place.enter_async_context(
                self._sender.connections.place(urgent=urgent or request.optional)
            )
            await self._enter(request, urgent=urgent)
            yield partial(self._send, request, place)

    async def _enter(self, request: ApiRequest[Any], *, urgent: bool) -> None:
        usual = Precedence.OPTIONAL if request.optional else Precedence.USUAL
        await self._gate.enter(
            request.operation,
            request.model_id,
            precedence=Precedence.URGENT if urgent else usual,
            despite_auth=request.operation == LIST_MODELS,
        )

    async def _send(self, request: ApiRequest[Body], place: AsyncExitStack) -> tuple[Body, Answer]:
        # The place is released before the answer is examined: a 403 leads to another request, which
        # needs a place too.
        async with place:
            answer, body = await self._sender.send(request)
        if body is None:
            raise await self._error(request, answer)
        self._gate.succeeded(request.operation)
        return body, answer

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
