"""Durations as people write them: `30s`, `5m`, `1h30m`."""

import re
from datetime import timedelta

_UNITS = {
    "d": timedelta(days=1),
    "h": timedelta(hours=1),
    "m": timedelta(minutes=1),
    "s": timedelta(seconds=1),
    "ms": timedelta(milliseconds=1),
}
"""The largest first: the order in which a duration is written."""

_PATTERN = re.compile("".join(rf"(?:([0-9]+){unit})?" for unit in _UNITS))

_LONGEST_TEXT = 40
"""More than any sensible duration; bounds what a hostile file can make us multiply."""


def parse_duration(text: str) -> timedelta:
    """Read a duration: whole numbers with the units d, h, m, s and ms, each at most once and the
    larger first, as in `1h30m`. Never negative.

    Raises ValueError with a message for the person who wrote it.
    """
    match = _PATTERN.fullmatch(text) if 0 < len(text) <= _LONGEST_TEXT else None
    if match is None:
        raise ValueError("not a duration: write it like 30s, 5m, 1h30m or 500ms")
    try:
        parts = zip(match.groups(default="0"), _UNITS.values(), strict=True)
        return sum((int(number) * unit for number, unit in parts), timedelta())
    except OverflowError:
        raise ValueError("too long a duration") from None


def format_duration(duration: timedelta) -> str:
    """Write a duration so that `parse_duration` reads the same one. Less than a millisecond is cut
    off.

    Raises ValueError for a negative one, which has no such text.
    """
    if duration < timedelta():
        raise ValueError("a duration is never negative")
    parts = []
    for unit, size in _UNITS.items():
        number, duration = divmod(duration, size)
        if number:
            parts.append(f"{number}{unit}")
    return "".join(parts) or "0s"
