"""What the ledger's clock said while it was ahead, once it is set back under a running process.

A database server's clock may be: its processes all go by that, and none of them starts anew.
"""

from datetime import datetime

from watchdog.domain.limits import RESERVATION_TTL
from watchdog.engine.ports import Clock, LedgerTransaction

_STILL_RECORDED = 2 * RESERVATION_TTL
"""So long a look or an answer from before may still be recorded, with the times of before."""


class SetBack:
    """Looked for in the transaction of each tick: what lies in the future then counts as of now.
    Without that nothing would be retried until the clock gets there again."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._latest: datetime | None = None
        self._until: float | None = None

    def clamp(self, tx: LedgerTransaction) -> datetime:
        """The ledger's time, which `committed` is to be given."""
        if self._was_set_back(tx.now()) or self._recent:
            tx.clamp_future()
        return tx.now()

    def committed(self, now: datetime) -> None:
        """The transaction in which that was looked for has succeeded."""
        if self._was_set_back(now):
            self._until = self._clock.monotonic() + _STILL_RECORDED.total_seconds()
        self._latest = now

    def _was_set_back(self, now: datetime) -> bool:
        return self._latest is not None and now < self._latest

    @property
    def _recent(self) -> bool:
        return self._until is not None and self._clock.monotonic() < self._until
