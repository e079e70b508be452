"""When retries may happen."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

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
        (("* * 29 2 *",), "UTC", "2026-03-01T00:00", "2027-03-02T00:00"),
    ],
)
def test_other_spans(cron: tuple[str, ...], zone: str, now: str, opens: str) -> None:
    assert AllowedTimes(cron, zone).opens_at(utc(now)) == utc(opens)


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
