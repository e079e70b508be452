"""The judgement: what to do about a target now. Everything else serves this."""

from collections.abc import Sequence
from datetime import datetime

from watchdog.domain import backoff
from watchdog.domain.limits import (
    FLEET_DAY,
    FLEET_MINUTE,
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
from watchdog.domain.status import is_paused, is_stuck

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
    """What the policy says about a target now. Total: every input has an answer with a reason.

    `attempts` are those of the target's episode and of its window, oldest first. Nothing is ever
    retried unless the last look saw it failing. `forced`: a person asks, and what is said of this
    target alone does not stop that; the fleet's limits do.
    """
    if target.missing:
        return _nothing(DecisionReason.MISSING)
    if target.health is None:
        return _nothing(DecisionReason.UNOBSERVED)
    if target.health is Health.HEALTHY:
        return _nothing(DecisionReason.HEALTHY)
    if any(attempt.under_way for attempt in attempts):
        return Decision(DecisionKind.WAIT, DecisionReason.ATTEMPT_UNDER_WAY)
    if target.health is not Health.FAILING:
        stuck = is_stuck(target, attempts)
        return _nothing(DecisionReason.STUCK if stuck else _AT_REST[target.health])
    if target.missing_since is not None:
        return _nothing(DecisionReason.MISSING)
    fleet_waits = _fleet_waits(target, fleet, now)
    if forced:
        return _longest(fleet_waits, now)
    if (decision := _left_alone(target, attempts, policy, now)) is not None:
        return decision
    return _longest(_target_waits(target, attempts, policy, now) + fleet_waits, now)


def _left_alone(
    target: Target, attempts: Sequence[Attempt], policy: Policy, now: datetime
) -> Decision | None:
    if target.opted_out:
        return _nothing(DecisionReason.OPTED_OUT)
    if target.episode and target.episode.standing and policy.standing is Standing.IGNORE:
        return _nothing(DecisionReason.STANDING_FAILURE)
    if (reason := _exhausted(target, attempts, policy)) is not None:
        return Decision(DecisionKind.GIVE_UP, reason)
    if is_paused(target, now):
        return Decision(DecisionKind.WAIT, DecisionReason.PAUSED, target.paused_until)
    return None


def _exhausted(
    target: Target, attempts: Sequence[Attempt], policy: Policy
) -> DecisionReason | None:
    charged = [a for a in of_episode(target, attempts) if a.outcome.charged]
    if len(charged) > 1 and all(a.outcome is Outcome.REFUSED for a in charged[-2:]):
        return DecisionReason.REFUSED_TWICE
    if len(charged) >= policy.max_attempts:
        return DecisionReason.EPISODE_SPENT
    return None


def _target_waits(
    target: Target, attempts: Sequence[Attempt], policy: Policy, now: datetime
) -> list[Wait]:
    failing_since = target.failing_since or now
    waits: list[Wait] = [backoff.due(failing_since, of_episode(target, attempts), policy)]
    times = window_times(attempts, now)
    if room := room_at(times, policy.max_attempts_per_window, policy.window, now):
        waits.append((room, DecisionReason.WINDOW_SPENT))
    if policy.allowed_times and (opens := policy.allowed_times.opens_at(now)):
        waits.append((opens, DecisionReason.OUTSIDE_ALLOWED_TIMES))
    return waits


def _fleet_waits(target: Target, fleet: Fleet, now: datetime) -> list[Wait]:
    waits: list[Wait] = []
    limits, breaker = fleet.limits, fleet.breaker
    if breaker is not None and breaker.canary != target.model_id:
        # Past its time it is still open: somebody else is the canary, or none is named yet.
        passed = breaker.until is not None and breaker.until <= now
        waits.append((None if passed else breaker.until, DecisionReason.BREAKER_OPEN))
    if fleet.hold is not None:
        waits.append((fleet.hold.until, fleet.hold.reason))
    if fleet.in_flight >= limits.max_in_flight:
        waits.append((None, DecisionReason.FLEET_IN_FLIGHT))
    if room := room_at(fleet.sent, limits.max_retries_per_minute, FLEET_MINUTE, now):
        waits.append((room, DecisionReason.FLEET_MINUTE_SPENT))
    if room := room_at(fleet.charged, limits.max_attempts_per_window, FLEET_DAY, now):
        waits.append((room, DecisionReason.FLEET_WINDOW_SPENT))
    return waits


def _longest(waits: Sequence[Wait], now: datetime) -> Decision:
    """The wait that ends last is the one that a person should be told."""
    timed = [(until, reason) for until, reason in waits if until is not None and until > now]
    if timed:
        until, reason = max(timed)
        return Decision(DecisionKind.WAIT, reason, until)
    endless = [reason for until, reason in waits if until is None]
    return Decision(DecisionKind.WAIT, endless[0]) if endless else Decision(DecisionKind.RETRY)


def _nothing(reason: DecisionReason) -> Decision:
    return Decision(DecisionKind.NOTHING, reason)
