"""How far the ledger's time is ahead of the API's clock, as the ledger keeps it, and so what that
clock says now."""

from datetime import datetime, timedelta

from watchdog.engine.ports import LedgerTransaction

_AHEAD = "ledger_ahead_of_api"
"""In the ledger's `meta`: by how many seconds."""


def note_difference(tx: LedgerTransaction, ahead: timedelta) -> timedelta | None:
    """Write the difference, and return the one that was written before."""
    before = _noted(tx)
    tx.meta.set(_AHEAD, str(ahead.total_seconds()))
    return before


def _noted(tx: LedgerTransaction) -> timedelta | None:
    noted = tx.meta.get(_AHEAD)
    return None if noted is None else timedelta(seconds=float(noted))


def api_date(tx: LedgerTransaction) -> datetime | None:
    """What the API's clock says now. Only for display: no retry depends on it."""
    noted = _noted(tx)
    return None if noted is None else tx.now() - noted
