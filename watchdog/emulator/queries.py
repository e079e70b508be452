"""What may stand after `?` in a request for logs, start-ups or the audit log: what it selects."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from watchdog.emulator.scenario import ActKind
from watchdog.emulator.values import Audited, Logged, Startup

T = TypeVar("T")

Query = Mapping[str, list[str]]
"""Each parameter with all its values."""

_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")

_LOGS_SPAN = timedelta(minutes=30)
_LONGEST_SPAN = timedelta(days=7)
_MOST_LINES = 1000
_MOST_STARTUPS = 100
_MOST_ENTRIES = 200

_GROUPS = {
    ActKind.PUSH: "DEPLOYED",
    ActKind.PUSH_NEW_ID: "DEPLOYED",
    ActKind.PROMOTE: "PROMOTED",
    ActKind.STOP: "ACTIVATED_DEACTIVATED",
    ActKind.DEACTIVATE: "ACTIVATED_DEACTIVATED",
    ActKind.ACTIVATE: "ACTIVATED_DEACTIVATED",
    ActKind.DELETE: "DELETED",
}
_RETRIED = "DEPLOYED"
"""The documentation does not say in which group retries are."""


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


@dataclass(frozen=True, slots=True)
class AuditQuery:
    since: datetime | None
    until: datetime | None
    newest_first: bool
    limit: int
    begin: int
    deployment_ids: frozenset[str]
    groups: frozenset[str]

    def select(self, entries: Sequence[Audited]) -> tuple[Sequence[Audited], str | None]:
        """The page in the wanted order, and the cursor of the next page."""
        found = [each for each in entries if self._wants(each)]
        page = _ordered(found, newest_first=self.newest_first, limit=self.begin + self.limit)
        end = len(page)
        return page[self.begin :], str(end) if end < len(found) else None

    def _wants(self, entry: Audited) -> bool:
        group = _RETRIED if entry.act is None else _GROUPS[entry.act.act]
        return (
            (self.since is None or self.since <= entry.at)
            and (self.until is None or entry.at <= self.until)
            and (not self.deployment_ids or entry.deployment_id in self.deployment_ids)
            and (not self.groups or group in self.groups)
        )


def log_query(query: Query, now: datetime) -> LogQuery:
    """Raises InvalidQuery."""
    until = _moment(query, "end_epoch_millis") or now
    since = _moment(query, "start_epoch_millis") or until - _LOGS_SPAN
    if until - since > _LONGEST_SPAN:
        raise InvalidQuery("The time range must not exceed 7 days.")
    level = query["min_level"][-1] if "min_level" in query else None
    if level is not None and level not in _LEVELS:
        raise InvalidQuery(f"min_level must be one of {', '.join(_LEVELS)}.")
    limit = _limit(query, default=500, most=_MOST_LINES)
    return LogQuery(since, until, _newest_first(query, default=False), limit, level)


def startups_query(query: Query) -> StartupsQuery:
    """Raises InvalidQuery."""
    since, until = _moment(query, "start_epoch_millis"), _moment(query, "end_epoch_millis")
    if since is None or until is None or until <= since:
        raise InvalidQuery("start_epoch_millis and a later end_epoch_millis are required.")
    limit = _limit(query, default=50, most=_MOST_STARTUPS)
    return StartupsQuery(since, until, _newest_first(query, default=True), limit)


def audit_query(query: Query) -> AuditQuery:
    """Raises InvalidQuery."""
    return AuditQuery(
        _moment(query, "start_epoch_millis"),
        _moment(query, "end_epoch_millis"),
        _newest_first(query, default=True, words=("ASC", "DESC")),
        _limit(query, default=20, most=_MOST_ENTRIES),
        max(0, _number(query, "cursor")) if "cursor" in query else 0,
        frozenset(query.get("deployment_ids", ())),
        frozenset(query.get("event_type_groups", ())),
    )


def _ordered(found: Sequence[T], *, newest_first: bool, limit: int) -> Sequence[T]:
    return list(reversed(found))[:limit] if newest_first else found[:limit]


def _moment(query: Query, name: str) -> datetime | None:
    return None if name not in query else datetime.fromtimestamp(_number(query, name) / 1000, UTC)


def _limit(query: Query, *, default: int, most: int) -> int:
    limit = default if "limit" not in query else _number(query, "limit")
    if not 1 <= limit <= most:
        raise InvalidQuery(f"limit must be between 1 and {most}.")
    return limit


def _number(query: Query, name: str) -> int:
    try:
        return int(query[name][-1])
    except ValueError:
        raise InvalidQuery(f"{name} must be a whole number.") from None


def _newest_first(query: Query, *, default: bool, words: tuple[str, str] = ("asc", "desc")) -> bool:
    if "direction" not in query:
        return default
    direction = query["direction"][-1]
    if direction not in words:
        raise InvalidQuery(f"direction must be {' or '.join(words)}.")
    return direction == words[1]
