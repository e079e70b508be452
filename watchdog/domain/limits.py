"""How much of each limit is used, and when there is room again. Everything is computed from the
attempts."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from watchdog.domain.records import Attempt, Fleet, Outcome, Policy, Target

FLEET_MINUTE = timedelta(minutes=1)
"""The time span in which the API itself limits retries: 10 a minute for each key."""

FLEET_DAY = timedelta(hours=24)
"""The time span of the fleet's `max_attempts_per_window`, which limits what one bad day may
cost."""

PROBE_INTERVAL = timedelta(hours=1)
"""While the key may not retry anything, the whole fleet sends one retry in each time span of this
length to find out whether that is still true: the key's role may have changed."""

RESERVATION_TTL = timedelta(seconds=30)
"""How long after its reservation an attempt may still be sent. After that, other processes may
treat its owner as dead."""

LONGEST_HOLD = timedelta(minutes=10)
"""The longest hold that a 429 may request. The number comes from outside, so it must have a
limit."""

GIVE_WAY = timedelta(seconds=5)
"""Extra hold for the model that got the 429, so that other models go first when the hold ends.
Longer than a look and a POST usually take."""


def room_at(
    times: Iterable[datetime], limit: int, span: timedelta, now: datetime, *, ahead: int = 0
) -> datetime | None:
    """When there is room for one more retry after `ahead` others were sent; None if there is room
    now. At most `limit` of the times, which is at least 1, may lie within a `span` (see
    `counts_at`). A time in the future counts as now. The `ahead` others are assumed to be sent as
    early as possible, and each stops counting one `span` later."""
    recent = sorted(min(time, now) for time in _within(times, span, now))[-limit:]
    free = limit - len(recent)
    rounds, place = divmod(ahead, limit)
    opens = now if place < free else recent[place - free] + span
    at = opens + rounds * span
    return at if at > now else None


def _within(times: Iterable[datetime], span: timedelta, now: datetime) -> list[datetime]:
    """The times that still count. A time that is exactly a span old does not."""
    return [time for time in times if time + span > now]


def counts_at(
    at: datetime,
    now: datetime,
    *,
    ahead_since: datetime | None = None,
    api_date: datetime | None = None,
    date: datetime | None = None,
) -> datetime:
    """The moment at which an attempt that was sent at `at` counts: never later than now, and the
    later one of the moments by two clocks, so that a jump of one clock frees no limit.

    The ledger's clock gives `at`. If that lies in the future, the clock was set back, and it is
    only known that the attempt was sent before this was noticed, at `ahead_since`. The API's clock
    gives the attempt's age: the time from `api_date`, the `Date` of the look before it was sent, to
    `date`, the `Date` of the present look. A constant difference between the two clocks does not
    matter.
    """
    if at > now:
        at = min(ahead_since or now, now)
    # One of the two dates is not known, or the API's clock was set back by more than a day: then it
    # does not show the age.
    if date is None or api_date is None or api_date - date > FLEET_DAY:
        return at
    age = max(date - api_date, timedelta(0))
    return max(at, now - min(age, now - at))


def sent_or_reserved_at(attempt: Attempt) -> datetime:
    """When it was sent by the ledger's clock, or reserved if it was not sent."""
    return attempt.sent_at or attempt.reserved_at


def charged_at(attempt: Attempt, now: datetime, date: datetime | None = None) -> datetime:
    """The moment at which a charged attempt counts; now, while it may still be sent. `date` is the
    API's `Date` at the present look, if it is known."""
    if attempt.outcome is Outcome.PENDING:
        return now
    return counts_at(
        sent_or_reserved_at(attempt),
        now,
        ahead_since=attempt.ahead_since,
        api_date=attempt.api_date,
        date=date,
    )


def of_episode(target: Target, attempts: Iterable[Attempt]) -> tuple[Attempt, ...]:
    """The attempts that belong to the target's episode, in the given order."""
    if target.episode is None:
        return ()
    return tuple(a for a in attempts if a.episode_id == target.episode.id)


def episode_used(target: Target, attempts: Iterable[Attempt]) -> int:
    """How many attempts the target's episode has been charged."""
    return sum(attempt.outcome.charged for attempt in of_episode(target, attempts))


def episode_remaining(target: Target, attempts: Iterable[Attempt], policy: Policy) -> int:
    """How many attempts the present episode, or a new one, still has."""
    return max(0, policy.max_attempts - episode_used(target, attempts))


def window_times(
    attempts: Iterable[Attempt], now: datetime, date: datetime | None = None
) -> tuple[datetime, ...]:
    """When each charged attempt of a target counts."""
    return tuple(charged_at(attempt, now, date) for attempt in attempts if attempt.outcome.charged)


def counting(
    target: Target,
    attempts: Iterable[Attempt],
    policy: Policy,
    now: datetime,
    date: datetime | None = None,
) -> tuple[Attempt, ...]:
    """The attempts of a target that belong to its episode or count in its window, in the given
    order."""
    episode = target.episode.id if target.episode is not None else None
    began, cleared = now - policy.window, _cleared_at(target, now)
    return tuple(
        each
        for each in attempts
        if each.episode_id == episode
        or each.outcome is Outcome.PENDING
        or (
            charged_at(each, now, date) >= began
            and (cleared is None or sent_or_reserved_at(each) >= cleared)
        )
    )


def _cleared_at(target: Target, now: datetime) -> datetime | None:
    """The beginning of the target's window if an operator reset it: the time of the reset. A time
    in the future was written by a clock that was ahead. It is ignored, because otherwise the limit
    would be off until then."""
    since = target.window_since
    return None if since is None or since > now else since


def window_remaining(
    attempts: Iterable[Attempt], policy: Policy, now: datetime, date: datetime | None = None
) -> int:
    """How many attempts the window still allows. A recovery does not clear the window."""
    used = _within(window_times(attempts, now, date), policy.window, now)
    return max(0, policy.max_attempts_per_window - len(used))


@dataclass(frozen=True, slots=True)
class FleetRemaining:
    """How many more retries each of the fleet's limits allows now."""

    minute: int
    in_flight: int
    window: int


def fleet_remaining(fleet: Fleet, now: datetime) -> FleetRemaining:
    """How many more retries the fleet may send now."""
    sent = len(_within(fleet.sent, FLEET_MINUTE, now))
    charged = len(_within(fleet.charged, FLEET_DAY, now))
    return FleetRemaining(
        minute=max(0, fleet.limits.max_retries_per_minute - sent),
        in_flight=max(0, fleet.limits.max_in_flight - fleet.in_flight),
        window=max(0, fleet.limits.max_attempts_per_window - charged),
    )
