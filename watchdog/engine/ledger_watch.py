"""Tells when the ledger goes away and when it comes back."""

from collections.abc import Callable
from typing import TypeVar

from watchdog.engine.events import LedgerBack, LedgerLost
from watchdog.engine.ports import Ledger, LedgerTransaction, LedgerUnavailable, Listener

T = TypeVar("T")


class WatchedLedger:
    """A ledger whose outages are events: one at the start of each, one at its end."""

    def __init__(self, ledger: Ledger, listener: Listener) -> None:
        self._ledger = ledger
        self._listener = listener
        self._lost = False

    async def transact(self, work: Callable[[LedgerTransaction], T]) -> T:
        try:
            result = await self._ledger.transact(work)
        except LedgerUnavailable as error:
            if not self._lost:
                self._lost = True
                self._listener(LedgerLost(error=str(error)))
            raise
        if self._lost:
            self._lost = False
            self._listener(LedgerBack())
        return result

    def knows_dead(self, owner: str) -> bool:
        return self._ledger.knows_dead(owner)
