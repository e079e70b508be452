"""The picture of a day."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from tests.fakes.records import NOW, POLICY, ago, an_attempt, failing, healthy
from watchdog.domain.records import Attempt, Outcome, StatusChange, Target
from watchdog.web.picture import BINS, Picture, Span, draw, spans

START = ago(hours=24)


def change(at: datetime, status: str | None) -> StatusChange:
    return StatusChange("m1", at, status)


def drawn(*found: Span, attempts: tuple[Attempt, ...] = ()) -> Picture:
    return draw(found, attempts, POLICY, START, NOW)


def test_a_day_is_what_was_in_force_and_what_it_changed_to() -> None:
    changes = [
        change(ago(days=9), "ACTIVE"),
        change(ago(hours=3), "BUILD_FAILED"),
        change(ago(hours=1), None),
    ]
    gone = replace(failing(), status=None)
    assert spans(gone, changes, START, NOW) == [
        Span(START, ago(hours=3), "ACTIVE"),
        Span(ago(hours=3), ago(hours=1), "BUILD_FAILED"),
        Span(ago(hours=1), NOW, None),
    ]


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        pytest.param(healthy(status_since=ago(days=9)), [Span(START, NOW, "ACTIVE")], id="all-day"),
        pytest.param(
            healthy(status_since=ago(hours=1)), [Span(ago(hours=1), NOW, "ACTIVE")], id="since-then"
        ),
        pytest.param(Target("m1"), [], id="never-seen"),
    ],
)
def test_without_a_history_the_target_itself_is_asked(target: Target, expected: list[Span]) -> None:
    assert spans(target, [], START, NOW) == expected


def test_what_a_clock_that_was_ahead_wrote_is_left_out() -> None:
    ahead = change(NOW + timedelta(hours=5), "BUILD_FAILED")
    assert spans(healthy(status_since=ago(hours=30)), [ahead], START, NOW) == [
        Span(START, NOW, "ACTIVE")
    ]
    # The target was seen healthy "before" its last change: the times do not give the order.
    last = change(ago(hours=1), "BUILD_FAILED")
    assert spans(healthy(status_since=ago(hours=2)), [last], START, NOW)[-1].end <= NOW


def test_bars_are_as_long_as_they_took_and_as_high_as_they_are_bad() -> None:
    picture = drawn(
        Span(START, ago(hours=12), "ACTIVE"),
        Span(ago(hours=12), ago(hours=6), "BUILDING"),
        Span(ago(hours=6), ago(hours=3), "BUILD_STOPPED"),
        Span(ago(hours=3), NOW, "BUILD_FAILED"),
    )
    assert picture.paths == {
        "healthy": "M0 16v-4h144v4z",
        "in_progress": "M144 16v-8h72v8z",
        "not_retryable": "M216 16v-10h36v10z",
        "failing": "M252 16v-16h36v16z",
    }
    assert picture.text == (
        "Last 24 hours: failing 3h, not retryable 3h, in progress 6h, healthy 12h"
    )


def test_the_shortest_failure_is_seen() -> None:
    moment = ago(hours=12) + timedelta(seconds=100)
    picture = drawn(
        Span(START, moment, "ACTIVE"),
        Span(moment, moment + timedelta(seconds=1), "BUILD_FAILED"),
        Span(moment + timedelta(seconds=1), NOW, "ACTIVE"),
    )
    assert picture.paths["failing"] == "M144 16v-16h1v16z"
    assert picture.paths["healthy"] == "M0 16v-4h144v4zM145 16v-4h143v4z"


def test_what_was_not_seen_is_not_drawn() -> None:
    picture = drawn(Span(START, ago(hours=12), None), Span(ago(hours=12), NOW, "ACTIVE"))
    assert picture.paths == {"healthy": "M144 16v-4h144v4z"}
    assert picture.text == "Last 24 hours: healthy 12h, not seen 12h"
    assert drawn() == Picture({}, "Last 24 hours: nothing seen")


def test_attempts_are_marked_where_they_were_sent() -> None:
    attempts = (
        an_attempt(sent_at=ago(hours=12)),
        an_attempt(sent_at=NOW),
        an_attempt(sent_at=ago(hours=25)),
        an_attempt(Outcome.PENDING),
    )
    picture = drawn(attempts=attempts)
    assert picture.paths == {"sent": "M144 0v16M287 0v16"}
    assert picture.text == "Last 24 hours: 2 retries"


def test_retries_of_one_slot_are_one_mark_and_as_many_retries() -> None:
    moment = ago(hours=12)
    attempts = tuple(an_attempt(sent_at=moment + timedelta(seconds=each)) for each in range(3))
    picture = drawn(attempts=attempts)
    assert picture.paths == {"sent": "M144 0v16"}
    assert picture.text == "Last 24 hours: 3 retries"


def test_without_rules_nothing_is_called_failing() -> None:
    picture = draw([Span(START, NOW, "BUILD_FAILED")], (), None, START, NOW)
    assert list(picture.paths) == ["not_retryable"]


def test_a_target_that_flaps_all_day_is_no_bigger_than_the_picture() -> None:
    statuses = ("ACTIVE", "BUILD_FAILED", "BUILDING")
    changes = [
        change(START + timedelta(minutes=minute), statuses[minute % 3]) for minute in range(1440)
    ]
    picture = drawn(*spans(failing(), changes, START, NOW))
    assert sum(path.count("M") for path in picture.paths.values()) <= BINS
