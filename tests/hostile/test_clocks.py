"""The clock and the ticker: what a test of a whole daemon cannot show."""

import asyncio
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest
from freezegun import freeze_time

from tests.fakes.processes import PATIENCE_SECONDS
from watchdog.app.ticking import Ticker
from watchdog.clock import SystemClock
from watchdog.engine.events import Event, InternalError

START = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def _impatient_threads() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("_impatient_threads")
def test_the_loop_and_the_ledgers_thread_may_read_it_at_once() -> None:
    ticks = count()
    last = 0

    def steady() -> float:
        nonlocal last
        last = next(ticks)
        return float(last)

    clock = SystemClock(wall=lambda: START, steady=steady)
    drifted = SystemClock(wall=lambda: START, steady=steady)
    assert drifted.now() > START

    def read() -> None:
        for _ in range(2000):
            clock.now()

    readers = [threading.Thread(target=read) for _ in range(4)]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()
    # Each second that passed is there once, less the hundredth that adopts the wall clock's time.
    passed = (clock.now() - START).total_seconds()
    assert passed == pytest.approx(0.99 * last, rel=0.001)


@pytest.mark.looptime
async def test_a_wall_clock_that_steps_neither_silences_the_ticker_nor_floods_it() -> None:
    runs = 0

    async def job() -> None:
        nonlocal runs
        runs += 1

    with freeze_time(START, real_asyncio=True) as wall:
        ticker = Ticker(lambda _: None)
        ticker.every(timedelta(seconds=1), job)
        ticker.start()
        for step in (timedelta(days=-1), timedelta(days=20_000), timedelta(days=-20_000)):
            await asyncio.sleep(2)  # It is to see the time before the step.
            before = runs
            wall.tick(step)
            await asyncio.sleep(2)
            # The wall clock stands still but for the step, so that one run is due, and no more.
            assert runs == before + 1
        await ticker.stop()


async def test_a_job_under_way_ends_before_the_ticker_does(
    caplog: pytest.LogCaptureFixture,
) -> None:
    began, go_on, ended = asyncio.Event(), asyncio.Event(), asyncio.Event()
    ticker = Ticker(lambda _: None)

    async def job() -> None:
        began.set()
        await go_on.wait()
        ended.set()

    ticker.every(timedelta(milliseconds=10), job)
    ticker.start()
    await asyncio.wait_for(began.wait(), PATIENCE_SECONDS)
    stopping = asyncio.create_task(ticker.stop())
    await asyncio.sleep(0)
    assert not stopping.done()
    go_on.set()
    await asyncio.wait_for(stopping, PATIENCE_SECONDS)
    assert ended.is_set()
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


async def test_a_bug_in_one_run_of_a_job_is_an_event_and_not_the_end_of_the_job() -> None:
    events: list[Event] = []
    ticker, runs = Ticker(events.append), 0
    again = asyncio.Event()

    def job() -> None:
        nonlocal runs
        runs += 1
        if runs == 1:
            raise TypeError("a bug")
        again.set()

    ticker.every(timedelta(milliseconds=10), job)
    ticker.start()
    await asyncio.wait_for(again.wait(), PATIENCE_SECONDS)
    await ticker.stop()
    (event,) = events
    assert isinstance(event, InternalError)
    assert (event.model_id, str(event.error)) == (None, "a bug")
