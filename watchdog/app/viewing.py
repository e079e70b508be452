"""What the page shows: read from the ledger, and cached for a moment."""

import asyncio

from watchdog.engine.fleet import overview
from watchdog.engine.fleet.condition import Condition
from watchdog.engine.fleet.overview import Overview, Past
from watchdog.engine.ports import Clock, Ledger
from watchdog.engine.settings import LiveSettings, Settings
from watchdog.web import About

_KEPT_SECONDS = 1.0
"""The ledger is read at most once in this time, however many clients load the page."""


class Viewing:
    """See `web.page.View`."""

    def __init__(
        self,
        ledger: Ledger,
        live: LiveSettings,
        clock: Clock,
        *,
        about: About,
        condition: Condition,
    ) -> None:
        self.about = about
        self.condition = condition
        self._ledger = ledger
        self._live = live
        self._clock = clock
        self._reading = asyncio.Lock()
        self._kept: Overview | None = None
        self._kept_at = 0.0

    @property
    def settings(self) -> Settings:
        return self._live.current

    async def fleet(self) -> Overview:
        async with self._reading:
            if self._kept is None or self._clock.monotonic() - self._kept_at >= _KEPT_SECONDS:
                self._kept = None
                settings = self.settings
                self._kept = await self._ledger.transact(
                    lambda tx: overview.overview(tx, settings.policies, settings.limits)
                )
                self._kept_at = self._clock.monotonic()
            return self._kept

    async def past(self, model_id: str) -> Past | None:
        policies = self.settings.policies
        return await self._ledger.transact(lambda tx: overview.past(tx, policies, model_id))
