"""The decision about a target: retry it, wait, give up, or do nothing."""

from collections.abc import Sequence
from datetime import datetime

from watchdog.domain import backoff
from watchdog.domain.cause_rules import (
    LONGEST_WAIT_FOR_CAUSE,
    failed_at,
    is_permanent,
    present_cause,
)
from watchdog.domain.limits import (
    FLEET_DAY,
    FLEET_MINUTE,
    PROBE_INTERVAL,
    of_episode,
    room_at,
    window_times,
)
from watchdog.domain.records import (
    Attempt,
    Decision,
    DecisionKind,
    DecisionReason,
    Fleet,
    Health,
    Outcome,
    Policy,
    Standing,
    Target,
)
from watchdog.domain.status import is_paused, is_slow, is_stuck

Wait = tuple[datetime | None, DecisionReason]

_AT_REST = {
    Health.HEALTHY: DecisionReason.HEALTHY,
    Health.IN_PROGRESS: DecisionReason.IN_PROGRESS,
    Health.NOT_RETRYABLE: DecisionReason.NOT_RETRYABLE,
}


def decide(
    target: Target,
    attempts: Sequence[Attempt],
    fleet: Fleet,
    policy: Policy,
    now: datetime,
    *,
    forced: bool = False,
) -> Decision:
    """The decision about a target now; every decision but a retry has a reason. `attempts` are
    those of the target's episode and of its window, oldest first. A target is retried only if the
    last look saw it failing. `forced`: an operator requested the retry, so the target's own rules
    are not applied, but the breaker, the holds and the fleet's limits are."""
    if (decision := _not_retryable(target, attempts, policy, now)) is not None:
        return decision
    own: list[Wait] = []
    if not forced:
        if (decision := _left_alone(target, attempts, fleet, policy, now)) is not None:
            return decision
        own = _target_waits(target, attempts, fleet, policy, now)
    if fleet.breaker is not None and fleet.breaker.canary != target.model_id:
        # Even a wait for the target's own limits has no known end then, because it is not known
        # when the breaker closes.
        reason = _longest(own, now).reason or DecisionReason.BREAKER_OPEN
        return Decision(DecisionKind.WAIT, reason)
    goes_first = forced or fleet.breaker is not None or bool(own)
    ahead = 0 if goes_first else fleet.ahead
    return _longest(own + _fleet_waits(attempts, fleet, now, ahead=ahead), now)


def ready_since(
    target: Target, attempts: Sequence[Attempt], fleet: Fleet, policy: Policy, now: datetime
) -> datetime | None:
    """Since when only the fleet's limits prevent a retry of a target; None while one of its own
    rules prevents it."""
    if _not_retryable(target, attempts, policy, now) or _left_alone(
        target, attempts, fleet, policy, now
    ):
        return None
    if _target_waits(target, attempts, fleet, policy, now):
        return None
    return target.ready_at or min(now, _own_pace(target, attempts, fleet, policy, now)[0])


def _not_retryable(
    target: Target, attempts: Sequence[Attempt], policy: Policy, now: datetime
) -> Decision | None:
    if target.missing:
        return _nothing(DecisionReason.MISSING)
    if target.health is None:
        return _nothing(DecisionReason.UNOBSERVED)
    if target.health is Health.HEALTHY:
        return _nothing(DecisionReason.HEALTHY)
    if target.health is Health.BROKEN:
        return _broken(target, now)
    if any(attempt.under_way for attempt in attempts):
        return Decision(DecisionKind.WAIT, DecisionReason.ATTEMPT_UNDER_WAY)
    if target.health is not Health.FAILING:
        stuck = is_stuck(target, attempts) or is_slow(target, now, policy)
        return _nothing(DecisionReason.STUCK if stuck else _AT_REST[target.health])
    if target.missing_since is not None:
        return _nothing(DecisionReason.MISSING)
    return None


def _broken(target: Target, now: datetime) -> Decision:
    """The decision about a broken target, which is not retried. If it is opted out or paused, that
    is the reason to show, because an operator knows about it."""
    if target.opted_out:
        return _nothing(DecisionReason.OPTED_OUT)
    return _nothing(DecisionReason.PAUSED if is_paused(target, now) else DecisionReason.BROKEN)


def _left_alone(
    target: Target, attempts: Sequence[Attempt], fleet: Fleet, policy: Policy, now: datetime
) -> Decision | None:
    if target.opted_out:
        return _nothing(DecisionReason.OPTED_OUT)
    if target.episode and target.episode.standing and policy.standing is Standing.IGNORE:
        return _nothing(DecisionReason.STANDING_FAILURE)
    if (reason := _exhausted(target, attempts, policy)) is not None:
        return Decision(DecisionKind.GIVE_UP, reason)
    # While the key may not retry anything, the retry of any failing target may be the one that
    # finds out whether that has changed.
    if fleet.probe_at is None and _forbidden_twice(target, attempts, fleet):
        return Decision(DecisionKind.GIVE_UP, DecisionReason.FORBIDDEN)
    if is_paused(target, now):
        return Decision(DecisionKind.WAIT, DecisionReason.PAUSED, target.paused_until)
    return None


def _exhausted(
    target: Target, attempts: Sequence[Attempt], policy: Policy
) -> DecisionReason | None:
    charged = [a for a in of_episode(target, attempts) if a.outcome.charged]
    if is_permanent(target, of_episode(target, attempts), policy):
        return DecisionReason.CAUSE_PERMANENT
    if len(charged) > 1 and all(a.outcome is Outcome.REFUSED for a in charged[-2:]):
        return DecisionReason.REFUSED_TWICE
    if len(charged) >= policy.max_attempts:
        return DecisionReason.EPISODE_SPENT
    return None


def _forbidden_twice(target: Target, attempts: Sequence[Attempt], fleet: Fleet) -> bool:
    """Whether the key in use was forbidden to retry this deployment twice in a row. A 429 in
    between does not count: it does not say whether the key may retry."""
    since, episode = fleet.forbidden_from, target.episode and target.episode.id
    told = [
        attempt.forbidden_key
        # Attempts are ordered by number, which starts again with each episode: those of the present
        # episode are moved to the end, because they are the latest.
        for attempt in sorted(attempts, key=lambda each: each.episode_id == episode)
        if (attempt.outcome.charged or attempt.forbidden_key is not None)
        and (since is None or attempt.reserved_at > since)
        and attempt.deployment in (None, target.deployment)
    ]
    return len(told) > 1 and all(key == fleet.key_mark for key in told[-2:])


def _target_waits(
    target: Target, attempts: Sequence[Attempt], fleet: Fleet, policy: Policy, now: datetime
) -> list[Wait]:
    """The waits that come from the target's own rules."""
    waits: list[Wait] = []
    due, reason = _own_pace(target, attempts, fleet, policy, now)
    if due > now:
        waits.append((due, reason))
    times = window_times(attempts, now, fleet.date)
    if room := room_at(times, policy.max_attempts_per_window, policy.window, now):
        waits.append((room, DecisionReason.WINDOW_SPENT))
    if policy.allowed_times and (opens := policy.allowed_times.opens_at(now)):
        waits.append((opens, DecisionReason.OUTSIDE_ALLOWED_TIMES))
    return waits


def _own_pace(
    target: Target, attempts: Sequence[Attempt], fleet: Fleet, policy: Policy, now: datetime
) -> tuple[datetime, DecisionReason]:
    own = of_episode(target, attempts)
    cause, since = present_cause(target, own), failed_at(target, own)
    due, reason = backoff.due(target.failing_since or now, own, policy, cause)
    if fleet.diagnosed and policy.causes and cause is None and since is not None:
        due = max(due, since + LONGEST_WAIT_FOR_CAUSE)
    return due, reason


def _fleet_waits(
    attempts: Sequence[Attempt], fleet: Fleet, now: datetime, *, ahead: int
) -> list[Wait]:
    """The waits that come from the fleet's limits, after `ahead` other targets were retried."""
    waits: list[Wait] = []
    limits = fleet.limits
    if fleet.hold is not None:
        waits.append((fleet.hold.until, fleet.hold.reason))
    if fleet.probe_at is not None:
        probe_at = max(fleet.probe_at, now) + ahead * PROBE_INTERVAL
        waits.append((probe_at, DecisionReason.FORBIDDEN))
    # The target's own last attempt may still hold a place, and a target never needs two.
    others = fleet.in_flight - any(attempt.in_flight(now, fleet.date) for attempt in attempts)
    if others + ahead >= limits.max_in_flight:
        waits.append((None, DecisionReason.FLEET_IN_FLIGHT))
    # The targets ahead wait for a place in flight too, and it is not known when one becomes free.
    full = others >= limits.max_in_flight
    for times, limit, span, reason in (
        (
            fleet.sent,
            limits.max_retries_per_minute,
            FLEET_MINUTE,
            DecisionReason.FLEET_MINUTE_SPENT,
        ),
        (
            fleet.charged,
            limits.max_attempts_per_window,
            FLEET_DAY,
            DecisionReason.FLEET_WINDOW_SPENT,
        ),
    ):
        spent = room_at(times, limit, span, now) is not None
        if (spent or not full) and (room := room_at(times, limit, span, now, ahead=ahead)):
            waits.append((room, reason))
    return waits


def _longest(waits: Sequence[Wait], now: datetime) -> Decision:
    """The wait that ends last is shown to operators."""
    timed = [(until, reason) for until, reason in waits if until is not None and until > now]
    if timed:
        until, reason = max(timed)
        return Decision(DecisionKind.WAIT, reason, until)
    endless = [reason for until, reason in waits if until is None]
    return Decision(DecisionKind.WAIT, endless[0]) if endless else Decision(DecisionKind.RETRY)


def _nothing(reason: DecisionReason) -> Decision:
    return Decision(DecisionKind.NOTHING, reason)
