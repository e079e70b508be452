"""Which of several replicas is the active one."""

import asyncio

from watchdog.engine.events import BecameActive, BecameStandby
from watchdog.engine.ports import Ledger, LedgerUnavailable, Listener


class Standing:
    """Asks the ledger, each tick, whether this replica is the active one.

    While the ledger does not answer nothing changes: an active replica watches on from memory, and
    sends nothing, since every reservation needs the ledger.
    """

    def __init__(self, ledger: Ledger, listener: Listener) -> None:
        self._ledger = ledger
        self._listener = listener
        self._changed = asyncio.Event()
        self.active: bool | None = None

    async def tick(self) -> None:
        try:
            active = await self._ledger.hold_active()
        except LedgerUnavailable:
            return
        if active is not self.active:
            self.active = active
            self._listener(BecameActive() if active else BecameStandby())
            self._changed.set()

    async def until(self, *, active: bool, stop: asyncio.Event) -> None:
        """Wait until this replica is the active one, or is no longer, or until `stop` is set."""
        stopped = asyncio.create_task(stop.wait())
        try:
            while bool(self.active) is not active and not stop.is_set():
                self._changed.clear()
                changed = asyncio.create_task(self._changed.wait())
                await asyncio.wait((stopped, changed), return_when=asyncio.FIRST_COMPLETED)
                changed.cancel()
        finally:
            stopped.cancel()
