"""Ledger time: it follows the monotonic clock, whatever the wall clock does."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from freezegun import freeze_time
from freezegun.api import FrozenDateTimeFactory

from watchdog import clock as clock_module
from watchdog.clock import SystemClock

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


class Machine:
    """A machine with two clocks that the test sets."""

    def __init__(self, wall: FrozenDateTimeFactory) -> None:
        self._wall = wall
        self.seconds = 1000.0

    def passes(self, span: timedelta) -> None:
        self._wall.tick(span)
        self.seconds += span.total_seconds()

    def steps(self, span: timedelta) -> None:
        """Move only the wall clock, as NTP, a user or a suspended machine does."""
        self._wall.tick(span)


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Iterator[Machine]:
    with freeze_time(START) as wall:
        assert isinstance(wall, FrozenDateTimeFactory)
        made = Machine(wall)
        monkeypatch.setattr(clock_module, "monotonic", lambda: made.seconds)
        yield made


def test_it_starts_at_the_wall_clock_and_passes_with_it(machine: Machine) -> None:
    clock = SystemClock()
    assert clock.now() == START
    machine.passes(HOUR)
    assert clock.now() == START + HOUR
    assert clock.now().tzinfo is UTC


@pytest.mark.parametrize("step", [HOUR * 24, HOUR * -24, timedelta(seconds=3)])
def test_a_step_of_the_wall_clock_moves_nothing_and_is_reported_once(
    step: timedelta, machine: Machine
) -> None:
    told: list[timedelta] = []
    clock = SystemClock(told.append)
    machine.steps(step)
    assert clock.now() == START
    machine.passes(timedelta(seconds=100))
    # A hundredth of the time that passes goes into adopting the difference.
    assert abs(clock.now() - (START + timedelta(seconds=100))) == timedelta(seconds=1)
    assert told == [step]


def test_a_lasting_difference_is_adopted_in_the_end_without_ever_going_back(
    machine: Machine,
) -> None:
    clock = SystemClock()
    machine.steps(-timedelta(minutes=1))
    last = clock.now()
    for _ in range(200):
        machine.passes(timedelta(minutes=1))
        now = clock.now()
        assert now > last
        last = now
    assert abs(last - datetime.now(UTC)) <= timedelta(seconds=2)


def test_what_ntp_corrects_all_the_time_is_no_drift(machine: Machine) -> None:
    told: list[timedelta] = []
    clock = SystemClock(told.append)
    machine.steps(timedelta(seconds=1.5))
    clock.now()
    assert told == []


def test_the_clock_of_a_server_is_believed_step_and_all(machine: Machine) -> None:
    told: list[timedelta] = []
    clock, ahead = SystemClock(told.append), HOUR * 24
    clock.follow(lambda: datetime.now(UTC) + ahead)
    assert clock.now() == START + ahead
    machine.passes(HOUR)
    assert clock.now() == START + ahead + HOUR
    machine.steps(-HOUR)
    assert clock.now() == START + ahead
    assert told == []
