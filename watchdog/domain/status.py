"""What a deployment status means, and what a target is doing, each in one word."""

from collections.abc import Sequence
from datetime import datetime

from watchdog.domain.limits import of_episode
from watchdog.domain.records import (
    Attempt,
    DecisionKind,
    DecisionReason,
    Health,
    Policy,
    Resolution,
    Target,
    TargetState,
)

HEALTHY_STATUSES = frozenset({"ACTIVE", "SCALED_TO_ZERO"})
IN_PROGRESS_STATUSES = frozenset(
    {"BUILDING", "DEPLOYING", "LOADING_MODEL", "UPDATING", "WAKING_UP", "DEACTIVATING"}
)


def health_of(status: str, policy: Policy) -> Health:
    """What a status means to a policy. An unknown status is not retryable: the API may grow."""
    if status in policy.retry_on:
        return Health.FAILING
    if status in HEALTHY_STATUSES:
        return Health.HEALTHY
    if status in IN_PROGRESS_STATUSES:
        return Health.IN_PROGRESS
    return Health.NOT_RETRYABLE


def is_stuck(target: Target, attempts: Sequence[Attempt]) -> bool:
    """Whether the open episode's last attempt had no end, and the target has not failed since."""
    if target.episode is None or not target.episode.open or target.failing_since is not None:
        return False
    own = of_episode(target, attempts)
    return bool(own) and own[-1].resolution is Resolution.STUCK


def is_paused(target: Target, now: datetime) -> bool:
    """Whether a person said hands off."""
    return target.paused_until is not None and target.paused_until > now


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
