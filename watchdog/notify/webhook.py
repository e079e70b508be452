"""The plain webhook: one POST of JSON."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from watchdog import __version__
from watchdog.engine.ports import Delivery

_MOST_BYTES = 2_000
"""As much of an answer is read: enough for a line that says what is wrong."""


async def post(url: str, body: Mapping[str, Any]) -> Delivery:
    """A 2xx answer means that it was taken. Redirects are not followed: the URL may hold a secret.
    Raises httpx.HTTPError and httpx.InvalidURL."""
    headers = {"User-Agent": f"baseten-watchdog/{__version__}"}
    async with (
        httpx.AsyncClient(headers=headers) as client,
        client.stream("POST", url, json=body) as answer,
    ):
        text = b""
        async for part in answer.aiter_bytes():
            text += part
            if len(text) >= _MOST_BYTES:
                break
        first = text[:_MOST_BYTES].decode(errors="replace").strip().partition("\n")[0]
        said = f"HTTP {answer.status_code}" + (f": {first}" if first else "")
        return Delivery(
            answer.is_success,
            said,
            asked_wait(answer.headers.get("Retry-After"), datetime.now(UTC)),
        )


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
