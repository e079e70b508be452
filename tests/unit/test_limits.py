"""The arithmetic of the limits."""

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes.records import FLEET, NOW, POLICY, ago, an_attempt, failing, healthy, refailed
from watchdog.domain.limits import (
    FleetRemaining,
    episode_remaining,
    fleet_from,
    fleet_remaining,
    room_at,
    window_remaining,
    window_starts,
)
from watchdog.domain.records import FleetLimits, Outcome

MICROSECOND = timedelta(microseconds=1)


@given(
    st.lists(st.integers(-500, 500).map(lambda s: ago(seconds=s)), min_size=1, max_size=20),
    st.integers(1, 10),
    st.integers(1, 500).map(lambda s: timedelta(seconds=s)),
)
def test_there_is_room_exactly_from_the_moment_that_it_says(
    times: list[datetime], limit: int, span: timedelta
) -> None:
    room = room_at(times, limit, span, NOW)
    if room is None:
        assert sum(time + span > NOW for time in times) < limit
        return
    assert room > NOW
    past = [min(time, NOW) for time in times]
    assert room_at(past, limit, span, room) is None
    assert room_at(past, limit, span, room - MICROSECOND) is not None


@pytest.mark.parametrize(
    ("outcome", "sent", "charged"),
    [
        pytest.param(Outcome.PENDING, True, True, id="it-may-be-sent-at-any-moment"),
        pytest.param(Outcome.ACCEPTED, True, True, id="accepted"),
        pytest.param(Outcome.REFUSED, True, True, id="refused"),
        pytest.param(Outcome.UNKNOWN, True, True, id="it-may-have-been-executed"),
        pytest.param(Outcome.DRY_RUN, True, True, id="it-stands-for-a-post"),
        pytest.param(Outcome.THROTTLED, True, False, id="throttled"),
        pytest.param(Outcome.FAILED, True, False, id="sent-and-surely-not-executed"),
        pytest.param(Outcome.FAILED, False, False, id="not-even-sent"),
        pytest.param(Outcome.ABANDONED, False, False, id="never-sent"),
    ],
)
def test_what_counts_in_the_fleets_minute_and_what_is_charged(
    outcome: Outcome, sent: bool, charged: bool
) -> None:
    attempt = an_attempt(outcome, sent_at=NOW if sent else None)
    left = fleet_remaining(fleet_from([attempt], FLEET.limits, NOW), NOW)
    assert (left.minute, left.window) == (4 - sent, 50 - charged)
    assert episode_remaining(failing(), [attempt], POLICY) == 4 - charged
    assert window_remaining([attempt], POLICY, NOW) == 6 - charged


def test_what_is_pending_counts_as_now() -> None:
    old = ago(days=3)
    pending = an_attempt(Outcome.PENDING, reserved_at=old)
    assert window_remaining([pending], POLICY, NOW) == 5
    fleet = fleet_from([pending], FLEET.limits, NOW)
    assert (fleet.sent, fleet.charged) == ((NOW,), (NOW,))


def test_what_remains_of_a_targets_limits() -> None:
    attempts = [
        refailed(ago(hours=30), episode_id="e0"),
        refailed(ago(hours=3), episode_id="e0"),
        refailed(ago(hours=2)),
        an_attempt(Outcome.THROTTLED),
    ]
    assert episode_remaining(failing(), attempts, POLICY) == 3
    assert episode_remaining(healthy(), attempts, POLICY) == 4
    assert window_remaining(attempts, POLICY, NOW) == 4
    assert window_remaining(attempts * 5, POLICY, NOW) == 0


def test_when_a_limit_is_lowered_below_what_was_used_nothing_remains() -> None:
    attempts = [an_attempt(model_id=f"m{n}", sent_at=ago(seconds=1)) for n in range(9)]
    limits = FleetLimits(max_retries_per_minute=4, max_in_flight=5, max_attempts_per_window=6)
    left = fleet_remaining(fleet_from(attempts, limits, NOW), NOW)
    assert left == FleetRemaining(minute=0, in_flight=0, window=0)
    assert episode_remaining(failing(), attempts, POLICY) == 0
    assert window_remaining(attempts, POLICY, NOW) == 0


def test_what_remains_of_the_fleets_limits() -> None:
    attempts = [
        refailed(ago(hours=2)),
        refailed(ago(hours=25)),
        an_attempt(Outcome.ACCEPTED, sent_at=ago(seconds=10)),
        an_attempt(Outcome.THROTTLED, sent_at=ago(seconds=10)),
        an_attempt(Outcome.FAILED, sent_at=None),
        an_attempt(Outcome.PENDING, model_id="m2"),
    ]
    left = fleet_remaining(fleet_from(attempts, FLEET.limits, NOW), NOW)
    assert left == FleetRemaining(minute=1, in_flight=8, window=47)


def test_a_reset_begins_a_new_window() -> None:
    assert window_starts(failing(), POLICY, NOW) == ago(hours=24)
    assert window_starts(failing(window_since=ago(hours=3)), POLICY, NOW) == ago(hours=3)
    assert window_starts(failing(window_since=NOW), POLICY, NOW) == NOW
    assert window_starts(failing(window_since=ago(hours=30)), POLICY, NOW) == ago(hours=24)
    assert window_starts(failing(window_since=ago(hours=-30)), POLICY, NOW) == ago(hours=24)
