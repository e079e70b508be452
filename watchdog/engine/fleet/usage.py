"""How much of the fleet's limits is used, by the ledger: one reading for the decision, the metrics,
the page and the commands."""

from datetime import datetime

from watchdog.domain.limits import FLEET_DAY, FLEET_MINUTE
from watchdog.domain.records import Fleet, FleetLimits
from watchdog.engine.events import FleetSeen
from watchdog.engine.fleet.api_clock import api_date
from watchdog.engine.ports import LedgerTransaction, Listener


def fleet_used(tx: LedgerTransaction, limits: FleetLimits, *, date: datetime | None) -> Fleet:
    """A `Fleet` in which only the limits and how much of them is used are filled in. `date` is what
    the API's clock says at the present look."""
    usage = tx.usage.of_fleet(date=date, most=limits.most)
    return Fleet(limits, usage.in_flight, usage.sent, usage.charged)


class UsageWatch:
    """Read in the transaction of a tick, if commands or passing time may have changed it. Reported
    after the transaction if it has changed since the last report."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._told: Fleet | None = None

    @staticmethod
    def read(tx: LedgerTransaction, limits: FleetLimits) -> Fleet:
        return fleet_used(tx, limits, date=api_date(tx))

    def lasts(self, now: datetime) -> bool:
        """Whether what was told is still so, unless the ledger has changed. Nobody knows when a
        place in flight will be free."""
        told = self._told
        if told is None or told.in_flight:
            return False
        minute, day = now - FLEET_MINUTE, now - FLEET_DAY
        return all(at > minute for at in told.sent) and all(at > day for at in told.charged)

    def tell(self, fleet: Fleet | None) -> None:
        if fleet is not None and fleet != self._told:
            self._told = fleet
            self._listener(FleetSeen(fleet=fleet))
