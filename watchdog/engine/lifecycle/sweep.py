"""Claims the targets that are due, and has each checked at its moment."""

import asyncio
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from watchdog.domain.records import Fleet, Target
from watchdog.engine.events import CheckStarted, InternalError, SweepDone, TargetChanged
from watchdog.engine.fleet.action_watch import ActionWatch, News
from watchdog.engine.fleet.api_watch import ApiWatch
from watchdog.engine.fleet.counted import counted
from watchdog.engine.fleet.usage import UsageWatch
from watchdog.engine.lifecycle.set_back import SetBack
from watchdog.engine.ports import Clock, Ledger, LedgerTransaction, LedgerUnavailable, Listener
from watchdog.engine.settings import LiveSettings
from watchdog.engine.target.check import Checker

TICK = timedelta(seconds=1)
"""How often due targets are claimed: the least interval that a configuration may ask for."""

_TICKS_OF_WORK = 2
"""Claim at most two ticks of work ahead: enough to keep the workers busy, and little is delayed if
this process dies."""

_ERRING_SHARE = 5
"""Targets whose last look failed use at most a fifth of the workers: each may well wait for a
time-out, and the others must not wait with it."""


@dataclass(frozen=True, slots=True)
class _Claimed:
    """The targets that are due, the ledger's time, and what to report after the transaction."""

    due: Sequence[Target]
    at: datetime
    news: News | None
    fleet: Fleet
    changed: Sequence[TargetChanged]


class Sweep:
    """A fixed set of workers, fed by `tick`. A slow target occupies one worker and no more.

    Claims look one tick ahead and a timer starts each check at its exact moment, so that nothing
    waits for the next tick.
    """

    def __init__(
        self,
        ledger: Ledger,
        checker: Checker,
        clock: Clock,
        listener: Listener,
        live: LiveSettings,
        api_watch: ApiWatch,
        targets: Iterable[Target],
    ) -> None:
        self._ledger = ledger
        self._checker = checker
        self._clock = clock
        self._listener = listener
        self._live = live
        self._api_watch = api_watch
        self._targets = {target.model_id: target for target in targets}
        self._by_memory: dict[str, datetime] = {}
        self._unchecked = set(self._targets)
        self._first_told = False
        self._in_hand: set[str] = set()
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._actions = ActionWatch(listener)
        self._usage = UsageWatch(listener)
        self._set_back = SetBack(clock)
        self._due: asyncio.Queue[Target] = asyncio.Queue()
        self._erring_busy = 0
        self._parked: deque[Target] = deque()
        self._workers: list[asyncio.Task[None]] = []
        self._ending = 0  # workers that have a pending request to end
        self._stopping = False

    def start(self) -> None:
        """Begin, or go on with as many workers as the settings say now."""
        self._workers = [task for task in self._workers if not task.done()]
        missing = self._live.current.concurrency - (len(self._workers) - self._ending)
        for _ in range(missing):
            self._workers.append(asyncio.create_task(self._work(), name="worker"))
        for _ in range(-missing):
            self._due.put_nowait(_NOTHING)
            self._ending += 1

    def watch(self, targets: Iterable[Target]) -> None:
        """Watch these targets from now on; checks under way still end."""
        self._targets = {target.model_id: target for target in targets}
        self._unchecked &= set(self._targets)
        self.start()

    async def tick(self) -> None:
        """Claim the targets that are due before the next tick. While the ledger is away, use the
        list in memory: watching goes on, and nothing can be reserved."""
        now = self._clock.now()
        room = self._room()
        if self._stopping or room <= 0:
            return
        interval, hasten = self._api_watch.interval, self._api_watch.take_recovery()

        def claim(tx: LedgerTransaction) -> _Claimed:
            at = self._set_back.clamp(tx)
            if hasten:
                tx.targets.spread_checks(interval)
            due = tx.targets.claim_due(now + TICK, limit=room, interval=interval)
            return _Claimed(
                due,
                at,
                self._actions.read(tx),
                self._usage.read(tx, self._live.current.limits),
                self._changed_by_others(tx, due),
            )

        due: Sequence[Target]
        try:
            claimed = await self._ledger.transact(claim)
            due = claimed.due
            self._set_back.committed(claimed.at)
            self._by_memory.clear()
            self._actions.tell(claimed.news)
            self._usage.tell(claimed.fleet)
            for event in claimed.changed:
                self._listener(event)
        except LedgerUnavailable:
            due = self._due_by_memory(now + TICK, room)
        if self._stopping:
            return
        for target in due:
            self._schedule(target, now)
        self._listener(SweepDone(at=now, first=False))
        self._tell_first()

    def _changed_by_others(
        self, tx: LedgerTransaction, due: Sequence[Target]
    ) -> tuple[TargetChanged, ...]:
        """The targets that another process has recorded since. What a command recorded may look
        unchanged to the daemon, which would otherwise never report it."""
        settings, known = self._live.current, self._targets
        changed = [
            each
            for each in due
            if each.model_id in settings.models
            and each.model_id in known
            and each.version != known[each.model_id].version
        ]
        if not changed:
            return ()
        policies = settings.policies
        attempts = counted(tx, changed, policies)
        return tuple(
            TargetChanged(
                target=each, policy=policies[each.model_id], attempts=attempts[each.model_id]
            )
            for each in changed
        )

    async def stop(self, grace: timedelta) -> int:
        """Start no more checks, and let those under way finish within `grace`; how many could
        not."""
        self._stopping = True
        for timer in self._timers.values():
            timer.cancel()
        while not self._due.empty():
            self._due.get_nowait()
        busy = [task for task in self._workers if not task.done()]
        for _ in busy:
            self._due.put_nowait(_NOTHING)
        if not busy:
            return 0
        _, late = await asyncio.wait(busy, timeout=grace.total_seconds())
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
        return len(late)

    def _room(self) -> int:
        most = max(
            self._live.current.concurrency,
            int(self._live.current.max_rate * TICK.total_seconds() * _TICKS_OF_WORK),
        )
        return most - (len(self._in_hand) - len(self._parked))

    def _schedule(self, target: Target, now: datetime) -> None:
        if target.model_id in self._in_hand:
            return
        self._in_hand.add(target.model_id)
        self._targets[target.model_id] = target
        delay = ((target.next_check_at or now) - now).total_seconds()
        if delay <= 0:
            self._due.put_nowait(target)
            return
        timer = asyncio.get_running_loop().call_later(delay, self._ring, target)
        self._timers[target.model_id] = timer

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
            self._in_hand.discard(target.model_id)

    async def _check(self, target: Target) -> None:
        lateness = self._clock.now() - (target.next_check_at or self._clock.now())
        self._listener(CheckStarted(model_id=target.model_id, lateness=max(lateness, timedelta(0))))
        checked = await self._checker.check(target)
        self._unchecked.discard(target.model_id)
        if checked.error is None:
            self._targets[target.model_id] = checked.target
        self._tell_first()

    def _tell_first(self) -> None:
        if not self._unchecked and not self._first_told:
            self._first_told = True
            self._listener(SweepDone(at=self._clock.now(), first=True))

    def _due_by_memory(self, until: datetime, limit: int) -> list[Target]:
        """What the ledger would claim: at first all that it claimed before, then each once an
        interval."""
        due: list[Target] = []
        again = until + self._api_watch.interval
        for model_id, target in self._targets.items():
            at = self._by_memory.get(model_id, target.next_check_at)
            if at is None or at > until or model_id in self._in_hand:
                continue
            if len(due) >= limit:
                break
            due.append(replace(target, next_check_at=at))
            self._by_memory[model_id] = again
        return due


_NOTHING = Target(model_id="")
"""Makes a worker end."""
