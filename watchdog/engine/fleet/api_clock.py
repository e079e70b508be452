"""How far the ledger's time is from what the API's clock says: when that changes, one of the two
jumped."""

from datetime import timedelta

from watchdog.engine.events import ApiClockSeen, ClockJumped
from watchdog.engine.fleet.api_date import note_difference
from watchdog.engine.look import Look
from watchdog.engine.ports import Ledger, LedgerUnavailable, Listener

_TOLERANCE = timedelta(minutes=1)
"""An answer may be as old as the longest time-out of a request, and a date is exact to a second."""


class ApiClock:
    """Writes the difference to the ledger and reports it. A constant difference does no harm, and a
    jump frees no limit: each attempt counts for as long as one of the two clocks says so
    (`limits.counts_at`)."""

    def __init__(self, ledger: Ledger, listener: Listener) -> None:
        self._ledger = ledger
        self._listener = listener
        self._known: timedelta | None = None

    async def compare(self, look: Look) -> None:
        """Compare the two clocks at a look. If the ledger is away, a later look compares them
        again."""
        if look.date is None:
            return
        known, ahead = self._known, look.at - look.date
        if known is not None and abs(ahead - known) <= _TOLERANCE:
            return
        self._known = ahead
        try:
            noted = await self._ledger.transact(lambda tx: note_difference(tx, ahead))
        except LedgerUnavailable:
            self._known = known
            return
        self._listener(ApiClockSeen(ledger_ahead=ahead))
        before = known if known is not None else noted
        if before is not None and abs(ahead - before) > _TOLERANCE:
            self._listener(ClockJumped(by=ahead - before, ledger_ahead=ahead))
