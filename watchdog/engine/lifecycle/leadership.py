"""Which of several replicas is the active one."""

import asyncio
from contextlib import suppress
from datetime import timedelta

from watchdog.engine.events import BecameActive, BecameStandby, Event, LedgerWentBack
from watchdog.engine.lifecycle.ledger_watch import WatchedLedger
from watchdog.engine.ports import Clock, LedgerUnavailable, Listener

LONGEST_AWAY = timedelta(seconds=30)
"""An active replica gives up when the ledger has not answered for this long. By then the server has
freed the lock of a replica that it no longer hears from, and another replica may be able to
work."""

_PAUSE_AFTER_GIVING_UP = timedelta(seconds=5)
"""For this long, a replica that gave the lock up does not try to take it. The others try each
second."""


class Leadership:
    """Reads from the ledger, each tick, whether this replica is the active one.

    While the ledger does not answer, nothing changes at first: an active replica goes on watching
    from memory and sends nothing, because every reservation needs the ledger. After `LONGEST_AWAY`
    it gives up, if another replica could take over. `term` is None until the ledger's first answer,
    0 while this replica stands by, and otherwise the number of the present term. When the ledger
    went back to an older state a new term begins, because that state lacks what the present term
    has written, for example its watch list.
    """

    def __init__(self, ledger: WatchedLedger, clock: Clock, listener: Listener) -> None:
        self._ledger = ledger
        self._clock = clock
        self._listener = listener
        self._changed = asyncio.Event()
        self._asking = asyncio.Lock()
        self._again_at = clock.monotonic()
        self._went_back = 0
        self.term: int | None = None

    def __call__(self, event: Event) -> None:
        if isinstance(event, LedgerWentBack):
            self._went_back += 1

    async def tick(self) -> None:
        async with self._asking:
            if self._clock.monotonic() < self._again_at:
                return
            with suppress(LedgerUnavailable):
                term = await self._ledger.hold_active()
                self._become(term + self._went_back if term else 0)
        if self.term and self._ledger.away_for > LONGEST_AWAY:
            seconds = LONGEST_AWAY.total_seconds()
            await self.give_up(f"the ledger has not answered for {seconds:.0f} s")

    async def give_up(self, why: str) -> bool:
        """Let another replica become active, and try again later. Returns False, and changes
        nothing, if there can be no other."""
        async with self._asking:
            if not await self._ledger.release_active():
                return False
            self._again_at = self._clock.monotonic() + _PAUSE_AFTER_GIVING_UP.total_seconds()
            self._become(0, why)
            return True

    def _become(self, term: int, why: str | None = None) -> None:
        if term == self.term:
            return
        self.term = term
        self._listener(BecameActive() if term else BecameStandby(why=why))
        self._changed.set()

    async def until_another(self, term: int | None, stop: asyncio.Event) -> None:
        """Wait until the present term is another one than `term`, or until `stop` is set."""
        stopped = asyncio.create_task(stop.wait())
        try:
            while self.term == term and not stop.is_set():
                self._changed.clear()
                changed = asyncio.create_task(self._changed.wait())
                await asyncio.wait((stopped, changed), return_when=asyncio.FIRST_COMPLETED)
                changed.cancel()
        finally:
            stopped.cancel()
