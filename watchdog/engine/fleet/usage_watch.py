"""Reports how much of the fleet's limits is used, when that changes."""

from datetime import datetime

from watchdog.domain.limits import FLEET_DAY, FLEET_MINUTE
from watchdog.domain.records import Fleet, FleetLimits
from watchdog.engine.events import FleetSeen
from watchdog.engine.fleet.api_date import api_date
from watchdog.engine.fleet.usage import fleet_used
from watchdog.engine.ports import LedgerTransaction, Listener


class UsageWatch:
    """Read in the transaction of a tick, if a command, or the time that passed, may have changed
    it. Reported after the transaction if it has changed since the last report."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._told: Fleet | None = None

    @staticmethod
    def read(tx: LedgerTransaction, limits: FleetLimits) -> Fleet:
        return fleet_used(tx, limits, date=api_date(tx))

    def lasts(self, now: datetime) -> bool:
        """Whether the last report is still true, if the ledger has not changed. False while a place
        in flight is held, because time alone may free it."""
        told = self._told
        if told is None or told.in_flight:
            return False
        minute, day = now - FLEET_MINUTE, now - FLEET_DAY
        return all(at > minute for at in told.sent) and all(at > day for at in told.charged)

    def tell(self, fleet: Fleet | None) -> None:
        if fleet is not None and fleet != self._told:
            self._told = fleet
            self._listener(FleetSeen(fleet=fleet))
