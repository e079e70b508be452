"""The arithmetic of the limits and of the waits."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes.records import FLEET, NOW, POLICY, ago, an_attempt, failing, healthy, refailed
from watchdog.domain.backoff import backoff
from watchdog.domain.limits import (
    FleetRemaining,
    episode_remaining,
    fleet_from,
    fleet_remaining,
    room_at,
    window_remaining,
)
from watchdog.domain.records import Outcome

MICROSECOND = timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("charged", "minutes"), [(1, 5), (2, 15), (3, 45), (4, 60), (5, 60), (1_000_000, 60)]
)
def test_each_backoff_is_longer_than_the_last_up_to_the_longest(charged: int, minutes: int) -> None:
    assert backoff("e1", charged, POLICY) == timedelta(minutes=minutes)


@given(st.text(), st.integers(1, 50), st.floats(0, 1))
def test_jitter_adds_up_to_its_share_and_is_the_same_for_everybody(
    episode_id: str, charged: int, jitter: float
) -> None:
    plain = backoff(episode_id, charged, POLICY)
    policy = replace(POLICY, jitter=jitter)
    waited = backoff(episode_id, charged, policy)
    assert plain <= waited <= plain * (1 + jitter) + MICROSECOND
    assert waited == backoff(episode_id, charged, policy)


def test_jitter_spreads_episodes_and_attempts() -> None:
    policy = replace(POLICY, jitter=1.0)
    waits = {backoff(f"e{number}", 1, policy) for number in range(100)}
    assert len(waits) == 100
    assert max(waits) - min(waits) > timedelta(minutes=4)


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


def test_what_remains_of_the_fleets_limits() -> None:
    attempts = [
        refailed(ago(hours=2)),
        refailed(ago(hours=25)),
        an_attempt(Outcome.ACCEPTED, sent_at=ago(seconds=10)),
        an_attempt(Outcome.THROTTLED, sent_at=ago(seconds=10)),
        an_attempt(Outcome.FAILED, sent_at=None),
        an_attempt(Outcome.PENDING),
    ]
    left = fleet_remaining(fleet_from(attempts, FLEET.limits, NOW), NOW)
    assert left == FleetRemaining(minute=1, in_flight=8, window=47)
