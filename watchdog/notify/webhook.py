"""The plain webhook: one POST of JSON."""

import asyncio
import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from watchdog import __version__
from watchdog.engine.ports import LONGEST_SEND, Delivery
from watchdog.text.host import HIGHEST_PORT

_MOST_BYTES = 2_000
"""At most so much of an answer is read: enough for a line that says what is wrong."""

_READING = timedelta(seconds=2)
"""The text of an answer is read for at most this long. It is not needed: the status says whether
the message was taken."""

_HOST = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*\.?|[0-9A-Fa-f:.]+")
"""A name, as the network is asked for it, or an address. httpx takes any other character too, and
escapes it."""


def problem_of(url: str) -> str | None:
    """Why no message can be sent to this URL, if that is certain. What httpx says is left out: it
    may quote a password, as that of `https://user:pass/word@host`."""
    wrong = "the host or the port is wrong; in a password, / is written %2F, and @ is %40"
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL:
        return wrong
    if not parsed.host:
        return "it names no host"
    if not _HOST.fullmatch(parsed.raw_host.decode()):
        return wrong
    if parsed.port is not None and not 0 < parsed.port <= HIGHEST_PORT:
        return f"the port is not one from 1 to {HIGHEST_PORT}"
    return None


async def post(url: str, body: Mapping[str, Any]) -> Delivery:
    """A 2xx answer means that it was taken, whatever its text is. Redirects are not followed: the
    URL may hold a secret. Raises httpx.HTTPError and httpx.InvalidURL."""
    headers = {"User-Agent": f"baseten-watchdog/{__version__}"}
    async with (
        httpx.AsyncClient(headers=headers, timeout=LONGEST_SEND.total_seconds()) as client,
        client.stream("POST", url, json=body) as answer,
    ):
        first = (await _beginning(answer)).decode(errors="replace").strip().partition("\n")[0]
        said = f"HTTP {answer.status_code}" + (f": {first}" if first else "")
        return Delivery(
            answer.is_success,
            said,
            asked_wait(answer.headers.get("Retry-After"), datetime.now(UTC)),
        )


async def _beginning(answer: httpx.Response) -> bytes:
    """What can be read of the text of an answer."""
    text = b""
    with suppress(httpx.HTTPError, TimeoutError):
        async with asyncio.timeout(_READING.total_seconds()):
            async for part in answer.aiter_bytes():
                text += part
                if len(text) >= _MOST_BYTES:
                    break
    return text[:_MOST_BYTES]


def asked_wait(retry_after: str | None, now: datetime) -> timedelta | None:
    """What `Retry-After` asks for: a number of seconds, or a date (RFC 9110, section 10.2.3). None
    if it is not there or cannot be read."""
    if retry_after is None:
        return None
    text = retry_after.strip()
    if text.isascii() and text.isdigit():
        return timedelta(seconds=min(int(text[:9]), 86_400))
    try:
        return max(parsedate_to_datetime(text).astimezone(UTC) - now, timedelta(0))
    except (ValueError, OverflowError):
        return None
