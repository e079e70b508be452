"""The hold that a 429 asked for. The ledger keeps it, so that every process obeys it."""

from datetime import datetime

from watchdog.domain.limits import LONGEST_HOLD
from watchdog.domain.records import DecisionReason, Hold
from watchdog.engine.ports import LedgerTransaction

_HELD_UNTIL = "held_until"
"""The key in the ledger's `meta`."""


def keep_hold(tx: LedgerTransaction, hold: Hold) -> None:
    tx.meta.set(_HELD_UNTIL, hold.until.isoformat())


def held(tx: LedgerTransaction, now: datetime) -> Hold | None:
    """The hold that a 429 asked for, whichever process received it."""
    kept = tx.meta.get(_HELD_UNTIL)
    until = datetime.fromisoformat(kept) if kept is not None else now
    if until <= now or until > now + LONGEST_HOLD:
        return None  # It is over, or a clock that was ahead wrote it.
    return Hold(DecisionReason.API_HELD, until)
