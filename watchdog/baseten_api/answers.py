"""The answer to a request, and how it is read."""

import json
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from watchdog.baseten_api.bodies import ErrorBody, ThrottledBody
from watchdog.engine.ports import AnswerLost
from watchdog.refusal import system_cause
from watchdog.text.untrusted import clean

Body = TypeVar("Body", bound=BaseModel)

_DATE = "%a, %d %b %Y %H:%M:%S GMT"

_NO_JSON = "json_invalid"

_HALF = re.compile("[\ud800-\udfff]")
"""Half a character (a surrogate), which JSON can escape but which is no valid text. Bytes that are
not UTF-8 are decoded to these as well."""

_NO_CHARACTER = "\ufffe"
"""Not printable, so that an id or a status that contains it is still rejected."""

_MOST_PARTS = 20_000
"""A server may send a body in chunks of one byte, each of which takes as much time as a large
one. A longer body is not read to its end and does not parse."""

_YEARS = range(1990, 9000)
"""Years to which time spans can be added, and from which they can be subtracted, without
overflow."""


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: Sequence[tuple[bytes, bytes]]
    body: bytes
    key: str = field(repr=False)

    def text(self) -> str:
        """The message of an answer that is not a 2xx, as text for operators."""
        try:
            message = _read(ErrorBody, self.body).text()
        except ValidationError:
            message = ""
        return clean(f"HTTP {self.status}: {message or '(no message)'}", self.key)

    def retry_after(self, now: datetime) -> float | None:
        """How many seconds a 429 requests: in its body, as documented, otherwise in the header. A
        date is compared with the server's own clock, or with `now` if the answer has no Date."""
        sent = self.date() or now
        try:
            wanted = _seconds(_read(ThrottledBody, self.body).retry_after, sent)
        except ValidationError:
            wanted = None
        if wanted is not None:
            return wanted
        return _seconds(self._header(b"retry-after").decode("latin-1"), sent)

    def date(self) -> datetime | None:
        """The time of the server's clock, in the one form in which HTTP/1.1 lets a server send it
        (RFC 9110, 5.6.7), exact to a second. None if it is missing or has another form."""
        text = self._header(b"date").decode("latin-1")
        try:
            said = datetime.strptime(text, _DATE).replace(tzinfo=UTC)
        except ValueError:
            return None
        exact = format_datetime(said, usegmt=True) == text
        return said if exact and said.year in _YEARS else None

    def _header(self, wanted: bytes) -> bytes:
        named = {name.lower(): value for name, value in self.headers}
        return named.get(wanted, b"")


def _seconds(wanted: float | str, sent: datetime) -> float | None:
    """The value as seconds. None if it is neither a number nor a date in the form of HTTP or ISO
    8601."""
    with suppress(ValueError):
        return float(wanted)
    for read in (datetime.fromisoformat, parsedate_to_datetime):
        with suppress(ValueError, OverflowError):
            until = read(str(wanted).strip())
            return (until if until.tzinfo else until.replace(tzinfo=UTC)).timestamp() - (
                sent.timestamp()
            )
    return None


async def read_body(stream: AsyncIterator[bytes], most_bytes: int) -> bytes:
    parts, size = [], 0
    async for part in stream:
        parts.append(part)
        size += len(part)
        if size > most_bytes or len(parts) > _MOST_PARTS:
            break
    return b"".join(parts)


def parse(model: type[Body], body: bytes, model_id: str | None) -> Body:
    """The body of a 2xx answer; `model_id` is the model that the request was about, if any. Raises
    AnswerLost."""
    try:
        return _read(model, body, model_id)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "body"
        text = f"the answer cannot be used: {where}: {first['msg']}"
        raise AnswerLost(text, code="invalid_body") from None


def _read(model: type[Body], body: bytes, context: str | None = None) -> Body:
    """Raises ValidationError."""
    try:
        return model.model_validate_json(body, context=context)
    except ValidationError as error:
        is_json = error.errors(include_input=False, include_url=False)[0]["type"] != _NO_JSON
        if is_json or (whole := _with_whole_characters(body)) is None:
            raise
    return model.model_validate_json(whole, context=context)


def _with_whole_characters(body: bytes) -> bytes | None:
    """The same JSON, with every half character replaced, because one broken name, label or log line
    must not make everything else unreadable. None if half characters are not the problem."""
    try:
        found = json.loads(body.decode(errors="surrogateescape"))
        text = json.dumps(found, ensure_ascii=False)
    except (ValueError, RecursionError):
        return None
    return _HALF.sub(_NO_CHARACTER, text).encode()


def told(what: str, error: Exception, key: str) -> str:
    cause = system_cause(error) or str(error) or type(error).__name__
    return clean(f"{what}: {cause}", key)
