"""The management API: requests, and what each answer means."""

import asyncio
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TypeVar
from urllib.parse import quote

import httpx
from pydantic import BaseModel, ValidationError

from watchdog.baseten_api.bodies import AnyBody, DeploymentBody, ErrorBody, RetryBody, ThrottledBody
from watchdog.baseten_api.connections import Connections
from watchdog.baseten_api.gate import Gate
from watchdog.baseten_api.key import KeySource
from watchdog.domain.records import Hold
from watchdog.engine.events import ApiRequested
from watchdog.engine.ports import (
    AnswerLost,
    ApiError,
    Clock,
    Denied,
    Deployment,
    Listener,
    NotFound,
    NotSent,
    Rejected,
    RetryAnswer,
    Throttled,
)

Body = TypeVar("Body", bound=BaseModel)

GET_DEPLOYMENT = "get_deployment"
RETRY = "retry"
LIST_MODELS = "list_models"

_BODY_MOST_BYTES = 1_000_000
"""A deployment has a few kilobytes. What is larger is not read to its end."""

_NOT_CONNECTED = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
)


class HttpBasetenApi:
    """See `engine.ports.BasetenApi`. Ended by `close`."""

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
        """What the API last said of the key; None before it said anything."""
        return self._gate.key_accepted

    async def close(self) -> None:
        await self._connections.close()

    async def get_deployment(self, model_id: str, *, urgent: bool = False) -> Deployment:
        path = f"/v1/models/{quote(model_id, safe='')}/deployments/development"
        body = await self._call(GET_DEPLOYMENT, "GET", path, DeploymentBody, urgent=urgent)
        return body.to_deployment()

    async def retry(self, model_id: str) -> RetryAnswer:
        path = f"/v1/models/{quote(model_id, safe='')}/deployments/development/retry"
        answer = (await self._call(RETRY, "POST", path, RetryBody, urgent=True)).to_answer()
        if answer.reason is None:
            return answer
        return replace(answer, reason=self._mask(answer.reason))

    def retry_hold(self) -> Hold | None:
        return self._gate.hold(RETRY)

    async def _call(
        self, operation: str, method: str, path: str, model: type[Body], *, urgent: bool
    ) -> Body:
        """Send one request, once, and return the body of its 2xx answer."""
        if self._key.refresh():
            self._gate.key_changed()
        await self._gate.enter(operation, urgent=urgent, despite_auth=operation == LIST_MODELS)
        started, code = self._clock.monotonic(), "cancelled"
        try:
            answer = await self._exchange(method, path)
            code = str(answer.status)
            if answer.status // 100 == 2:
                body = self._parse(model, answer.body)
                self._gate.succeeded(operation)
                return body
        except ApiError as error:
            code = error.code
            raise
        finally:
            seconds = self._clock.monotonic() - started
            self._listener(ApiRequested(operation=operation, code=code, duration_seconds=seconds))
        raise await self._error(operation, answer)

    async def _exchange(self, method: str, path: str) -> "_Answer":
        connection = self._connections.fresh() if method == "POST" else self._connections.reused()
        headers = {"Authorization": f"Api-Key {self._key()}"}
        seconds = self._timeout.total_seconds()
        try:
            # httpx bounds each read alone, and a server that drips would hold a worker for ever.
            async with (
                connection as client,
                asyncio.timeout(seconds),
                client.stream(method, path, headers=headers) as response,
            ):
                return _Answer(response.status_code, response.headers, await _read(response))
        except _NOT_CONNECTED as error:
            raise NotSent(f"no connection: {self._text(error)}", code="connect") from error
        except (httpx.TimeoutException, TimeoutError) as error:
            raise AnswerLost(f"no answer within {seconds:g} s", code="timeout") from error
        except httpx.HTTPError as error:
            raise AnswerLost(
                f"the connection broke: {self._text(error)}", code="connect"
            ) from error

    async def _error(self, operation: str, answer: "_Answer") -> ApiError:
        status, code = answer.status, str(answer.status)
        text = f"HTTP {status}: {self._message(answer.body)}"
        if status in (401, 403):
            if status == 401 or operation == LIST_MODELS or not await self._key_is_good():
                self._gate.denied(code)
            return Denied(text, code=code)
        if status == 429:
            return Throttled(text, hold=self._gate.throttled(operation, answer.retry_after()))
        if status == 404:
            # Only a good key is told what there is not.
            self._gate.succeeded(operation)
            return NotFound(text, code=code)
        if status // 100 == 4:
            return Rejected(text, code=code)
        return AnswerLost(text, code=code)

    async def _key_is_good(self) -> bool:
        """Whether a 403 is about one model alone."""
        try:
            await self._call(LIST_MODELS, "GET", "/v1/models", AnyBody, urgent=True)
        except Denied:
            return False
        except ApiError:
            return True
        return True

    def _parse(self, model: type[Body], body: bytes) -> Body:
        try:
            return model.model_validate_json(body)
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False)[0]
            where = ".".join(str(part) for part in first["loc"]) or "body"
            text = f"the answer cannot be used: {where}: {first['msg']}"
            raise AnswerLost(self._mask(text), code="invalid_body") from None

    def _message(self, body: bytes) -> str:
        try:
            found = ErrorBody.model_validate_json(body)
        except ValidationError:
            return "(no message)"
        return self._mask(found.message or found.error or "(no message)")

    def _text(self, error: Exception) -> str:
        return self._mask(str(error) or type(error).__name__)

    def _mask(self, text: str) -> str:
        return text.replace(self._key(), "***")


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    headers: httpx.Headers
    body: bytes

    def retry_after(self) -> float | None:
        """How many seconds a 429 asks for: in its body, as documented, else in the header."""
        try:
            return ThrottledBody.model_validate_json(self.body).retry_after
        except ValidationError:
            pass
        try:
            return float(self.headers.get("Retry-After", ""))
        except ValueError:
            return None


async def _read(response: httpx.Response) -> bytes:
    parts, size = [], 0
    async for part in response.aiter_bytes():
        size += len(part)
        if size > _BODY_MOST_BYTES:
            raise AnswerLost("the answer is far too large", code="invalid_body")
        parts.append(part)
    return b"".join(parts)
