"""The arithmetic of the waits."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes.records import POLICY, ago, refailed
from watchdog.domain.backoff import backoff, due
from watchdog.domain.records import DecisionReason

MICROSECOND = timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("charged", "minutes"), [(0, 5), (1, 5), (2, 15), (3, 45), (4, 60), (5, 60), (1_000_000, 60)]
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


durations = st.timedeltas(timedelta(milliseconds=1), timedelta(days=3650))


@given(
    st.text(),
    st.lists(durations, min_size=2, max_size=2).map(sorted),
    st.floats(1, 100),
    st.floats(0, 1),
    st.integers(1, 30),
)
def test_waits_never_shrink_below_the_longest_where_jitter_cannot_outgrow_the_factor(
    episode_id: str, bounds: list[timedelta], factor: float, jitter: float, charged: int
) -> None:
    shortest, longest = bounds
    policy = replace(
        POLICY,
        backoff=shortest,
        backoff_max=longest,
        backoff_factor=factor,
        jitter=min(jitter, factor - 1),
    )
    wait, following = (backoff(episode_id, number, policy) for number in (charged, charged + 1))
    assert following >= min(wait, longest) - MICROSECOND
    assert shortest <= wait <= longest * (1 + policy.jitter) + MICROSECOND


def test_jitter_spreads_episodes_and_attempts() -> None:
    policy = replace(POLICY, jitter=1.0)
    waits = {backoff(f"e{number}", 1, policy) for number in range(100)}
    assert len(waits) == 100
    assert max(waits) - min(waits) > timedelta(minutes=4)


def test_the_backoff_is_that_of_the_episode_and_of_the_number_of_its_charged_attempts() -> None:
    policy = replace(POLICY, jitter=1.0)
    attempts = [refailed(ago(hours=3)), refailed(ago(hours=1))]
    moment, reason = due(ago(hours=1), attempts, policy)
    assert moment == ago(hours=1) + backoff(attempts[-1].episode_id, 2, policy)
    assert reason is DecisionReason.BACKOFF
