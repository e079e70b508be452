"""The ledger on SQLite or PostgreSQL, through the same code."""

from watchdog.ledger.errors import LedgerMissing, LedgerSetupError
from watchdog.ledger.locks import Role
from watchdog.ledger.store import SqlLedger

__all__ = ["LedgerMissing", "LedgerSetupError", "Role", "SqlLedger"]
