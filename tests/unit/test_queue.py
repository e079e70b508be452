"""First allowed, first served: the places that the fleet's limits leave, and which targets may take
them."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.fakes.records import FLEET, NOW, POLICY, ago, an_attempt, an_episode, failing, refailed
from watchdog.domain.limits import room_at
from watchdog.domain.policy import decide, ready_since
from watchdog.domain.queue import (
    FIRST_ATTEMPT,
    FORBIDDEN_BEFORE,
    LATER_ATTEMPT,
    is_queued,
    places,
    rank,
)
from watchdog.domain.records import (
    Attempt,
    Decision,
    DecisionKind,
    DecisionReason,
    Fleet,
    FleetLimits,
    OpenBreaker,
    Outcome,
    Resolution,
    Target,
)

MINUTE = timedelta(minutes=1)
RETRY = Decision(DecisionKind.RETRY)
PRESUMED = an_attempt(
    resolution=Resolution.REFAILED,
    resolved_at=ago(hours=2),
    presumed=True,
    in_flight_until=NOW + MINUTE,
)


@pytest.mark.parametrize(
    ("ahead", "seconds"), [(0, 20), (1, 45), (2, 80), (3, 105), (4, 140), (9, 285)]
)
def test_each_that_waits_has_a_place_of_its_own(ahead: int, seconds: int) -> None:
    sent = [ago(seconds=40), ago(seconds=15)]
    assert room_at(sent, 2, MINUTE, NOW, ahead=ahead) == NOW + timedelta(seconds=seconds)


def test_there_is_room_now_while_places_are_free() -> None:
    sent = [ago(seconds=40)]
    assert room_at(sent, 3, MINUTE, NOW, ahead=0) is None
    assert room_at(sent, 3, MINUTE, NOW, ahead=1) is None
    assert room_at(sent, 3, MINUTE, NOW, ahead=2) == NOW + timedelta(seconds=20)


@pytest.mark.parametrize(
    ("fleet", "decision"),
    [
        pytest.param(replace(FLEET, ahead=3), RETRY, id="a-place-for-each-of-the-minute"),
        pytest.param(
            replace(FLEET, ahead=4),
            Decision(DecisionKind.WAIT, DecisionReason.FLEET_MINUTE_SPENT, NOW + MINUTE),
            id="the-others-take-the-places-of-the-minute",
        ),
        pytest.param(
            Fleet(FleetLimits(50, 2, 50), in_flight=1, ahead=1),
            Decision(DecisionKind.WAIT, DecisionReason.FLEET_IN_FLIGHT),
            id="another-takes-the-last-place-in-flight",
        ),
        pytest.param(
            Fleet(FleetLimits(4, 2, 50), in_flight=2, ahead=9),
            Decision(DecisionKind.WAIT, DecisionReason.FLEET_IN_FLIGHT),
            id="no-time-from-a-limit-that-is-not-spent-while-no-place-is-free",
        ),
        pytest.param(
            Fleet(FleetLimits(50, 50, 2), charged=(ago(hours=5),), ahead=1),
            Decision(DecisionKind.WAIT, DecisionReason.FLEET_WINDOW_SPENT, NOW + 19 * 60 * MINUTE),
            id="another-takes-the-last-place-of-the-day",
        ),
        pytest.param(
            replace(FLEET, ahead=9, breaker=OpenBreaker(None, canary="m1")), RETRY, id="the-canary"
        ),
    ],
)
def test_what_those_ahead_leave(fleet: Fleet, decision: Decision) -> None:
    assert decide(failing(), [], fleet, POLICY, NOW) == decision


def test_what_a_person_wants_now_does_not_wait_in_the_queue() -> None:
    assert decide(failing(), [], replace(FLEET, ahead=9), POLICY, NOW, forced=True) == RETRY


def test_its_own_presumed_attempt_does_not_keep_a_target_from_its_next_one() -> None:
    fleet = Fleet(FleetLimits(50, 1, 50), in_flight=1)
    assert decide(failing(), [PRESUMED], fleet, POLICY, NOW) == RETRY
    over = replace(PRESUMED, in_flight_until=NOW)
    waits = decide(failing(), [over], fleet, POLICY, NOW)
    assert waits == Decision(DecisionKind.WAIT, DecisionReason.FLEET_IN_FLIGHT)


@pytest.mark.parametrize(
    ("target", "attempts", "since"),
    [
        pytest.param(failing(failing_since=ago(minutes=9)), [], ago(minutes=7), id="first-delay"),
        pytest.param(failing(failing_since=ago(minutes=1)), [], None, id="within-first-delay"),
        pytest.param(failing(), [refailed(ago(minutes=8))], ago(minutes=3), id="backoff"),
        pytest.param(failing(ready_at=ago(hours=1)), [], ago(hours=1), id="as-before"),
        pytest.param(
            failing(paused_until=NOW + MINUTE, ready_at=ago(hours=1)), [], None, id="paused"
        ),
        pytest.param(failing(), [an_attempt()], None, id="under-way"),
        pytest.param(failing(), [an_attempt(Outcome.REFUSED)] * 2, None, id="given-up"),
        pytest.param(failing(missing=True), [], None, id="missing"),
    ],
)
def test_since_when_nothing_but_the_fleet_keeps_it_back(
    target: Target, attempts: Sequence[Attempt], since: datetime | None
) -> None:
    assert ready_since(target, attempts, FLEET, POLICY, NOW) == since


def test_a_target_that_waits_for_itself_is_not_put_off_by_those_ahead() -> None:
    early = failing(failing_since=ago(minutes=1))
    waits = decide(early, [], replace(FLEET, ahead=400), POLICY, NOW)
    assert waits == Decision(DecisionKind.WAIT, DecisionReason.FIRST_DELAY, NOW + MINUTE)
    assert not is_queued(waits)


def test_first_attempts_go_before_later_ones_and_forbidden_ones_last() -> None:
    forbidden = an_attempt(Outcome.FAILED, forbidden_key="k3y")
    dropped = an_attempt(Outcome.ABANDONED)
    assert rank(failing(), []) == FIRST_ATTEMPT
    assert rank(failing(), [refailed(ago(hours=5), episode_id="e0")]) == FIRST_ATTEMPT
    assert rank(failing(), [an_attempt(Outcome.THROTTLED)]) == FIRST_ATTEMPT
    assert rank(failing(), [refailed(ago(hours=5))]) == LATER_ATTEMPT
    assert rank(failing(), [forbidden, dropped]) == FORBIDDEN_BEFORE
    assert rank(failing(), [forbidden, refailed(ago(hours=5))]) == LATER_ATTEMPT
    assert FIRST_ATTEMPT < LATER_ATTEMPT < FORBIDDEN_BEFORE


def test_a_target_about_to_be_retried_has_a_place_in_the_queue_until_it_is() -> None:
    assert is_queued(RETRY)
    assert is_queued(Decision(DecisionKind.WAIT, DecisionReason.FLEET_MINUTE_SPENT))
    assert not is_queued(Decision(DecisionKind.GIVE_UP, DecisionReason.FORBIDDEN))


def test_the_places_of_those_that_wait() -> None:
    waits = Decision(DecisionKind.WAIT, DecisionReason.FLEET_MINUTE_SPENT, NOW + MINUTE)

    def queued(model_id: str, rank: int, minutes: int, **values: Any) -> Target:
        ready_at = ago(minutes=minutes)
        found = failing(model_id=model_id, ready_at=ready_at, queue_rank=rank, decision=waits)
        return replace(found, **values)

    targets = [
        queued("later", LATER_ATTEMPT, 9),
        queued("second", FIRST_ATTEMPT, 5),
        queued("first", FIRST_ATTEMPT, 8),
        queued("unseen", FIRST_ATTEMPT, 9, queue_rank=None),
        queued("missing", FIRST_ATTEMPT, 9, missing=True),
        queued("on-its-way", FIRST_ATTEMPT, 9, decision=RETRY),
    ]
    assert places(targets) == {"first": 1, "second": 2, "later": 3}


@pytest.mark.parametrize(
    ("failing_since", "reason"),
    [(ago(hours=1), DecisionReason.BREAKER_OPEN), (ago(minutes=1), DecisionReason.FIRST_DELAY)],
)
def test_under_the_breaker_only_the_canary_has_a_time(
    failing_since: datetime, reason: DecisionReason
) -> None:
    fleet = replace(FLEET, breaker=OpenBreaker(NOW + MINUTE, canary="m2"))
    decision = decide(failing(failing_since=failing_since), [], fleet, POLICY, NOW)
    assert decision == Decision(DecisionKind.WAIT, reason)


def test_a_standing_failure_keeps_its_reason_under_the_breaker() -> None:
    fleet = replace(FLEET, breaker=OpenBreaker(None))
    paused = failing(paused_until=NOW + MINUTE, episode=an_episode())
    assert decide(paused, [], fleet, POLICY, NOW).reason is DecisionReason.PAUSED
