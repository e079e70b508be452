"""Corrects what the ledger's clock wrote while it was ahead, once it is set back under a running
process.

This happens with the clock of a database server, which all processes use without a restart.
"""

from datetime import datetime

from watchdog.domain.limits import RESERVATION_TTL
from watchdog.engine.ports import Clock, LedgerTransaction

_STILL_RECORDED = 2 * RESERVATION_TTL
"""For this long, a look or an answer from before the step may still be recorded with the earlier
clock's times."""


class SetBack:
    """Checked in the transaction of each tick: times in the future then count as now. Otherwise
    nothing would be retried until the clock reaches them again."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._latest: datetime | None = None
        self._until: float | None = None

    def clamp(self, tx: LedgerTransaction) -> datetime:
        """Move times that lie in the future to now, if the clock was set back. Returns the ledger's
        time, which is to be passed to `committed`."""
        if self._was_set_back(tx.now()) or self._recent:
            tx.clamp_future()
        return tx.now()

    def committed(self, now: datetime) -> None:
        """The transaction that checked has been committed."""
        if self._was_set_back(now):
            self._until = self._clock.monotonic() + _STILL_RECORDED.total_seconds()
        self._latest = now

    def _was_set_back(self, now: datetime) -> bool:
        return self._latest is not None and now < self._latest

    @property
    def _recent(self) -> bool:
        return self._until is not None and self._clock.monotonic() < self._until
