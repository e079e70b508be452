"""How much of each limit is used, and when there is room again. Computed from attempts alone."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from watchdog.domain.records import Attempt, Fleet, Outcome, Policy, Target

FLEET_MINUTE = timedelta(minutes=1)
"""The span in which the API itself counts retries: 10 a minute for each key."""

FLEET_DAY = timedelta(hours=24)
"""The span of the fleet's `max_attempts_per_window`: what one bad day may cost."""

PROBE_INTERVAL = timedelta(hours=1)
"""While the key may retry nothing, one retry of the whole fleet so often finds out whether that is
still so: its role may have changed."""

RESERVATION_TTL = timedelta(seconds=30)
"""How long after its reservation an attempt may still be sent. After that, other processes may
treat its owner as dead."""

LONGEST_HOLD = timedelta(minutes=10)
"""The longest hold that a 429 may ask for: it is untrusted input like any other."""

GIVE_WAY = timedelta(seconds=5)
"""Extra hold for the model that got the 429, so that other models go first when the hold ends.
Longer than a look and a POST usually take."""


def room_at(
    times: Iterable[datetime], limit: int, span: timedelta, now: datetime, *, ahead: int = 0
) -> datetime | None:
    """When there is room for one more, after `ahead` others have taken theirs; None if there is
    now.

    At most `limit` of the times (see `counts_at`), at least 1, may lie within a `span`. A time in
    the future counts as now. Each of the others makes room again a span after it was sent.
    """
    recent = sorted(min(time, now) for time in _within(times, span, now))[-limit:]
    opens = [*[now] * (limit - len(recent)), *(time + span for time in recent)]
    rounds, place = divmod(ahead, limit)
    at = opens[place] + rounds * span
    return at if at > now else None


def _within(times: Iterable[datetime], span: timedelta, now: datetime) -> list[datetime]:
    """What still counts: at exactly a span's age a time no longer does."""
    return [time for time in times if time + span > now]


def counts_at(
    at: datetime,
    now: datetime,
    *,
    ahead_since: datetime | None = None,
    api_date: datetime | None = None,
    date: datetime | None = None,
) -> datetime:
    """The moment at which something counts that was sent at `at`: never later than now, and as
    recent as one of two clocks says, so that a jump of either frees no limit.

    By the ledger's time that is `at`, unless it lies in the future: the clock was set back, and
    all that is known is that it was sent before that was noticed (`ahead_since`). By the API's
    time it is as long ago as the present look's `date` is later than `api_date`, that of the look
    before it was sent. The difference between the two clocks does not matter.
    """
    if at > now:
        at = min(ahead_since or now, now)
    if date is None or api_date is None or api_date - date > FLEET_DAY:
        return at  # A clock that gives such dates is of no help.
    age = max(date - api_date, timedelta(0))
    return max(at, now - min(age, now - at))


def sent_or_reserved_at(attempt: Attempt) -> datetime:
    """When it was sent, by the ledger's time, or else reserved."""
    return attempt.sent_at or attempt.reserved_at


def charged_at(attempt: Attempt, now: datetime, date: datetime | None = None) -> datetime:
    """The moment at which a charged attempt counts: always now while it may still be sent. `date`
    is what the API's clock says at the present look, where that is known."""
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
    """Those attempts that belong to the target's episode, in the given order."""
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
    """Those attempts of a target that its episode or its window is about, in the given order."""
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
    """Since when attempts count in the target's window: a reset clears it, unless a clock that was
    ahead wrote it, which must not switch the limit off until then."""
    since = target.window_since
    return None if since is None or since > now else since


def window_remaining(
    attempts: Iterable[Attempt], policy: Policy, now: datetime, date: datetime | None = None
) -> int:
    """How many attempts the window, which recovery does not clear, still has."""
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
