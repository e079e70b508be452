"""When retries may happen: in each minute that matches one of the cron lines, in a time zone."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

_MINUTE = timedelta(minutes=1)
_STEP = timedelta(minutes=15)
"""In every zone the hours begin at a multiple of 15 minutes of UTC."""

_DAY = timedelta(days=1)

_FARTHEST = timedelta(days=9 * 366)
"""Long enough that even 29 February occurs, also across a year like 2100."""

_Known = tuple[datetime, datetime, datetime | None]
"""The start and end of the time in which an answer is valid, and the answer."""


@dataclass(frozen=True)
class AllowedTimes:
    """See `domain.records.AllowedTimes`. With daylight saving, an hour that is skipped does not
    exist, and one that occurs twice counts twice. The last answer is kept, because each check of a
    failing target needs it and the search for a rare minute takes milliseconds."""

    cron: tuple[str, ...]
    timezone: str
    _zone: ZoneInfo = field(init=False, repr=False, compare=False)
    _spans: tuple[Any, ...] = field(init=False, repr=False, compare=False)
    _known: _Known | None = field(default=None, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Raises ValueError."""
        object.__setattr__(self, "_zone", time_zone(self.timezone))
        object.__setattr__(self, "_spans", tuple(map(parsed_line, self.cron)))

    def opens_at(self, now: datetime) -> datetime | None:
        """None if retries are allowed now; otherwise the next time at which they are allowed, at
        most nine years ahead."""
        if self._known is not None:
            since, until, answer = self._known
            if since <= now < until:
                return answer
        minute = now.replace(second=0, microsecond=0)
        opens = self._opening_from(minute)
        known = (minute, minute + _MINUTE, None) if opens == minute else (minute, opens, opens)
        object.__setattr__(self, "_known", known)
        return known[2]

    def _opening_from(self, minute: datetime) -> datetime:
        """The first allowed minute, which may be the present one."""
        last = minute + _FARTHEST
        while minute < last:
            if not self._day_matches(minute):
                minute = minute.replace(hour=0, minute=0) + _DAY
            elif self._hour_matches(minute):
                if self._minute_matches(minute):
                    return minute
                minute += _MINUTE
            else:
                minute += _STEP - timedelta(minutes=minute.minute % 15)
        return last

    def _minute_matches(self, minute: datetime) -> bool:
        local = minute.astimezone(self._zone)
        return any(_in_hour(span, local) and local.minute in span.minutes for span in self._spans)

    def _day_matches(self, minute: datetime) -> bool:
        """Whether a line allows the date of this UTC day, or the date before or after it: a local
        date differs from the UTC date by at most one day."""
        day = minute.date()
        return any(
            span.match_day(each) and each.month in span.months
            for span in self._spans
            for each in (day - _DAY, day, day + _DAY)
        )

    def _hour_matches(self, minute: datetime) -> bool:
        local = minute.astimezone(self._zone)
        return any(_in_hour(span, local) for span in self._spans)


def _in_hour(span: CronSim, local: datetime) -> bool:
    return local.hour in span.hours and local.month in span.months and span.match_day(local.date())


def time_zone(name: str) -> ZoneInfo:
    """Raises ValueError."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"{name!r} is no time zone: write it like Europe/Berlin") from None


def parsed_line(text: str) -> CronSim:
    """Raises ValueError."""
    if len(text.split()) != 5:
        raise ValueError(f"{text!r}: write cron's five fields, as in '* 8-18 * * mon-fri'")
    try:
        return CronSim(text, datetime(2026, 1, 1, tzinfo=UTC))
    except CronSimError as error:
        raise ValueError(f"{text!r}: {error}") from None
