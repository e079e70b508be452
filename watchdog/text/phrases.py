"""Moments, durations and owners in few characters, for people."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

_MARK_LENGTH = 6
"""Enough to tell processes of one host apart."""


def ago(moment: datetime | None, now: datetime) -> str:
    """How long ago, as `kubectl` gives ages; `-` for never."""
    return "-" if moment is None else f"{age(now - moment)} ago"


def ahead(moment: datetime | None, now: datetime) -> str:
    """How far ahead; `-` where there is no time."""
    if moment is None:
        return "-"
    return f"in {age(moment - now)}" if moment > now else "now"


def age(duration: timedelta) -> str:
    """A duration in its two largest units: `45s`, `4m12s`, `3h5m`, `2d4h`."""
    seconds = max(0, round(duration.total_seconds()))
    parts = [
        (seconds // 86_400, "d"),
        (seconds // 3_600 % 24, "h"),
        (seconds // 60 % 60, "m"),
        (seconds % 60, "s"),
    ]
    while len(parts) > 1 and parts[0][0] == 0:
        parts.pop(0)
    return "".join(f"{count}{unit}" for count, unit in parts[:2] if count) or "0s"


def clock_time(moment: datetime | None) -> str:
    """A moment to the second, in UTC as in the logs; `-` for none."""
    return "-" if moment is None else f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def counted(count: int, noun: str, plural: str = "") -> str:
    """`1 model`, `2 models`; `plural` is for a noun that takes more than an s."""
    return f"{count} {noun if count == 1 else plural or f'{noun}s'}"


def few_of(words: Sequence[str], most: int) -> str:
    """At most so many of the words, and how many more there are."""
    few, more = ", ".join(words[:most]), len(words) - most
    return f"{few} and {more} more" if more > 0 else few


def signature(owner: str) -> str:
    """The owner of a reservation in short: `host/5f3a2c` for a daemon, `command@host/5f3a2c` for a
    command."""
    role, _, process = owner.partition(":")
    host, _, mark = process.rpartition(":")
    name = "/".join(filter(None, (host, mark[:_MARK_LENGTH])))
    return name if role == "daemon" else f"{role}@{name}"
