"""How much of the fleet's limits is used, by the ledger: one reading for the decision, the metrics,
the page and the commands."""

from datetime import datetime

from watchdog.domain.records import Fleet, FleetLimits
from watchdog.engine.ports import LedgerTransaction


def fleet_used(tx: LedgerTransaction, limits: FleetLimits, *, date: datetime | None) -> Fleet:
    """A `Fleet` in which only the limits and how much of them is used are filled in. `date` is what
    the API's clock says at the present look."""
    usage = tx.usage.of_fleet(date=date, most=limits.most)
    return Fleet(limits, usage.in_flight, usage.sent, usage.charged)
