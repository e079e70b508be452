"""What a deployment status means (`Health`), and what a target is doing (`TargetState`)."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from watchdog.domain.limits import of_episode
from watchdog.domain.records import (
    UNOBSERVED,
    Attempt,
    Decision,
    DecisionKind,
    DecisionReason,
    Health,
    Policy,
    Resolution,
    Target,
    TargetState,
)

ASLEEP = "SCALED_TO_ZERO"
DEACTIVATING = "DEACTIVATING"
INACTIVE = "INACTIVE"
BUILD_STOPPED = "BUILD_STOPPED"

HEALTHY_STATUSES = frozenset({"ACTIVE", ASLEEP})
IN_PROGRESS_STATUSES = frozenset(
    {"BUILDING", "DEPLOYING", "LOADING_MODEL", "UPDATING", "WAKING_UP", DEACTIVATING}
)
STOPPED_STATUSES = frozenset({BUILD_STOPPED, INACTIVE})
"""The statuses after an operator's act. INACTIVE may also be an act of the platform: see
`domain.meaning`."""


def health_of(status: str, policy: Policy) -> Health:
    """What a status by itself means to a policy. A status that is not failing, healthy, in progress
    or stopped by an operator is broken, also an unknown one: the API may add statuses."""
    if status in policy.retry_on:
        return Health.FAILING
    if status in HEALTHY_STATUSES:
        return Health.HEALTHY
    if status in IN_PROGRESS_STATUSES:
        return Health.IN_PROGRESS
    return Health.NOT_RETRYABLE if status in STOPPED_STATUSES else Health.BROKEN


def is_broken(target: Target) -> bool:
    """Whether it does not work, is not retried, and nobody stopped it. A pause or an opt-out does
    not change that."""
    return target.missing or target.health is Health.BROKEN


def broken_reason(target: Target) -> DecisionReason | None:
    """Why it does not work, if it is broken: the decision's reason may be a pause or an opt-out."""
    if not is_broken(target):
        return None
    return DecisionReason.MISSING if target.missing else DecisionReason.BROKEN


def is_slow(target: Target, now: datetime, policy: Policy) -> bool:
    """Whether it has been in progress for longer than `stuck_after`, whether or not an attempt of
    ours began that."""
    since = target.in_progress_since
    return since is not None and now - since > policy.stuck_after


def is_stuck(target: Target, attempts: Sequence[Attempt]) -> bool:
    """Whether the last attempt of the open episode got stuck, and the target has not been failing
    since."""
    if target.episode is None or not target.episode.open or target.failing_since is not None:
        return False
    own = of_episode(target, attempts)
    return bool(own) and own[-1].resolution is Resolution.STUCK


def may_be_ours(target: Target, attempts: Sequence[Attempt]) -> bool:
    """Whether a target's status may be the effect of our attempt: one is under way, or the last one
    got stuck."""
    return any(attempt.under_way for attempt in attempts) or is_stuck(target, attempts)


def is_paused(target: Target, now: datetime) -> bool:
    """Whether an operator has paused the retries of this target."""
    return target.paused_until is not None and target.paused_until > now


def with_present_pause(target: Target, now: datetime) -> Target:
    """The target with a decision that agrees with its pause. A pause may have begun or ended after
    the last look, and while the API does not answer there is no other look."""
    decision, paused = target.decision, is_paused(target, now)
    if paused is (decision.reason is DecisionReason.PAUSED) or target.missing:
        return target
    if not paused:
        broken = Decision(DecisionKind.NOTHING, DecisionReason.BROKEN)
        return replace(target, decision=broken if is_broken(target) else UNOBSERVED)
    waits = decision.kind in (DecisionKind.WAIT, DecisionKind.RETRY)
    if target.health is Health.FAILING and waits and decision.reason not in _BEFORE_PAUSED:
        held = Decision(DecisionKind.WAIT, DecisionReason.PAUSED, target.paused_until)
        return replace(target, decision=held)
    if decision.reason is DecisionReason.BROKEN:
        return replace(target, decision=Decision(DecisionKind.NOTHING, DecisionReason.PAUSED))
    return target


_BEFORE_PAUSED = (DecisionReason.ATTEMPT_UNDER_WAY, DecisionReason.LEDGER_UNAVAILABLE)
"""Reasons to wait that are shown although the target is paused."""

_URGENCY = {state: rank for rank, state in enumerate(TargetState)}


def urgency(state: TargetState) -> int:
    """0 for the most urgent state."""
    return _URGENCY[state]


def needs_operator(target: Target) -> bool:
    """Whether it stays as it is until an operator acts: the watchdog gave up, or does not retry
    it."""
    gave_up = state_of(target) in (TargetState.EXHAUSTED, TargetState.STUCK)
    return gave_up or is_broken(target)


def state_of(target: Target) -> TargetState:
    """What the target is doing, in one word, as of its last recorded decision."""
    if target.missing:
        return TargetState.MISSING
    if target.health is None:
        return TargetState.UNKNOWN
    match target.decision.reason:
        case DecisionReason.ATTEMPT_UNDER_WAY:
            return TargetState.RECOVERING
        case DecisionReason.STUCK:
            return TargetState.STUCK
        case DecisionReason.PAUSED:
            return TargetState.PAUSED
    if target.opted_out:
        return TargetState.IGNORED
    if target.health is Health.FAILING:
        gave_up = target.decision.kind is DecisionKind.GIVE_UP
        return TargetState.EXHAUSTED if gave_up else TargetState.WAITING
    return TargetState(target.health.value)
