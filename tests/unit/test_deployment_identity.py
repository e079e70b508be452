"""Which deployment stands in the slot: its id, and when it was made, to the second."""

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.fakes.records import NOW, POLICY, REF, TIMING, ago, an_attempt, failing
from watchdog.domain.effects import named_in_answer
from watchdog.domain.records import DeploymentRef, Observation, Outcome
from watchdog.domain.step import Happening
from watchdog.domain.transition import observe

FRACTION = timedelta(microseconds=123_456)


def precise(ref: DeploymentRef) -> DeploymentRef:
    """The same time from an API that gives fractions of a second."""
    return replace(ref, created_at=ref.created_at + FRACTION)


@pytest.mark.parametrize(
    ("other", "same"),
    [
        (precise(REF), True),
        (replace(REF, created_at=REF.created_at + timedelta(microseconds=999_999)), True),
        (replace(REF, created_at=REF.created_at + timedelta(seconds=1)), False),
        (replace(REF, created_at=REF.created_at - timedelta(microseconds=1)), False),
        (replace(precise(REF), id="d2"), False),
    ],
)
def test_moments_are_compared_to_the_second(other: DeploymentRef, same: bool) -> None:
    assert (other == REF) is same
    assert len({other, REF}) == (1 if same else 2)


def test_fractions_in_turns_replace_nothing() -> None:
    target = failing()
    for second, ref in enumerate([precise(REF), REF] * 3):
        at = NOW + timedelta(minutes=second)
        step = observe(target, [], Observation("BUILD_FAILED", ref, at), POLICY, TIMING)
        assert Happening.REPLACED not in step.happened
        assert step.ended is None
        target = step.target
    assert target.episode == failing().episode


def test_the_answer_to_our_own_post_with_a_fraction_names_the_same_deployment() -> None:
    attempt = an_attempt(Outcome.ACCEPTED)
    step = named_in_answer(failing(), [attempt], attempt.id, precise(REF))
    assert (step.target, step.attempts) == (failing(), ())


def test_a_push_is_still_seen() -> None:
    pushed = Observation("BUILD_FAILED", DeploymentRef(REF.id, ago(minutes=1)), NOW)
    assert Happening.REPLACED in observe(failing(), [], pushed, POLICY, TIMING).happened
