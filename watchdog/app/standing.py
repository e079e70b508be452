"""Which of several replicas is the active one."""

import asyncio

from watchdog.engine.events import BecameActive, BecameStandby
from watchdog.engine.ports import Ledger, LedgerUnavailable, Listener


class Standing:
    """Asks the ledger, each tick, whether this replica is the active one.

    While the ledger does not answer nothing changes: an active replica watches on from memory, and
    sends nothing, since every reservation needs the ledger. `term` is None until it answered
    first, 0 while another replica is active, and else the number of the present term.
    """

    def __init__(self, ledger: Ledger, listener: Listener) -> None:
        self._ledger = ledger
        self._listener = listener
        self._changed = asyncio.Event()
        self.term: int | None = None

    async def tick(self) -> None:
        try:
            term = await self._ledger.hold_active()
        except LedgerUnavailable:
            return
        if term != self.term:
            self.term = term
            self._listener(BecameActive() if term else BecameStandby())
            self._changed.set()

    async def until_another(self, term: int | None, stop: asyncio.Event) -> None:
        """Wait until that is no longer the present term, or until `stop` is set."""
        stopped = asyncio.create_task(stop.wait())
        try:
            while self.term == term and not stop.is_set():
                self._changed.clear()
                changed = asyncio.create_task(self._changed.wait())
                await asyncio.wait((stopped, changed), return_when=asyncio.FIRST_COMPLETED)
                changed.cancel()
        finally:
            stopped.cancel()
