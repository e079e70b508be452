"""When retries may happen."""

import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes.records import FLEET, NOW, POLICY, ago, failing
from watchdog.config.allowed_times import AllowedTimes
from watchdog.domain.policy import decide
from watchdog.domain.records import Decision, DecisionKind, DecisionReason

OFFICE = AllowedTimes(("* 8-17 * * mon-fri",), "Europe/Berlin")


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("now", "opens"),
    [
        pytest.param("2026-01-05T07:00", None, id="monday-8-in-winter"),
        pytest.param("2026-01-05T06:59:59", "2026-01-05T07:00", id="a-second-before"),
        pytest.param("2026-01-05T16:59:59", None, id="the-last-second"),
        pytest.param("2026-01-05T17:00", "2026-01-06T07:00", id="after-work"),
        pytest.param("2026-01-09T17:00", "2026-01-12T07:00", id="friday-evening"),
        pytest.param("2026-07-06T06:00", None, id="monday-8-in-summer"),
        pytest.param("2026-07-06T05:59", "2026-07-06T06:00", id="before-8-in-summer"),
        pytest.param("2026-03-27T17:00", "2026-03-30T06:00", id="over-the-spring-change"),
        pytest.param("2026-10-23T16:00", "2026-10-26T07:00", id="over-the-autumn-change"),
    ],
)
def test_office_hours(now: str, opens: str | None) -> None:
    assert OFFICE.opens_at(utc(now)) == (None if opens is None else utc(opens))


def test_an_hour_that_is_left_out_is_not_there() -> None:
    two = AllowedTimes(("* 2 * * *",), "Europe/Berlin")
    # On 29 March clocks go from 2:00 to 3:00, at 1:00 UTC.
    assert two.opens_at(utc("2026-03-29T00:30")) == utc("2026-03-30T00:00")


def test_an_hour_that_comes_twice_counts_twice() -> None:
    two = AllowedTimes(("* 2 * * *",), "Europe/Berlin")
    # On 25 October clocks go from 3:00 back to 2:00, at 1:00 UTC.
    allowed = [two.opens_at(utc(f"2026-10-25T0{hour}:30")) is None for hour in range(4)]
    assert allowed == [True, True, False, False]


@pytest.mark.parametrize(
    ("cron", "zone", "now", "opens"),
    [
        (("0-29 * * * *",), "UTC", "2026-01-05T07:45", "2026-01-05T08:00"),
        (("0-29 * * * *",), "Asia/Kolkata", "2026-01-05T07:15", "2026-01-05T07:30"),
        (("* 22-23 * * *", "* 0-5 * * *"), "UTC", "2026-01-05T12:00", "2026-01-05T22:00"),
        (("* * 1 * *",), "UTC", "2026-01-05T12:00", "2026-02-01T00:00"),
        (("* * * * sun",), "UTC", "2026-01-05T12:00", "2026-01-11T00:00"),
        (("* * * * 0",), "UTC", "2026-01-05T12:00", "2026-01-11T00:00"),
        (("* * * * 7",), "UTC", "2026-01-05T12:00", "2026-01-11T00:00"),
        (("* * 29 2 *",), "UTC", "2096-03-01T00:00", "2104-02-29T00:00"),
        (("* * * 2 mon#5",), "UTC", "2026-01-05T12:00", "2035-01-12T12:00"),
        (("* * 29 2 *",), "UTC", "2026-03-01T00:00", "2028-02-29T00:00"),
    ],
)
def test_other_spans(cron: tuple[str, ...], zone: str, now: str, opens: str) -> None:
    assert AllowedTimes(cron, zone).opens_at(utc(now)) == utc(opens)


ZONES = ["UTC", "Europe/Berlin", "Australia/Lord_Howe", "Pacific/Kiritimati", "Etc/GMT+12"]
LINES = ["* 8-17 * * mon-fri", "* 2 * * *", "30 * 31 * *", "* * 29 2 *", "* 0 1 1,7 *", "* * * * *"]

moments = st.integers(0, 365 * 86_400).map(
    lambda seconds: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
)


@given(st.sampled_from(LINES), st.sampled_from(ZONES), moments, st.data())
def test_an_answer_is_the_same_whatever_was_asked_before(
    line: str, zone: str, now: datetime, data: st.DataObject
) -> None:
    asked_before = AllowedTimes((line,), zone)
    steps = st.sampled_from([1, 59, 60, 3600, 86_400, 86_400 * 40])
    for _ in range(8):
        opens = AllowedTimes((line,), zone).opens_at(now)
        assert asked_before.opens_at(now) == opens
        if opens is not None and data.draw(st.booleans()):
            now = opens + timedelta(microseconds=data.draw(st.integers(-1, 1)))
        else:
            now += data.draw(st.sampled_from([-1, 1])) * timedelta(seconds=data.draw(steps))
    assert asked_before == AllowedTimes((line,), zone)
    assert hash(asked_before) == hash(AllowedTimes((line,), zone))


@given(st.integers(1, 28), st.integers(1, 12), st.integers(0, 23), st.sampled_from(ZONES), moments)
def test_no_allowed_minute_is_passed_over(
    day: int, month: int, hour: int, zone: str, now: datetime
) -> None:
    def allowed(moment: datetime) -> bool:
        local = moment.astimezone(ZoneInfo(zone))
        return (local.month, local.day, local.hour) == (month, day, hour)

    opens = AllowedTimes((f"* {hour} {day} {month} *",), zone).opens_at(now) or now
    assert allowed(opens)
    quarters = [timedelta(minutes=15) * number for number in range(3 * 24 * 4)]
    before = {now + each for each in quarters} | {
        opens - timedelta(minutes=1) - q for q in quarters
    }
    assert [each for each in before if now <= each < opens and allowed(each)] == []


@pytest.mark.parametrize(
    ("cron", "zone", "says"),
    [
        ("* * * *", "UTC", "five fields"),
        ("0 * * * * *", "UTC", "five fields"),
        ("99 * * * *", "UTC", "Bad minute"),
        ("* * * * noday", "UTC", "Bad day-of-week"),
        ("* * 31 feb *", "UTC", "Bad day-of-month"),
        ("* * * * *", "Mars/Olympus", "no time zone"),
        ("* * * * *", "", "no time zone"),
        ("* * * * *", "../etc/passwd", "no time zone"),
    ],
)
def test_what_makes_no_sense(cron: str, zone: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        AllowedTimes((cron,), zone)


def test_outside_them_a_target_waits_until_they_begin() -> None:
    closed = replace(POLICY, allowed_times=AllowedTimes(("* 3 * * *",), "UTC"))
    target = failing(failing_since=ago(hours=5))
    opens = NOW.replace(hour=3, minute=0) + timedelta(days=1)
    assert decide(target, [], FLEET, closed, NOW) == Decision(
        DecisionKind.WAIT, DecisionReason.OUTSIDE_ALLOWED_TIMES, opens
    )
    assert decide(target, [], FLEET, closed, opens).kind is DecisionKind.RETRY
    assert decide(target, [], FLEET, closed, NOW, forced=True).kind is DecisionKind.RETRY


def _calls(times: AllowedTimes, now: datetime) -> int:
    """How many calls of functions an answer takes."""
    calls = 0

    def count(_frame: object, event: str, _argument: object) -> None:
        nonlocal calls
        calls += event == "call"

    sys.setprofile(count)
    try:
        times.opens_at(now)
    finally:
        sys.setprofile(None)
    return calls


def test_a_rare_opening_is_looked_for_once_and_again_when_the_clock_is_set_back() -> None:
    rare, now = AllowedTimes(("* * 29 2 *",), "Europe/Berlin"), utc("2026-03-01T00:00")
    first = _calls(rare, now)
    assert first > 500
    assert [_calls(rare, now + timedelta(days=each)) for each in (1, 30, 365, 1)] == [1] * 4
    assert _calls(rare, now - timedelta(days=1)) > 500
