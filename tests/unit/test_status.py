"""What a status means, and what a target is doing, each in one word."""

from dataclasses import replace

import pytest

from tests.fakes.records import POLICY, failing, healthy
from watchdog.domain.records import (
    Decision,
    DecisionKind,
    DecisionReason,
    Health,
    Target,
    TargetState,
)
from watchdog.domain.status import health_of, state_of

BUILDING = failing(status="BUILDING", health=Health.IN_PROGRESS, failing_since=None)


@pytest.mark.parametrize(
    ("status", "health"),
    [
        ("BUILD_FAILED", Health.FAILING),
        ("DEPLOY_FAILED", Health.FAILING),
        ("ACTIVE", Health.HEALTHY),
        ("SCALED_TO_ZERO", Health.HEALTHY),
        ("BUILDING", Health.IN_PROGRESS),
        ("DEPLOYING", Health.IN_PROGRESS),
        ("LOADING_MODEL", Health.IN_PROGRESS),
        ("UPDATING", Health.IN_PROGRESS),
        ("WAKING_UP", Health.IN_PROGRESS),
        ("DEACTIVATING", Health.IN_PROGRESS),
        ("FAILED", Health.NOT_RETRYABLE),
        ("BUILD_STOPPED", Health.NOT_RETRYABLE),
        ("INACTIVE", Health.NOT_RETRYABLE),
        ("UNHEALTHY", Health.NOT_RETRYABLE),
        ("SOMETHING_NEW", Health.NOT_RETRYABLE),
    ],
)
def test_what_a_status_means(status: str, health: Health) -> None:
    assert health_of(status, POLICY) is health


def test_what_is_configured_to_be_retried_is_failing() -> None:
    policy = replace(POLICY, retry_on=frozenset({"BUILD_STOPPED"}))
    assert health_of("BUILD_STOPPED", policy) is Health.FAILING
    assert health_of("BUILD_FAILED", policy) is Health.NOT_RETRYABLE


UNDER_WAY = Decision(DecisionKind.WAIT, DecisionReason.ATTEMPT_UNDER_WAY)


@pytest.mark.parametrize(
    ("target", "state"),
    [
        (Target("m1"), TargetState.UNKNOWN),
        (failing(missing=True), TargetState.MISSING),
        (healthy(), TargetState.HEALTHY),
        (replace(BUILDING, episode=None), TargetState.IN_PROGRESS),
        (failing(status="UNHEALTHY", health=Health.NOT_RETRYABLE), TargetState.NOT_RETRYABLE),
        (replace(BUILDING, decision=UNDER_WAY), TargetState.RECOVERING),
        (failing(decision=UNDER_WAY), TargetState.RECOVERING),
        (
            replace(BUILDING, decision=Decision(DecisionKind.NOTHING, DecisionReason.STUCK)),
            TargetState.STUCK,
        ),
        (
            failing(decision=Decision(DecisionKind.WAIT, DecisionReason.PAUSED)),
            TargetState.PAUSED,
        ),
        (
            failing(decision=Decision(DecisionKind.WAIT, DecisionReason.BACKOFF)),
            TargetState.WAITING,
        ),
        (
            failing(decision=Decision(DecisionKind.NOTHING, DecisionReason.STANDING_FAILURE)),
            TargetState.WAITING,
        ),
        (
            failing(decision=Decision(DecisionKind.GIVE_UP, DecisionReason.EPISODE_SPENT)),
            TargetState.EXHAUSTED,
        ),
        (failing(opted_out=True), TargetState.IGNORED),
    ],
)
def test_the_state_in_one_word(target: Target, state: TargetState) -> None:
    assert state_of(target) is state
