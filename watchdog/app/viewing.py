"""What the page shows: read from the ledger, and cached for a moment."""

import asyncio
import time
from collections.abc import Callable

from watchdog.engine.fleet import overview
from watchdog.engine.fleet.condition import Condition
from watchdog.engine.fleet.overview import Overview, Past
from watchdog.engine.ports import Clock, Ledger, LedgerTransaction
from watchdog.engine.settings import LiveSettings, Settings
from watchdog.web import About

_KEPT_SECONDS = 1.0
"""The fleet is read at most once in this time, however many clients load the page."""

_KEPT_FOR_CPU = 40
"""A reading that took t seconds of CPU time is kept for 40 * t seconds, so that reading takes at
most a fortieth of a core from the checks. With 10,000 targets t is half a second."""


class Viewing:
    """See `web.view.View`."""

    def __init__(
        self,
        ledger: Ledger,
        live: LiveSettings,
        clock: Clock,
        *,
        about: About,
        condition: Condition,
        cpu: Callable[[], float] = time.thread_time,
    ) -> None:
        """`cpu` is the CPU time of the thread that calls it, in seconds."""
        self.about = about
        self.condition = condition
        self._ledger = ledger
        self._live = live
        self._clock = clock
        self._reading = asyncio.Lock()
        self._cpu = cpu
        self._kept: Overview | None = None
        self._kept_until = 0.0

    @property
    def settings(self) -> Settings:
        return self._live.current

    async def fleet(self) -> Overview:
        async with self._reading:
            if self._kept is None or self._clock.monotonic() >= self._kept_until:
                self._kept = None
                found, cost = await self._ledger.transact(self._read)
                kept_for = max(_KEPT_SECONDS, _KEPT_FOR_CPU * cost)
                self._kept_until = self._clock.monotonic() + kept_for
                self._kept = found
            return self._kept

    def _read(self, tx: LedgerTransaction) -> tuple[Overview, float]:
        """The fleet, and how many seconds of CPU time it took to read."""
        began, settings = self._cpu(), self.settings
        found = overview.overview(tx, settings.policies, settings.limits)
        return found, self._cpu() - began

    async def past(self, model_id: str) -> Past | None:
        policies = self.settings.policies
        return await self._ledger.transact(lambda tx: overview.past(tx, policies, model_id))
