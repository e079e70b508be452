"""The arithmetic of the limits."""

from dataclasses import astuple, fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes.records import FLEET, NOW, POLICY, ago, an_attempt, failing, healthy, refailed
from tests.fakes.usage import fleet_from
from watchdog.domain.limits import (
    FLEET_DAY,
    FLEET_MINUTE,
    FleetRemaining,
    counting,
    counts_at,
    episode_remaining,
    fleet_remaining,
    room_at,
    window_remaining,
)
from watchdog.domain.policy import decide
from watchdog.domain.records import DecisionReason, Fleet, FleetLimits, Outcome, Resolution

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


def test_what_remains_is_known_of_each_limit_of_the_fleet() -> None:
    limits = FleetLimits(*range(1, 1 + len(fields(FleetLimits))))
    assert astuple(fleet_remaining(Fleet(limits), NOW)) == astuple(limits)


def test_a_reset_begins_a_new_window() -> None:
    old = an_attempt(sent_at=ago(hours=30), id="old", episode_id="e0")
    cleared = an_attempt(sent_at=ago(hours=5), id="cleared", episode_id="e0")
    recent = an_attempt(sent_at=ago(hours=2), id="recent", episode_id="e0")
    own = an_attempt(sent_at=ago(hours=40), id="own")
    pending = an_attempt(Outcome.PENDING, id="pending", episode_id="e0", reserved_at=ago(hours=9))
    every = (own, old, cleared, recent, pending)

    def counted(window_since: datetime | None) -> list[str]:
        target = failing(window_since=window_since)
        return [each.id for each in counting(target, every, POLICY, NOW)]

    assert counted(None) == ["own", "cleared", "recent", "pending"]
    assert counted(ago(hours=3)) == ["own", "recent", "pending"]
    assert counted(NOW) == ["own", "pending"]
    assert counted(ago(hours=30)) == ["own", "cleared", "recent", "pending"]
    assert counted(ago(hours=-30)) == ["own", "cleared", "recent", "pending"]
    assert counted(ago(hours=2)) == ["own", "recent", "pending"]


def test_without_an_episode_only_what_is_in_the_window_counts() -> None:
    old = an_attempt(sent_at=NOW - POLICY.window - MICROSECOND, id="old")
    recent = an_attempt(sent_at=ago(hours=1), id="recent")
    assert counting(healthy(), [old, recent], POLICY, NOW) == (recent,)


def test_an_attempt_stays_at_hand_for_a_moment_longer_than_it_counts() -> None:
    just = an_attempt(sent_at=NOW - POLICY.window, episode_id="e0")
    assert counting(failing(), [just], POLICY, NOW) == (just,)
    assert window_remaining([just], POLICY, NOW) == 6
    assert (
        window_remaining([replace(just, sent_at=NOW - POLICY.window + MICROSECOND)], POLICY, NOW)
        == 5
    )


def test_what_is_exactly_a_span_old_leaves_its_limit() -> None:
    fleet = replace(FLEET, sent=(NOW - FLEET_MINUTE,), charged=(NOW - FLEET_DAY,))
    assert fleet_remaining(fleet, NOW) == fleet_remaining(FLEET, NOW)


def test_in_a_window_too_an_attempt_from_the_future_counts_as_of_when_that_was_noticed() -> None:
    ahead = an_attempt(sent_at=ago(hours=-1), ahead_since=NOW - POLICY.window)
    assert window_remaining([ahead], POLICY, NOW) == 6
    assert window_remaining([replace(ahead, ahead_since=None)], POLICY, NOW) == 5


def test_a_reset_stays_though_the_clock_jumped_ahead_before_it() -> None:
    cleared = an_attempt(
        sent_at=ago(hours=25), episode_id="e0", api_date=DATE - timedelta(minutes=1)
    )
    assert counting(failing(), [cleared], POLICY, NOW, DATE) == (cleared,)
    assert counting(failing(window_since=ago(minutes=1)), [cleared], POLICY, NOW, DATE) == ()


DATE = NOW + timedelta(days=400)
"""The API's clock at NOW: far from ours, which must have no effect."""


def _spans(most: int) -> st.SearchStrategy[timedelta]:
    return st.integers(-most, most).map(lambda seconds: timedelta(seconds=seconds))


@given(_spans(90_000), _spans(80_000))
def test_it_leaves_a_window_when_both_clocks_say_so(
    by_ledger: timedelta, by_api: timedelta
) -> None:
    age = min(max(by_ledger, timedelta(0)), max(by_api, timedelta(0)))
    assert counts_at(NOW - by_ledger, NOW, api_date=DATE - by_api, date=DATE) == NOW - age


@pytest.mark.parametrize(
    ("api_date", "date"),
    [(None, None), (DATE, None), (None, DATE), (DATE + FLEET_DAY + timedelta(seconds=1), DATE)],
    ids=["none", "not-at-the-present-look", "not-at-that-look", "a-date-that-cannot-be"],
)
def test_without_the_apis_date_the_ledgers_time_alone_counts(
    api_date: datetime | None, date: datetime | None
) -> None:
    assert counts_at(ago(hours=3), NOW, api_date=api_date, date=date) == ago(hours=3)


@pytest.mark.parametrize(
    "date", [datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC)]
)
def test_no_date_is_too_much_to_reckon_with(date: datetime) -> None:
    assert counts_at(ago(hours=1), NOW, api_date=date, date=DATE) == ago(hours=1)
    assert counts_at(ago(hours=1), NOW, api_date=DATE, date=date) == ago(hours=1)


@pytest.mark.parametrize(
    ("ahead_since", "at"),
    [(None, NOW), (ago(minutes=3), ago(minutes=3)), (ago(minutes=-3), NOW)],
    ids=["nobody-noticed", "noticed-then", "noticed-by-a-clock-that-was-ahead"],
)
def test_what_lies_in_the_future_counts_as_of_when_that_was_noticed(
    ahead_since: datetime | None, at: datetime
) -> None:
    assert counts_at(ago(days=-1), NOW, ahead_since=ahead_since) == at
    # Once the clock is right again, it counts from the time when it was sent.
    later = NOW + timedelta(days=1, minutes=1)
    assert counts_at(ago(days=-1), later, ahead_since=ahead_since) == ago(days=-1)


def test_what_was_sent_just_now_counts_as_now_whatever_was_noticed_before() -> None:
    assert counts_at(NOW, NOW, ahead_since=ago(minutes=3)) == NOW


def test_an_apis_clock_that_was_set_back_by_a_whole_day_still_frees_no_limit() -> None:
    assert counts_at(ago(hours=3), NOW, api_date=DATE + FLEET_DAY, date=DATE) == NOW


def test_a_jump_ahead_frees_no_limit() -> None:
    limits = FleetLimits(max_retries_per_minute=1, max_in_flight=5, max_attempts_per_window=1)
    earlier = an_attempt(
        sent_at=ago(hours=25),
        resolved_at=ago(hours=25),
        api_date=DATE - timedelta(seconds=20),
    )
    assert window_remaining([earlier], POLICY, NOW, DATE) == 5
    assert window_remaining([earlier], POLICY, NOW, None) == 6
    fleet = fleet_from([earlier], limits, NOW, date=DATE)
    assert fleet_remaining(fleet, NOW) == FleetRemaining(minute=0, in_flight=5, window=0)
    assert room_at(fleet.sent, 1, FLEET_MINUTE, NOW) == NOW + timedelta(seconds=40)
    policy = replace(POLICY, max_attempts_per_window=1)
    decision = decide(failing(), [earlier], replace(FLEET, date=DATE), policy, NOW)
    assert (decision.reason, decision.until) == (
        DecisionReason.WINDOW_SPENT,
        NOW + timedelta(hours=24) - timedelta(seconds=20),
    )


@pytest.mark.parametrize(
    ("reserved_at", "ahead_since", "age"),
    [
        (ago(seconds=90), None, timedelta(seconds=90)),
        (ago(seconds=90), ago(seconds=30), timedelta(seconds=90)),
        (ago(minutes=-60), ago(seconds=30), timedelta(seconds=30)),
        (ago(minutes=-60), None, timedelta(minutes=-60)),
        (NOW, ago(seconds=30), timedelta(0)),
    ],
)
def test_how_old_a_reservation_is_after_the_clock_was_set_back(
    reserved_at: datetime, ahead_since: datetime | None, age: timedelta
) -> None:
    attempt = an_attempt(reserved_at=reserved_at, ahead_since=ahead_since)
    assert attempt.reserved_for(NOW) == age


SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)
STUCK = {"resolution": Resolution.STUCK, "resolved_at": ago(minutes=5)}
PRESUMED = {"resolution": Resolution.REFAILED, "resolved_at": NOW, "presumed": True}
REFAILED = {"resolution": Resolution.REFAILED, "resolved_at": NOW}


@pytest.mark.parametrize(
    ("ended", "left", "holds"),
    [
        pytest.param({}, SECOND, True, id="under-way"),
        pytest.param({}, timedelta(0), False, id="its-time-is-just-over"),
        pytest.param(PRESUMED, SECOND, True, id="only-presumed-to-have-failed"),
        pytest.param(STUCK, SECOND, False, id="stuck"),
        pytest.param(REFAILED, SECOND, False, id="seen-to-fail"),
    ],
)
def test_an_attempt_whose_end_was_not_seen_holds_its_place_until_its_time_is_over(
    ended: dict[str, Any], left: timedelta, holds: bool
) -> None:
    assert an_attempt(in_flight_until=NOW + left, **ended).in_flight(NOW) is holds


def test_an_attempt_without_a_time_of_its_own_holds_its_place_for_a_day() -> None:
    reserved = an_attempt()
    assert reserved.in_flight(reserved.reserved_at + FLEET_DAY - SECOND)
    assert not reserved.in_flight(reserved.reserved_at + FLEET_DAY)


@pytest.mark.parametrize(
    ("ended", "api_date", "date", "holds"),
    [
        pytest.param({}, DATE, DATE, True, id="under-way"),
        pytest.param(STUCK, DATE, DATE, True, id="stuck-by-a-clock-that-jumped-ahead"),
        pytest.param(REFAILED, DATE, DATE, False, id="its-failure-was-seen"),
        pytest.param(PRESUMED, DATE, DATE, False, id="it-was-presumed-to-have-failed"),
        pytest.param({}, DATE - HOUR + SECOND, DATE, True, id="a-second-less-than-its-time"),
        pytest.param({}, DATE - HOUR, DATE, False, id="just-its-time"),
        pytest.param({}, DATE, None, False, id="no-date-at-the-present-look"),
        pytest.param({}, None, DATE, False, id="no-date-at-the-look-before-it"),
        pytest.param({}, DATE + FLEET_DAY, DATE, True, id="the-apis-clock-was-set-back-by-a-day"),
        pytest.param({}, DATE + FLEET_DAY + SECOND, DATE, False, id="a-date-that-cannot-be"),
    ],
)
def test_after_a_jump_of_the_ledgers_clock_the_apis_clock_says_who_holds_a_place(
    ended: dict[str, Any], api_date: datetime | None, date: datetime | None, holds: bool
) -> None:
    attempt = an_attempt(
        reserved_at=NOW - HOUR - SECOND, in_flight_until=NOW - SECOND, api_date=api_date, **ended
    )
    assert attempt.in_flight(NOW, date) is holds
