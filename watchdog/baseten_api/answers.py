"""What came back for a request, and what can be made of it."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from watchdog.baseten_api.bodies import ErrorBody, ThrottledBody
from watchdog.domain.untrusted import clean
from watchdog.engine.ports import AnswerLost

Body = TypeVar("Body", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: Sequence[tuple[bytes, bytes]]
    body: bytes
    key: str = field(repr=False)

    def text(self) -> str:
        """What an answer other than a 2xx says, for people."""
        try:
            found = ErrorBody.model_validate_json(self.body)
        except ValidationError:
            found = ErrorBody()
        message = found.message or found.error or "(no message)"
        return clean(f"HTTP {self.status}: {message}", self.key)

    def retry_after(self) -> float | None:
        """How many seconds a 429 asks for: in its body, as documented, else in the header."""
        try:
            return ThrottledBody.model_validate_json(self.body).retry_after
        except ValidationError:
            pass
        named = {name.lower(): value for name, value in self.headers}
        try:
            return float(named.get(b"retry-after", b""))
        except ValueError:
            return None


async def read_body(stream: AsyncIterator[bytes], most_bytes: int) -> bytes:
    parts, size = [], 0
    async for part in stream:
        parts.append(part)
        size += len(part)
        if size > most_bytes:
            break
    return b"".join(parts)


def parse(model: type[Body], body: bytes, model_id: str | None) -> Body:
    """The body of a 2xx answer to a request about a model, if it was about one. Raises
    AnswerLost."""
    try:
        return model.model_validate_json(body, context=model_id)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "body"
        text = f"the answer cannot be used: {where}: {first['msg']}"
        raise AnswerLost(text, code="invalid_body") from None


def told(what: str, error: Exception, key: str) -> str:
    return clean(f"{what}: {str(error) or type(error).__name__}", key)
