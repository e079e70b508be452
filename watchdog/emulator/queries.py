"""What may stand after `?` in a request for logs or start-ups, and what it selects."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from watchdog.emulator.values import Logged, Startup

T = TypeVar("T")

_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")

_LOGS_SPAN = timedelta(minutes=30)
_LONGEST_SPAN = timedelta(days=7)
_MOST_LINES = 1000
_MOST_STARTUPS = 100


class InvalidQuery(ValueError):
    """The API answers it with 400."""


@dataclass(frozen=True, slots=True)
class LogQuery:
    since: datetime
    until: datetime
    newest_first: bool
    limit: int
    min_level: str | None

    def select(self, lines: Sequence[Logged]) -> Sequence[Logged]:
        """The requested lines, in the requested order. If a level is requested, lines without a
        level are left out."""
        found = [
            each
            for each in lines
            if self.since <= each.at <= self.until and self._is_level(each.line.level)
        ]
        return _ordered(found, newest_first=self.newest_first, limit=self.limit)

    def _is_level(self, level: str | None) -> bool:
        if self.min_level is None:
            return True
        return level is not None and _LEVELS.index(level) >= _LEVELS.index(self.min_level)


@dataclass(frozen=True, slots=True)
class StartupsQuery:
    since: datetime
    until: datetime
    newest_first: bool
    limit: int

    def select(self, startups: Sequence[Startup]) -> Sequence[Startup]:
        """The requested starts, in the requested order."""
        found = [each for each in startups if self.since <= each.started_at <= self.until]
        return _ordered(found, newest_first=self.newest_first, limit=self.limit)


def log_query(query: Mapping[str, str], now: datetime) -> LogQuery:
    """Raises InvalidQuery."""
    until = _moment(query, "end_epoch_millis") or now
    since = _moment(query, "start_epoch_millis") or until - _LOGS_SPAN
    if until - since > _LONGEST_SPAN:
        raise InvalidQuery("The time range must not exceed 7 days.")
    level = query.get("min_level")
    if level is not None and level not in _LEVELS:
        raise InvalidQuery(f"min_level must be one of {', '.join(_LEVELS)}.")
    limit = _limit(query, default=500, most=_MOST_LINES)
    return LogQuery(since, until, _newest_first(query, default=False), limit, level)


def startups_query(query: Mapping[str, str]) -> StartupsQuery:
    """Raises InvalidQuery."""
    since, until = _moment(query, "start_epoch_millis"), _moment(query, "end_epoch_millis")
    if since is None or until is None or until <= since:
        raise InvalidQuery("start_epoch_millis and a later end_epoch_millis are required.")
    limit = _limit(query, default=50, most=_MOST_STARTUPS)
    return StartupsQuery(since, until, _newest_first(query, default=True), limit)


def _ordered(found: Sequence[T], *, newest_first: bool, limit: int) -> Sequence[T]:
    return list(reversed(found))[:limit] if newest_first else found[:limit]


def _moment(query: Mapping[str, str], name: str) -> datetime | None:
    return None if name not in query else datetime.fromtimestamp(_number(query, name) / 1000, UTC)


def _limit(query: Mapping[str, str], *, default: int, most: int) -> int:
    limit = default if "limit" not in query else _number(query, "limit")
    if not 1 <= limit <= most:
        raise InvalidQuery(f"limit must be between 1 and {most}.")
    return limit


def _number(query: Mapping[str, str], name: str) -> int:
    try:
        return int(query[name])
    except ValueError:
        raise InvalidQuery(f"{name} must be a whole number.") from None


def _newest_first(query: Mapping[str, str], *, default: bool) -> bool:
    direction = query.get("direction")
    if direction not in (None, "asc", "desc"):
        raise InvalidQuery("direction must be asc or desc.")
    return default if direction is None else direction == "desc"
