"""How much of the fleet's limits is used, by the ledger: one reading for the decision, the metrics,
the page and the commands."""

from datetime import datetime

from watchdog.domain.records import Fleet, FleetLimits
from watchdog.engine.events import FleetSeen
from watchdog.engine.fleet.api_clock import api_date
from watchdog.engine.ports import LedgerTransaction, Listener


def fleet_used(tx: LedgerTransaction, limits: FleetLimits, *, date: datetime | None) -> Fleet:
    """The fleet with its use of these limits, and nothing else of it. `date` is what the API's
    clock says at the present look."""
    most = max(limits.max_attempts_per_window, limits.max_retries_per_minute)
    usage = tx.usage.of_fleet(date=date, most=most)
    return Fleet(limits, usage.in_flight, usage.sent, usage.charged)


class UsageWatch:
    """Read in the transaction of each tick, because commands and passing time change it too.
    Reported after the transaction if it has changed since the last report."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._told: Fleet | None = None

    @staticmethod
    def read(tx: LedgerTransaction, limits: FleetLimits) -> Fleet:
        return fleet_used(tx, limits, date=api_date(tx))

    def tell(self, fleet: Fleet) -> None:
        if fleet != self._told:
            self._told = fleet
            self._listener(FleetSeen(fleet=fleet))
