"""Starting the periodic jobs, whatever the wall clock does."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.base import BaseTrigger

from watchdog.engine.events import InternalError
from watchdog.engine.ports import Listener

_STEP_CHECK_SECONDS = 1


class Ticker:
    """Starts periodic jobs by APScheduler. That uses the wall clock, so this class corrects it when
    the clock is set back.

    If the clock steps back a day, APScheduler starts nothing for a day. If it jumps from 1970 to
    now, APScheduler lists 2e9 missed runs.
    """

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._scheduler = AsyncIOScheduler(
            timezone=UTC,
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
        )
        self._watching_steps: asyncio.Task[None] | None = None
        self._under_way: set[asyncio.Event] = set()

    def every(
        self, interval: timedelta, job: Callable[..., Awaitable[None] | None], *args: object
    ) -> None:
        """Start `job` after each interval. It is not started while its last run is still running. A
        bug in one run becomes an event and does not stop later runs."""

        async def run() -> None:
            ended = asyncio.Event()
            self._under_way.add(ended)
            try:
                if (result := job(*args)) is not None:
                    await result
            except Exception as error:  # noqa: BLE001 - see above
                self._listener(InternalError(model_id=None, error=error))
            finally:
                self._under_way.discard(ended)
                ended.set()

        self._scheduler.add_job(run, _Every(interval))

    def start(self) -> None:
        self._scheduler.start()
        self._watching_steps = asyncio.create_task(self._watch_for_steps_back(), name="ticker")

    async def stop(self) -> None:
        """Start no more jobs, and wait for the running ones to end: APScheduler would cancel
        them."""
        if self._watching_steps is not None:
            self._watching_steps.cancel()
        if not self._scheduler.running:
            return
        self._scheduler.pause()
        await asyncio.sleep(0)  # Lets the jobs that were just started begin to run.
        for job in tuple(self._under_way):
            await job.wait()
        self._scheduler.shutdown(wait=False)

    async def _watch_for_steps_back(self) -> None:
        last = datetime.now(UTC)
        while True:
            await asyncio.sleep(_STEP_CHECK_SECONDS)
            now = datetime.now(UTC)
            if now < last:
                for job in self._scheduler.get_jobs():
                    job.modify(next_run_time=now)
            last = now


class _Every(BaseTrigger):  # type: ignore[misc]
    """One interval after the last run; if that is past, one interval from now. Missed runs are
    skipped."""

    def __init__(self, interval: timedelta) -> None:
        self._interval = interval

    def get_next_fire_time(self, previous_fire_time: datetime | None, now: datetime) -> datetime:
        following = (previous_fire_time or now) + self._interval
        return following if following > now else now + self._interval
