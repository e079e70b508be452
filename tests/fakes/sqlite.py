"""A look into the SQLite ledger, for the faults that only its engine can be given."""

from sqlalchemy import Engine

from watchdog.ledger import SqlLedger
from watchdog.ledger.sqlite import SqliteDatabase


def engine_of(ledger: SqlLedger) -> Engine:
    database = ledger._database
    assert isinstance(database, SqliteDatabase)
    return database._engine
