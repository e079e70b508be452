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

ASLEEP = "SCALED_TO_ZERO"
DEACTIVATING = "DEACTIVATING"
INACTIVE = "INACTIVE"
BUILD_STOPPED = "BUILD_STOPPED"

HEALTHY_STATUSES = frozenset({"ACTIVE", ASLEEP})
IN_PROGRESS_STATUSES = frozenset(
    {"BUILDING", "DEPLOYING", "LOADING_MODEL", "UPDATING", "WAKING_UP", DEACTIVATING}
)
PARKED_STATUSES = frozenset({BUILD_STOPPED, INACTIVE})
"""An operator brings these about; INACTIVE, also the platform: see `domain.meaning`."""


def health_of(status: str, policy: Policy) -> Health:
    """What a status means to a policy by itself. What is neither well, nor on its way, nor stopped
    by an operator is broken: an unknown status too, as the API may grow."""
    if status in policy.retry_on:
        return Health.FAILING
    if status in HEALTHY_STATUSES:
        return Health.HEALTHY
    if status in IN_PROGRESS_STATUSES:
        return Health.IN_PROGRESS
    return Health.NOT_RETRYABLE if status in PARKED_STATUSES else Health.BROKEN


def is_broken(target: Target) -> bool:
    """Whether it does not work, is not retried, and nobody stopped it: whatever else is so of it, a
    pause or an opt-out included."""
    return target.missing or target.health is Health.BROKEN


def is_slow(target: Target, now: datetime, policy: Policy) -> bool:
    """Whether it has been in progress for longer than `stuck_after`, whoever began that."""
    since = target.in_progress_since
    return since is not None and now - since > policy.stuck_after


def is_stuck(target: Target, attempts: Sequence[Attempt]) -> bool:
    """Whether the open episode's last attempt got stuck and the target has not failed since."""
    if target.episode is None or not target.episode.open or target.failing_since is not None:
        return False
    own = of_episode(target, attempts)
    return bool(own) and own[-1].resolution is Resolution.STUCK


def may_be_ours(target: Target, attempts: Sequence[Attempt]) -> bool:
    """Whether what a target does may be the effect of an attempt of ours: one is under way, or the
    last one got stuck."""
    return any(attempt.under_way for attempt in attempts) or is_stuck(target, attempts)


def is_paused(target: Target, now: datetime) -> bool:
    """Whether a person has said that the watchdog must not retry it."""
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
