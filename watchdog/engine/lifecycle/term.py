"""A term of the active replica: from taking up the watch list to its last check."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from datetime import timedelta
from typing import Any, Protocol

from watchdog.engine.events import InternalError, TargetForgotten
from watchdog.engine.fleet import discovered as discovered_models
from watchdog.engine.fleet import teams as fleet_teams
from watchdog.engine.fleet.api_date import api_date
from watchdog.engine.fleet.discovered import Known
from watchdog.engine.fleet.teams import Teams
from watchdog.engine.lifecycle.leadership import Leadership
from watchdog.engine.lifecycle.sender import SENDING
from watchdog.engine.lifecycle.watchlist import begin
from watchdog.engine.lifecycle.wiring import Engine
from watchdog.engine.ports import LedgerTransaction, LedgerUnavailable
from watchdog.engine.settings import TICK, Settings
from watchdog.engine.target.recorded import Recorded
from watchdog.engine.target.telling import tell

GRACE = timedelta(seconds=10)
"""How long checks under way may take to finish when the term ends."""

PRUNE_INTERVAL = timedelta(hours=1)


class Ticker(Protocol):
    """Starts jobs again and again."""

    def every(
        self, interval: timedelta, job: Callable[..., Awaitable[None] | None], *args: object
    ) -> None:
        """Start `job` after each interval, but not while its last run is still running."""

    def start(self) -> None: ...

    async def stop(self) -> None:
        """Start nothing more, and let the jobs under way end."""


class Term:
    """One term of this replica. It ends when the daemon stops, when this replica is not active any
    more, or when the next term begins because the ledger went back."""

    def __init__(self, engine: Engine) -> None:
        self.sweep = engine.new_sweep()
        self._engine = engine
        self._round: asyncio.Task[None] | None = None

    async def take_up(
        self,
        settings: Settings,
        discovered: Known,
        teams: Teams,
        put_in_force: Callable[[], None],
    ) -> None:
        """Bring the ledger in line with these settings, put them in force, and watch their models.
        Raises LedgerUnavailable, and nothing has changed then."""

        def work(tx: LedgerTransaction) -> list[Recorded]:
            discovered_models.save(tx, discovered)
            fleet_teams.save(tx, teams)
            return begin(tx, settings)

        recorded = await self._engine.ledger.transact(work)
        put_in_force()
        if self.sweep.stopping:  # The term ended while the ledger was changed.
            return
        for each in recorded:
            tell(each, settings, self._engine.listener)
        self.sweep.watch(each.after for each in recorded if each.after.watched)

    async def watch(
        self,
        number: int,
        leadership: Leadership,
        stop: asyncio.Event,
        ticker: Ticker,
        retention: timedelta,
        discover: Callable[[], Coroutine[Any, Any, None]],
    ) -> int:
        """Check and retry until the term ends. Returns how many checks did not end in time."""
        engine, sweep = self._engine, self.sweep
        ticker.every(TICK, engine.breaker.tick)
        ticker.every(TICK, sweep.tick)
        ticker.every(TICK, self._begin_round, discover)
        ticker.every(PRUNE_INTERVAL, self._prune, retention)
        if engine.sender is not None:
            engine.sender.start()
            ticker.every(SENDING, engine.sender.tick)
        finding_out = asyncio.create_task(engine.diagnosis.run(sweep.check_now), name="diagnosis")
        try:
            sweep.start()
            await engine.breaker.tick()
            await sweep.tick()
            ticker.start()
            await leadership.until_another(number, stop)
        finally:
            if stop.is_set():
                engine.retrier.send_nothing_more()
            await ticker.stop()
            late, _ = await asyncio.gather(sweep.stop(GRACE), self._stop_sending())
            # The requests of these tasks are not waited for: the API may never answer them.
            background = [task for task in (finding_out, self._round) if task is not None]
            for task in background:
                task.cancel()
            await asyncio.gather(*background, return_exceptions=True)
        if not stop.is_set():
            for model_id in engine.settings.models:
                self._engine.listener(TargetForgotten(model_id=model_id))
        return late

    async def _stop_sending(self) -> None:
        if self._engine.sender is not None:
            await self._engine.sender.stop(GRACE)

    def _begin_round(self, discover: Callable[[], Coroutine[Any, Any, None]]) -> None:
        if self._round is None or self._round.done():
            self._round = asyncio.create_task(self._discover(discover), name="discovery")

    async def _discover(self, discover: Callable[[], Coroutine[Any, Any, None]]) -> None:
        try:
            await discover()
        except Exception as error:  # noqa: BLE001 - a bug in one round must not end the later ones
            self._engine.listener(InternalError(model_id=None, error=error))

    async def _prune(self, retention: timedelta) -> None:
        """Delete what is older than the retention. If that fails, the next run an hour later is
        soon enough."""

        def old(tx: LedgerTransaction) -> int:
            date = api_date(tx)
            return tx.prune(tx.now() - retention, dated=date and date - retention)

        try:
            await self._engine.ledger.transact(old)
        except LedgerUnavailable:
            return
