"""A fixed set of workers that check targets. A slow target occupies one worker and no more."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from datetime import timedelta

from watchdog.domain.records import Target
from watchdog.engine.events import InternalError
from watchdog.engine.fleet.api_watch import ApiWatch
from watchdog.engine.ports import Listener
from watchdog.engine.settings import LiveSettings

_ERRING_SHARE = 5
"""Targets whose last look failed use at most a fifth of the workers: each may wait for a time-out,
and the other targets must not wait for that."""


class Workers:
    """Each target is in hand from `put` until its check has ended."""

    def __init__(
        self,
        check: Callable[[Target], Awaitable[None]],
        api_watch: ApiWatch,
        live: LiveSettings,
        listener: Listener,
    ) -> None:
        self.in_hand: set[str] = set()
        self._check = check
        self._api_watch = api_watch
        self._live = live
        self._listener = listener
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._due: asyncio.Queue[Target] = asyncio.Queue()
        self._erring_busy = 0
        self._parked: deque[Target] = deque()
        self._tasks: list[asyncio.Task[None]] = []
        self._ending = 0  # the number of workers that were told to end and have not ended
        self._stopping = False

    def start(self) -> None:
        """Start or end workers until their number is that of the present settings."""
        self._tasks = [task for task in self._tasks if not task.done()]
        missing = self._live.current.concurrency - (len(self._tasks) - self._ending)
        for _ in range(missing):
            self._tasks.append(asyncio.create_task(self._work(), name="worker"))
        for _ in range(-missing):
            self._due.put_nowait(_NOTHING)
            self._ending += 1

    @property
    def started(self) -> bool:
        return bool(self._tasks)

    @property
    def busy_or_waiting(self) -> int:
        """How many targets are in hand, without those that wait because they failed before."""
        return len(self.in_hand) - len(self._parked)

    def put(self, target: Target, delay: timedelta) -> bool:
        """Check a target after `delay`. False if it is in hand already."""
        if target.model_id in self.in_hand:
            return False
        self.in_hand.add(target.model_id)
        seconds = delay.total_seconds()
        if seconds <= 0:
            self._due.put_nowait(target)
        else:
            timer = asyncio.get_running_loop().call_later(seconds, self._ring, target)
            self._timers[target.model_id] = timer
        return True

    async def stop(self, grace: timedelta) -> int:
        """Start no more checks, and let those under way finish within `grace`. Returns how many
        could not."""
        self._stopping = True
        for timer in self._timers.values():
            timer.cancel()
        while not self._due.empty():
            self._due.get_nowait()
        busy = [task for task in self._tasks if not task.done()]
        for _ in busy:
            self._due.put_nowait(_NOTHING)
        if not busy:
            return 0
        _, late = await asyncio.wait(busy, timeout=grace.total_seconds())
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
        return len(late)

    def _ring(self, target: Target) -> None:
        del self._timers[target.model_id]
        self._due.put_nowait(target)

    async def _work(self) -> None:
        while (target := await self._due.get()) is not _NOTHING:
            if not self._api_watch.errs(target.model_id):
                await self._check_safely(target)
            elif self._erring_busy >= self._erring_most:
                self._parked.append(target)
                continue
            else:
                self._erring_busy += 1
                try:
                    await self._check_safely(target)
                finally:
                    self._erring_busy -= 1
            self._unpark()
        self._ending -= 1

    def _unpark(self) -> None:
        """Release the parked targets that need not wait any more: the next one, and all that no
        longer fail."""
        while self._parked and not self._stopping:
            target = self._parked.popleft()
            self._due.put_nowait(target)
            if self._api_watch.errs(target.model_id):
                break

    @property
    def _erring_most(self) -> int:
        return max(1, self._live.current.concurrency // _ERRING_SHARE)

    async def _check_safely(self, target: Target) -> None:
        try:
            await self._check(target)
        except Exception as error:  # noqa: BLE001 - a bug met by one target must not stop the others
            self._listener(InternalError(model_id=target.model_id, error=error))
        finally:
            self.in_hand.discard(target.model_id)


_NOTHING = Target(model_id="")
"""The item in the queue that ends a worker."""
