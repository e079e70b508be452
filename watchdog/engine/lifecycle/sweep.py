"""Claims the targets that are due, and starts the check of each at the right moment."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from watchdog.domain.plan import Claim
from watchdog.domain.records import Fleet, Target
from watchdog.engine.events import CheckStarted, SweepDone, TargetChanged
from watchdog.engine.fleet.action_watch import ActionWatch, News
from watchdog.engine.fleet.api_date import api_date
from watchdog.engine.fleet.api_watch import ApiWatch
from watchdog.engine.fleet.counted import counted
from watchdog.engine.fleet.usage_watch import UsageWatch
from watchdog.engine.lifecycle.claims import Claims, made
from watchdog.engine.lifecycle.memory_plan import MemoryPlan
from watchdog.engine.lifecycle.set_back import SetBack
from watchdog.engine.lifecycle.workers import Workers
from watchdog.engine.ports import (
    Clock,
    Due,
    Ledger,
    LedgerTransaction,
    LedgerUnavailable,
    LedgerVersion,
    Listener,
)
from watchdog.engine.settings import TICK, LiveSettings
from watchdog.engine.target.check import Checker

_TICKS_OF_WORK = 2
"""Claim at most two ticks of work ahead: enough to keep the workers busy, and little is delayed if
this process dies."""


@dataclass(frozen=True, slots=True)
class _Claimed:
    """The targets that are due, the new claims, the ledger's time, and what to report after the
    transaction."""

    at: datetime
    due: Sequence[Due]
    made: Mapping[str, Claim]
    claims: Claims
    news: News | None = None
    fleet: Fleet | None = None
    changed: Sequence[TargetChanged] = ()


class Sweep:
    """Claims look one tick ahead and a timer starts each check at its exact moment, so that nothing
    waits for the next tick."""

    def __init__(
        self,
        ledger: Ledger,
        checker: Checker,
        clock: Clock,
        listener: Listener,
        live: LiveSettings,
        api_watch: ApiWatch,
    ) -> None:
        """It watches nothing until `watch` is called."""
        self._ledger = ledger
        self._checker = checker
        self._clock = clock
        self._listener = listener
        self._live = live
        self._api_watch = api_watch
        self._workers = Workers(self._check, api_watch, live, listener)
        self._targets: dict[str, Target] = {}
        self._memory = MemoryPlan()
        self.claims = Claims()
        self._version: LedgerVersion | None = None  # of the ledger, when the last claim began
        self._away = False  # the ledger, at the last tick
        self._unchecked: set[str] = set()
        self._first_told = False
        self._actions = ActionWatch(listener)
        self._usage = UsageWatch(listener)
        self._set_back = SetBack(clock)
        self.stopping = False

    def start(self) -> None:
        """Start the workers."""
        self._workers.start()

    def watch(self, targets: Iterable[Target]) -> None:
        """Watch these targets from now on; checks under way still end."""
        self._targets = {target.model_id: target for target in targets}
        latest = self._clock.now() + self._live.current.effective_interval
        self.claims = self.claims.of(self._targets, latest)
        if self._workers.started:
            self._unchecked &= set(self._targets)
            self._workers.start()
        else:
            self._unchecked = set(self._targets)

    async def tick(self) -> None:
        """Claim the targets that are due before the next tick. While the ledger does not answer,
        use the list in memory: the checks go on, and nothing can be reserved."""
        now = self._clock.now()
        room = self._room()
        if self.stopping or room <= 0:
            return
        due = await self._due(now, now + TICK, room)
        if self.stopping:
            return
        for each in due:
            target = replace(each.target, next_check_at=each.at)
            self._workers.put(target, each.at - now)
        self._listener(SweepDone(at=now, first=False))
        self._tell_first()

    def check_now(self, target: Target) -> None:
        """Check it sooner than the ledger plans, unless its check is under way."""
        if not self.stopping:
            self._workers.put(target, timedelta(0))

    async def _due(self, now: datetime, until: datetime, room: int) -> Sequence[Due]:
        """Claim what is due by `until`: without the ledger if it has not changed."""
        version, hasten = self._ledger.version(), self._api_watch.take_recovery()
        changed = version is None or version != self._version
        if not (changed or hasten) and self._usage.lasts(now):
            found = self.claims.due(until)
            if found is not None:
                due = found[:room]
                new = made(due, now, self._api_watch.interval)
                self.claims = self.claims.also(new)
                self._note(due, new)
                return due
        of = len(self._targets) if version is not None else None
        try:
            claimed = await self._ledger.transact(
                lambda tx: self._claim(tx, until, room, hasten=hasten, changed=changed, of=of)
            )
        except LedgerUnavailable:
            self._version, self._away = None, True
            return self._memory.due(
                self._targets, until, self._api_watch.interval, room, self._workers.in_hand
            )
        self._version, self._away = version, False
        self._memory.clear()
        self._take_over(claimed)
        return claimed.due

    def _claim(
        self,
        tx: LedgerTransaction,
        until: datetime,
        room: int,
        *,
        hasten: bool,
        changed: bool,
        of: int | None,
    ) -> _Claimed:
        """Claim what is due by `until`. Unless the ledger has `changed` since the last claim, some
        of it need not be read again. `of` as in `Claims.plus`."""
        at, interval, claims = self._set_back.clamp(tx), self._api_watch.interval, self.claims
        if hasten:
            tx.targets.plan(claims.open)
            tx.targets.spread_checks(interval)
            claims = Claims()
        due = tx.targets.due(until, limit=room, interval=interval, claims=claims.open)
        new, idle_from = made(due, at, interval), until if len(due) < room else at
        claims = claims.plus(tx, new, of=of, most=self._most, idle_from=idle_from)
        usage = None
        if changed or not self._usage.lasts(at):
            usage = self._usage.read(tx, self._live.current.limits)
        news = self._actions.read(tx) if changed else None
        return _Claimed(at, due, new, claims, news, usage, self._changed_by_others(tx, due))

    def _take_over(self, claimed: _Claimed) -> None:
        """The transaction has been committed."""
        self._set_back.committed(claimed.at)
        self.claims = claimed.claims
        self._actions.tell(claimed.news)
        self._usage.tell(claimed.fleet)
        for event in claimed.changed:
            self._listener(event)
        self._note(claimed.due, claimed.made)

    def _note(self, due: Sequence[Due], new: Mapping[str, Claim]) -> None:
        """Remember what is checked now, and when next. This is needed while the ledger is away."""
        for each in due:
            model_id = each.target.model_id
            if model_id not in self._workers.in_hand:
                next_at = new[model_id].next_at
                self._targets[model_id] = replace(each.target, next_check_at=next_at)

    def _changed_by_others(
        self, tx: LedgerTransaction, due: Sequence[Due]
    ) -> tuple[TargetChanged, ...]:
        """The targets that another process has recorded since the last report. The daemon's own
        check may find them unchanged, and would then never report what a command recorded."""
        settings, known = self._live.current, self._targets
        changed = [
            each
            for each in (one.target for one in due)
            if each.model_id in settings.models
            and each.model_id in known
            and each.version != known[each.model_id].version
        ]
        if not changed:
            return ()
        policies = settings.policies
        attempts = counted(tx, changed, policies, api_date(tx))
        return tuple(
            TargetChanged(
                target=each, policy=policies[each.model_id], attempts=attempts[each.model_id]
            )
            for each in changed
        )

    async def stop(self, grace: timedelta) -> int:
        """Start no more checks, and let those under way finish within `grace`. Returns how many
        could not. The next daemon finds the plan in the ledger."""
        self.stopping = True
        late = await self._workers.stop(grace)
        if self.claims.open and not self._away:
            with suppress(LedgerUnavailable):
                await self._ledger.transact(lambda tx: tx.targets.plan(self.claims.open))
        return late

    @property
    def _most(self) -> int:
        """The most targets that may be claimed at once."""
        work = self._live.current.max_rate * TICK.total_seconds() * _TICKS_OF_WORK
        return max(self._live.current.concurrency, int(work))

    def _room(self) -> int:
        return self._most - self._workers.busy_or_waiting

    async def _check(self, target: Target) -> None:
        lateness = self._clock.now() - (target.next_check_at or self._clock.now())
        self._listener(CheckStarted(model_id=target.model_id, lateness=max(lateness, timedelta(0))))
        checked = await self._checker.check(target)
        self._unchecked.discard(target.model_id)
        if checked.error is None and checked.target is not target:
            self._targets[target.model_id] = checked.target
        self._tell_first()

    def _tell_first(self) -> None:
        if not self._unchecked and not self._first_told:
            self._first_told = True
            self._listener(SweepDone(at=self._clock.now(), first=True))
