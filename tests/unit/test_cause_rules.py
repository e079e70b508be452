"""What the cause of a failure means for its retries: when it is proven that none helps, how long a
retry waits for the cause, and which backoff a cause has."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.fakes.records import FLEET, NOW, POLICY, ago, an_attempt, an_episode, failing
from watchdog.domain import backoff
from watchdog.domain.cause_rules import began_at, explained, present_cause
from watchdog.domain.causes import Cause, Explanation, Finding, Sureness
from watchdog.domain.policy import decide
from watchdog.domain.records import (
    Attempt,
    CauseAction,
    CauseRule,
    Decision,
    DecisionKind,
    DecisionReason,
    Outcome,
    Resolution,
    StatusChange,
    Target,
)

MISSING = "ERROR: No matching distribution found for torch==9.9"
FOUND = Finding(Cause.DEPENDENCY, Sureness.CERTAIN, MISSING, "no matching distribution")
DIAGNOSED = replace(FLEET, diagnosed=True)
ONCE = replace(POLICY, causes={Cause.DEPENDENCY: CauseRule(CauseAction.ONCE)})
NEVER = replace(POLICY, causes={Cause.DEPENDENCY: CauseRule(CauseAction.NEVER)})
GIVEN_UP = Decision(DecisionKind.GIVE_UP, DecisionReason.CAUSE_PERMANENT)


def refailed(*, minutes: float, **values: object) -> Attempt:
    """An attempt that began so long ago, and failed a minute later."""
    fields: dict[str, Any] = {
        "reserved_at": ago(minutes=minutes),
        "sent_at": ago(minutes=minutes),
        "resolution": Resolution.REFAILED,
        "resolved_at": ago(minutes=minutes - 1),
        "outcome": Outcome.ACCEPTED,
    }
    return an_attempt(**fields | values)


def explained_target(found: Explanation, **values: object) -> Target:
    return failing(episode=an_episode(explanation=found), failing_since=ago(minutes=9), **values)


def found_at(at: datetime, *, cause: Cause = Cause.DEPENDENCY, proven: bool = False) -> Explanation:
    return Explanation(cause, FOUND.mark, at, proven)


def test_the_first_finding_proves_nothing() -> None:
    episode = explained(an_episode(), [refailed(minutes=20)], FOUND, NOW)
    assert episode.explanation == Explanation(Cause.DEPENDENCY, FOUND.mark, NOW)
    assert episode.cause is Cause.DEPENDENCY
    assert an_episode().cause is Cause.UNKNOWN


@pytest.mark.parametrize(
    ("attempts", "line", "cause", "proven"),
    [
        ([refailed(minutes=5)], MISSING, Cause.DEPENDENCY, True),
        ([refailed(minutes=5)], f"2026-03-01 12:00:07 {MISSING}", Cause.DEPENDENCY, False),
        ([refailed(minutes=5)], "No module named 'x'", Cause.DEPENDENCY, False),
        ([refailed(minutes=5)], MISSING, Cause.NETWORK, False),
        ([], MISSING, Cause.DEPENDENCY, False),
        ([refailed(minutes=15)], MISSING, Cause.DEPENDENCY, False),
        ([refailed(minutes=5, outcome=Outcome.FAILED)], MISSING, Cause.DEPENDENCY, False),
        (
            [refailed(minutes=5, resolution=Resolution.RECOVERED)],
            MISSING,
            Cause.DEPENDENCY,
            False,
        ),
    ],
)
def test_the_same_line_again_after_a_retry_is_proof(
    attempts: list[Attempt], line: str, cause: Cause, proven: bool
) -> None:
    first = an_episode(explanation=found_at(ago(minutes=10)))
    again = explained(first, attempts, replace(FOUND, line=line, cause=cause), NOW)
    assert again.explanation is not None
    assert again.explanation.proven is proven


def test_a_proof_stays_until_another_cause_is_found() -> None:
    proven = an_episode(explanation=found_at(ago(minutes=10), proven=True))
    assert explained(proven, [], FOUND, NOW).explanation == found_at(NOW, proven=True)
    other = explained(proven, [], replace(FOUND, cause=Cause.NETWORK), NOW)
    assert other.explanation is not None
    assert not other.explanation.proven


def test_a_finding_that_comes_late_changes_nothing() -> None:
    newer = an_episode(explanation=found_at(NOW))
    assert explained(newer, [], replace(FOUND, cause=Cause.NETWORK), ago(minutes=1)) == newer


@pytest.mark.parametrize(
    ("one", "another", "same"),
    [
        ("12:00:01 no space left", "13:59:17 no space left", True),
        ("build 9f86d081884c7d65 failed", "build 60303ae22b998861 failed", True),
        ("no module named torch", "no module named numpy", False),
    ],
)
def test_times_and_ids_make_no_other_line(one: str, another: str, same: bool) -> None:
    marks = {replace(FOUND, line=line).mark for line in (one, another)}
    assert (len(marks) == 1) is same


def test_a_cause_found_before_the_present_failure_does_not_explain_it() -> None:
    target = explained_target(found_at(ago(minutes=5)))
    assert present_cause(target, []) is Cause.DEPENDENCY
    assert present_cause(target, [refailed(minutes=4)]) is None
    assert present_cause(replace(target, failing_since=ago(minutes=2)), []) is None


def test_what_is_never_retried_is_given_up_before_the_first_attempt() -> None:
    target = explained_target(found_at(ago(minutes=5)))
    assert decide(target, [], FLEET, NEVER, NOW) == GIVEN_UP
    assert decide(target, [], FLEET, ONCE, NOW) == Decision(DecisionKind.RETRY)
    assert decide(target, [], FLEET, NEVER, NOW, forced=True) == Decision(DecisionKind.RETRY)


def test_what_is_retried_once_is_given_up_when_that_is_proven() -> None:
    proven = explained_target(found_at(ago(minutes=5), proven=True))
    assert decide(proven, [refailed(minutes=8)], FLEET, ONCE, NOW) == GIVEN_UP
    assert decide(proven, [refailed(minutes=8)], FLEET, POLICY, NOW) != GIVEN_UP


def test_a_proof_of_an_earlier_failure_does_not_end_the_retries() -> None:
    proven = explained_target(found_at(ago(minutes=5), proven=True))
    assert decide(proven, [refailed(minutes=4)], FLEET, ONCE, NOW) != GIVEN_UP


def test_a_retry_waits_ten_seconds_for_the_cause_and_no_longer() -> None:
    policy = replace(ONCE, first_delay=timedelta(0))
    target = failing(failing_since=NOW)
    wait = decide(target, [], DIAGNOSED, policy, NOW)
    until = NOW + timedelta(seconds=10)
    assert wait == Decision(DecisionKind.WAIT, DecisionReason.FIRST_DELAY, until)
    assert decide(target, [], DIAGNOSED, policy, until) == Decision(DecisionKind.RETRY)
    known = replace(target, episode=an_episode(explanation=found_at(NOW)))
    assert decide(known, [], DIAGNOSED, policy, NOW) == Decision(DecisionKind.RETRY)


def test_no_retry_waits_for_a_cause_that_changes_nothing_or_that_nobody_reads() -> None:
    target, at_once = failing(failing_since=NOW), timedelta(0)
    for fleet, policy in ((DIAGNOSED, POLICY), (FLEET, ONCE)):
        decision = decide(target, [], fleet, replace(policy, first_delay=at_once), NOW)
        assert decision == Decision(DecisionKind.RETRY)


def test_a_cause_may_have_a_backoff_of_its_own() -> None:
    rule = CauseRule(
        backoff=timedelta(minutes=1), backoff_factor=2, backoff_max=timedelta(minutes=3)
    )
    policy = replace(POLICY, causes={Cause.CAPACITY: rule})
    minutes = [
        backoff.backoff("e1", number, policy, Cause.CAPACITY) / timedelta(minutes=1)
        for number in (1, 2, 3, 9)
    ]
    assert minutes == [1, 2, 3, 3]
    for other in (None, Cause.NETWORK):
        assert backoff.backoff("e1", 1, policy, other) == policy.backoff


def changes(*statuses: tuple[float, str | None]) -> list[StatusChange]:
    return [StatusChange("m1", ago(minutes=minutes), status) for minutes, status in statuses]


GAP = timedelta(minutes=2)


@pytest.mark.parametrize(
    ("history", "sent", "began"),
    [
        ([(90, "ACTIVE"), (20, "BUILDING"), (5, "BUILD_FAILED")], None, 20),
        ([(20, "BUILDING"), (15, "DEPLOYING"), (9, "LOADING_MODEL"), (5, "X")], None, 15),
        ([(90, "BUILDING"), (60, "ACTIVE"), (5, "BUILD_FAILED")], None, 7),
        ([(90, "BUILDING"), (6, "ACTIVE"), (5, "BUILD_FAILED")], None, 6),
        ([(20, "BUILDING"), (5, "BUILD_FAILED")], 3, 3),
        ([(5, "BUILD_FAILED")], None, None),
        ([], 3, 3),
    ],
)
def test_the_evidence_begins_with_the_build_that_failed(
    history: list[tuple[float, str | None]], sent: float | None, began: float | None
) -> None:
    attempts = [] if sent is None else [refailed(minutes=sent)]
    found = began_at(changes(*history), attempts, ago(minutes=5), GAP)
    assert found == (None if began is None else ago(minutes=began))
