"""Opening a SQLite ledger: the file, its schema, and whose history it holds."""

import os
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, inspect, select, text
from sqlalchemy.engine import URL

from watchdog.ledger.errors import LedgerMismatch, LedgerSetupError, LedgerTooNew
from watchdog.ledger.schema import meta

SCHEMA = "0003"
"""The newest revision in migrations/."""

_BUSY_TIMEOUT_MILLISECONDS = 5_000
"""Longer than any transaction of ours; a writer that holds on longer is a fault worth telling."""

_CREATED_AT = "created_at"
_BASE_URL = "base_url"


def make_file(path: Path) -> None:
    """Make the file, readable by its owner alone: it says what runs where. Raises OSError."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))


def make_engine(url: URL, *, read_only: bool) -> Engine:
    """An engine whose transactions begin by taking the write lock, or for a reader do not."""
    engine = create_engine(url, pool_size=1, max_overflow=0)
    begin = "BEGIN" if read_only else "BEGIN IMMEDIATE"

    @event.listens_for(engine, "connect")
    def connect(connection: Any, _: object) -> None:
        # The driver must not begin transactions by itself: it would do so late, and not immediate.
        connection.isolation_level = None
        connection.execute(f"PRAGMA busy_timeout = {_BUSY_TIMEOUT_MILLISECONDS}")
        connection.execute("PRAGMA foreign_keys = ON")
        if not read_only:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")

    @event.listens_for(engine, "begin")
    def begun(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine


def prepare(
    connection: Connection, *, base_url: str, now: datetime, migrate: bool, where: str
) -> tuple[datetime, bool]:
    """Bring the schema up to date and check whose ledger it is.

    Returns when it was made, and whether that was just now. Raises LedgerSetupError.
    """
    found = _revision(connection)
    if found != SCHEMA:
        _check_known(found, where)
        if not migrate:
            raise LedgerSetupError(f"the ledger {where} is not up to date: start the daemon first")
        _migrate(connection)
    rows = {row.key: row.value for row in connection.execute(select(meta.c.key, meta.c.value))}
    if _CREATED_AT not in rows:
        new = {_CREATED_AT: now.isoformat(), _BASE_URL: base_url}
        connection.execute(meta.insert(), [{"key": k, "value": v} for k, v in new.items()])
        return now, True
    if rows[_BASE_URL] != base_url:
        raise LedgerMismatch(
            f"the ledger {where} holds the history of {rows[_BASE_URL]}, not of {base_url}: "
            "give each its own store.url"
        )
    return datetime.fromisoformat(rows[_CREATED_AT]), False


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return found


def _check_known(revision: str | None, where: str) -> None:
    if revision is not None and revision > SCHEMA:
        raise LedgerTooNew(
            f"the ledger {where} was written by a newer version (schema {revision}, this one knows "
            f"{SCHEMA}): upgrade, or use another store.url"
        )


def _migrate(connection: Connection) -> None:
    # Slow to import, and needed only when the schema changes.
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", "watchdog.ledger:migrations")
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
