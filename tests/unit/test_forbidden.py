"""A retry that the key may not send (HTTP 403), and POSTs that are answered and not charged."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from tests.fakes.records import FLEET, NOW, POLICY, PUSHED, REF, ago, an_attempt, failing, refailed
from watchdog.domain.backoff import due
from watchdog.domain.policy import decide
from watchdog.domain.records import (
    Attempt,
    Decision,
    DecisionKind,
    DecisionReason,
    Fleet,
    Outcome,
)

FORBIDDEN = replace(FLEET, key_mark="k1")
GAVE_UP = Decision(DecisionKind.GIVE_UP, DecisionReason.FORBIDDEN)
RETRY = Decision(DecisionKind.RETRY)


def forbidden(hours: float, key: str = "k1", **values: Any) -> Attempt:
    at = ago(hours=hours)
    return an_attempt(
        Outcome.FAILED,
        **{"reserved_at": at, "sent_at": at, "resolved_at": at, "forbidden_key": key}
        | {"deployment": REF}
        | values,
    )


def throttled(minutes: float) -> Attempt:
    at = ago(minutes=minutes)
    return an_attempt(Outcome.THROTTLED, reserved_at=at, sent_at=at, resolved_at=at)


@pytest.mark.parametrize(
    ("attempts", "decision"),
    [
        pytest.param([forbidden(9)], RETRY, id="once"),
        pytest.param([forbidden(9), forbidden(8)], GAVE_UP, id="twice"),
        pytest.param([forbidden(9), forbidden(8, "k0")], RETRY, id="once-with-another-key"),
        pytest.param([forbidden(9, "k0"), forbidden(8, "k0")], RETRY, id="the-key-has-changed"),
        pytest.param(
            [forbidden(9), refailed(ago(hours=8)), forbidden(7)], RETRY, id="one-sent-between"
        ),
        pytest.param(
            [forbidden(9), throttled(400), forbidden(6)], GAVE_UP, id="a-429-between-says-nothing"
        ),
        pytest.param(
            [forbidden(9), an_attempt(Outcome.ABANDONED, reserved_at=ago(hours=8)), forbidden(7)],
            GAVE_UP,
            id="one-that-was-not-sent-between",
        ),
        pytest.param(
            [forbidden(9, episode_id="e0"), forbidden(8)], GAVE_UP, id="in-another-failure-of-it"
        ),
        pytest.param(
            # In the ledger's order: by number, which begins at 1 with each episode.
            [
                refailed(ago(hours=20), episode_id="e0", number=1),
                forbidden(9, number=1),
                forbidden(8, number=1),
                refailed(ago(hours=15), episode_id="e0", number=2),
            ],
            GAVE_UP,
            id="more-were-sent-for-a-failure-before",
        ),
        pytest.param(
            [forbidden(9, deployment=PUSHED), forbidden(8)], RETRY, id="of-another-deployment"
        ),
    ],
)
def test_two_in_a_row_are_enough(attempts: Sequence[Attempt], decision: Decision) -> None:
    assert decide(failing(), attempts, FORBIDDEN, POLICY, NOW) == decision


def test_what_was_forbidden_while_the_key_might_retry_nothing_says_nothing_of_a_model() -> None:
    attempts = [forbidden(9), forbidden(8)]
    cleared = replace(FORBIDDEN, forbidden_from=ago(hours=8))
    assert decide(failing(), attempts, cleared, POLICY, NOW) == RETRY
    before = replace(FORBIDDEN, forbidden_from=ago(hours=10))
    assert decide(failing(), attempts, before, POLICY, NOW) == GAVE_UP


@pytest.mark.parametrize(
    ("minutes", "decision"),
    [
        pytest.param(
            9,
            Decision(DecisionKind.WAIT, DecisionReason.FORBIDDEN, NOW + timedelta(minutes=9)),
            id="before-the-probe",
        ),
        pytest.param(0, RETRY, id="it-is-the-probe"),
    ],
)
@pytest.mark.parametrize("forced", [False, True])
def test_while_the_key_may_retry_nothing_one_probe_is_sent_at_a_time(
    minutes: int, decision: Decision, forced: bool
) -> None:
    fleet: Fleet = replace(FORBIDDEN, probe_at=NOW + timedelta(minutes=minutes))
    attempts = [forbidden(9), forbidden(8)]
    assert decide(failing(), attempts, fleet, POLICY, NOW, forced=forced) == decision


@pytest.mark.parametrize(
    ("attempts", "minutes"),
    [
        pytest.param([throttled(50)], None, id="after-the-first-429-its-hold-sets-the-pace"),
        pytest.param([throttled(50), throttled(40)], 5 - 40, id="after-the-second-a-backoff"),
        pytest.param([throttled(50), throttled(40), throttled(30)], 15 - 30, id="that-grows"),
        pytest.param([forbidden(1)], 5 - 60, id="after-a-403-a-backoff"),
        pytest.param([forbidden(2), forbidden(1)], 15 - 60, id="that-grows-after-403s"),
        pytest.param([throttled(90), forbidden(1)], 15 - 60, id="whatever-the-answers-were"),
        pytest.param(
            [forbidden(3), forbidden(2), refailed(ago(minutes=30))],
            5 - 30,
            id="until-one-is-charged",
        ),
        pytest.param(
            [
                forbidden(3),
                forbidden(2),
                an_attempt(Outcome.FAILED, sent_at=None, resolved_at=ago(minutes=30)),
            ],
            15 - 30,
            id="one-without-a-connection-ends-nothing",
        ),
    ],
)
def test_posts_that_cost_nothing_have_a_backoff_that_grows(
    attempts: Sequence[Attempt], minutes: float | None
) -> None:
    at, reason = due(ago(days=1), attempts, POLICY)
    if minutes is None:
        assert (at, reason) == (ago(days=1) + POLICY.first_delay, DecisionReason.FIRST_DELAY)
    else:
        assert (at, reason) == (NOW + timedelta(minutes=minutes), DecisionReason.BACKOFF)
