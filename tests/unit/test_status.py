"""The meaning of a status, and the state of a target, each in one word."""

import re
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tests.fakes.records import NOW, POLICY, ago, failing, healthy
from watchdog.domain.records import (
    UNOBSERVED,
    Decision,
    DecisionKind,
    DecisionReason,
    Health,
    Target,
    TargetState,
)
from watchdog.domain.status import (
    broken_reason,
    health_of,
    is_broken,
    is_slow,
    needs_operator,
    state_of,
    urgency,
    with_present_pause,
)

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
        ("FAILED", Health.BROKEN),
        ("BUILD_STOPPED", Health.NOT_RETRYABLE),
        ("INACTIVE", Health.NOT_RETRYABLE),
        ("UNHEALTHY", Health.BROKEN),
        ("SOMETHING_NEW", Health.BROKEN),
    ],
)
def test_what_a_status_means(status: str, health: Health) -> None:
    assert health_of(status, POLICY) is health


def test_what_is_configured_to_be_retried_is_failing() -> None:
    policy = replace(POLICY, retry_on=frozenset({"BUILD_STOPPED"}))
    assert health_of("BUILD_STOPPED", policy) is Health.FAILING
    assert health_of("BUILD_FAILED", policy) is Health.BROKEN
    unhealthy = replace(POLICY, retry_on=frozenset({"FAILED", "UNHEALTHY"}))
    assert health_of("FAILED", unhealthy) is health_of("UNHEALTHY", unhealthy) is Health.FAILING


UNDER_WAY = Decision(DecisionKind.WAIT, DecisionReason.ATTEMPT_UNDER_WAY)


@pytest.mark.parametrize(
    ("target", "state"),
    [
        (Target("m1"), TargetState.UNKNOWN),
        (failing(missing=True), TargetState.MISSING),
        (healthy(), TargetState.HEALTHY),
        (replace(BUILDING, episode=None), TargetState.IN_PROGRESS),
        (failing(status="INACTIVE", health=Health.NOT_RETRYABLE), TargetState.NOT_RETRYABLE),
        (failing(status="UNHEALTHY", health=Health.BROKEN), TargetState.BROKEN),
        (
            failing(
                status="UNHEALTHY",
                health=Health.BROKEN,
                decision=Decision(DecisionKind.NOTHING, DecisionReason.PAUSED),
            ),
            TargetState.PAUSED,
        ),
        (failing(status="UNHEALTHY", health=Health.BROKEN, opted_out=True), TargetState.IGNORED),
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


@pytest.mark.parametrize(
    ("target", "broken"),
    [
        (failing(missing=True, health=None, status=None), True),
        (failing(status="UNHEALTHY", health=Health.BROKEN), True),
        (failing(health=Health.BROKEN, paused_until=NOW + timedelta(hours=1)), True),
        (failing(health=Health.BROKEN, opted_out=True), True),
        (failing(status="INACTIVE", health=Health.NOT_RETRYABLE), False),
        (failing(), False),
        (healthy(), False),
        (Target("m1"), False),
    ],
)
def test_what_is_broken_whatever_else_is_so_of_it(target: Target, broken: bool) -> None:
    assert is_broken(target) is broken


HOUR = timedelta(hours=1)
BACKING_OFF = Decision(DecisionKind.WAIT, DecisionReason.BACKOFF, NOW + HOUR)
HELD = Decision(DecisionKind.WAIT, DecisionReason.PAUSED, NOW + HOUR)
BROKEN_PAUSED = Decision(DecisionKind.NOTHING, DecisionReason.PAUSED)
BROKEN = Decision(DecisionKind.NOTHING, DecisionReason.BROKEN)
EXHAUSTED = Decision(DecisionKind.GIVE_UP, DecisionReason.EPISODE_SPENT)
UNDER_WAY = Decision(DecisionKind.WAIT, DecisionReason.ATTEMPT_UNDER_WAY)
OPTED_OUT = Decision(DecisionKind.NOTHING, DecisionReason.OPTED_OUT)


@pytest.mark.parametrize(
    ("target", "paused", "shown"),
    [
        (failing(decision=BACKING_OFF), True, HELD),
        (failing(decision=BACKING_OFF), False, BACKING_OFF),
        (failing(decision=HELD), True, HELD),
        (failing(decision=HELD), False, UNOBSERVED),
        (failing(decision=EXHAUSTED), True, EXHAUSTED),
        (failing(decision=UNDER_WAY), True, UNDER_WAY),
        (failing(decision=OPTED_OUT), True, OPTED_OUT),
        (failing(health=Health.BROKEN, decision=BROKEN), True, BROKEN_PAUSED),
        (failing(health=Health.BROKEN, decision=BROKEN_PAUSED), False, BROKEN),
        (failing(health=Health.BROKEN, decision=OPTED_OUT), True, OPTED_OUT),
        (healthy(), True, healthy().decision),
        (failing(missing=True, decision=BACKING_OFF), True, BACKING_OFF),
    ],
)
def test_a_pause_shows_before_the_next_look(target: Target, paused: bool, shown: Decision) -> None:
    target = replace(target, paused_until=NOW + HOUR if paused else NOW - HOUR)
    assert with_present_pause(target, NOW).decision == shown


@pytest.mark.parametrize(
    ("target", "needed"),
    [
        (failing(decision=Decision(DecisionKind.GIVE_UP, DecisionReason.EPISODE_SPENT)), True),
        (
            replace(BUILDING, decision=Decision(DecisionKind.NOTHING, DecisionReason.STUCK)),
            True,
        ),
        (failing(health=Health.BROKEN, paused_until=NOW + timedelta(hours=1)), True),
        (failing(missing=True), True),
        (failing(decision=Decision(DecisionKind.WAIT, DecisionReason.BACKOFF)), False),
        (healthy(), False),
    ],
)
def test_which_target_stays_as_it_is_until_an_operator_acts(target: Target, needed: bool) -> None:
    assert needs_operator(target) is needed


def test_what_needs_an_operator_is_the_most_urgent() -> None:
    by_urgency = sorted(TargetState, key=urgency)
    needed = {TargetState.EXHAUSTED, TargetState.STUCK, TargetState.BROKEN, TargetState.MISSING}
    assert set(by_urgency[:4]) == needed
    assert by_urgency[-1] is TargetState.HEALTHY


def test_what_is_broken_has_a_reason_of_its_own() -> None:
    assert broken_reason(failing()) is None
    assert broken_reason(failing(health=Health.BROKEN)) is DecisionReason.BROKEN
    assert broken_reason(failing(missing=True)) is DecisionReason.MISSING


@pytest.mark.parametrize(
    ("since", "slow"), [(None, False), (ago(minutes=60), False), (ago(minutes=61), True)]
)
def test_which_target_is_in_progress_for_too_long(since: datetime | None, slow: bool) -> None:
    assert is_slow(replace(BUILDING, in_progress_since=since), NOW, POLICY) is slow


_ALL_STATUSES = (
    *("BUILDING", "DEPLOYING", "LOADING_MODEL", "UPDATING", "WAKING_UP", "DEACTIVATING"),
    *("BUILD_FAILED", "DEPLOY_FAILED", "FAILED", "UNHEALTHY", "BUILD_STOPPED", "INACTIVE"),
    *("ACTIVE", "SCALED_TO_ZERO"),
)
"""The fourteen statuses in the API's description."""


def test_the_readme_says_of_each_status_what_the_code_makes_of_it() -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    (table,) = re.findall(
        r"\n\| status \| what the watchdog does \|\n\|[-|]+\|\n((?:\|.*\n)+)", readme
    )
    said: dict[str, str] = {}
    for row in table.splitlines():
        statuses, what = row.strip("| ").split(" | ")
        meaning = re.match(r"[a-z ]+", what)
        assert meaning is not None
        said |= {status: meaning[0].strip() for status in re.findall(r"`(\w+)`", statuses)}
    made = {status: health_of(status, POLICY).value for status in _ALL_STATUSES}
    assert said == {status: health.replace("_", " ") for status, health in made.items()}
