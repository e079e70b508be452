"""Opening a SQLite ledger: the file, its schema, and whose history it holds."""

import os
import sqlite3
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote, unquote

from sqlalchemy import Connection, Engine, create_engine, event, inspect, select, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError

from watchdog.ledger.errors import (
    LedgerMismatch,
    LedgerMissing,
    LedgerSetupError,
    LedgerTooNew,
    is_busy,
)
from watchdog.ledger.schema import meta

SCHEMA = "0003"
"""The newest revision in migrations/."""

BUSY_SECONDS = 5.0
"""Longer than any transaction of ours; a writer that holds on longer is a fault worth telling."""

_POLL_SECONDS = 0.05

_INODE = "inode"

_IDENTITY = """
SELECT (SELECT version_num FROM alembic_version),
    (SELECT value FROM meta WHERE key = 'created_at'),
    (SELECT value FROM meta WHERE key = 'base_url')
"""

T = TypeVar("T")

_CREATED_AT = "created_at"
_BASE_URL = "base_url"


def make_file(path: Path) -> None:
    """Make the file, readable by its owner alone: it says what runs where. Raises OSError."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))


def make_engine(url: URL, *, read_only: bool) -> Engine:
    """An engine whose transactions begin by taking the write lock, or for a reader do not."""
    # Never makes a file: one that was deleted must not come back empty, with fresh budgets.
    place = quote(str(Path(url.database or "").absolute()))
    url = url.set(database=f"file:{place}", query={"mode": "rw", "uri": "true"})
    engine = create_engine(url, pool_size=1, max_overflow=0)
    begin = "BEGIN" if read_only else "BEGIN IMMEDIATE"

    @event.listens_for(engine, "connect")
    def connect(connection: Any, record: Any) -> None:
        # The driver must not begin transactions by itself: it would do so late, and not immediate.
        connection.isolation_level = None
        connection.execute(f"PRAGMA busy_timeout = {int(BUSY_SECONDS * 1000)}")
        connection.execute("PRAGMA foreign_keys = ON")
        if not read_only:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
        ((_, _, file),) = connection.execute("PRAGMA database_list")
        found = Path(file).stat()
        record.info[_INODE] = file, (found.st_dev, found.st_ino)

    @event.listens_for(engine, "begin")
    def begun(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine


def path_of(engine: Engine) -> str:
    return unquote((engine.url.database or "").removeprefix("file:"))


def patiently(work: Callable[[], T]) -> T:
    """Do it again while another process holds the ledger, for as long as a transaction may wait.

    SQLite itself does not wait for everything: not to switch a new file to its log, nor where two
    make the schema at once.
    """
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            return work()
        except DBAPIError as error:
            if not is_busy(error) or time.monotonic() >= deadline:
                raise
        time.sleep(_POLL_SECONDS)


def wait_at_most(connection: Connection, seconds: float) -> None:
    """How long the next transaction may wait for another process."""
    _driver(connection).execute(f"PRAGMA busy_timeout = {max(0, int(seconds * 1000))}")


def read_anew(connection: Connection) -> None:
    """Forget what was read of the file: a damaged page stays in memory when the file is mended."""
    _driver(connection).execute("PRAGMA shrink_memory")


def leave_nothing_behind(connection: Connection) -> None:
    """Bring the log into the file that it belongs to, wherever that is now, as well as that goes:
    SQLite would take what is in it for a part of any other file of that name."""
    with suppress(sqlite3.Error):
        _driver(connection).execute("PRAGMA wal_checkpoint(TRUNCATE)")


def is_moved(connection: Connection) -> bool:
    """Whether the file that it was opened on is no longer the one of that name. What is written
    to a deleted file is lost at the next start. Raises OSError where there is none."""
    file, inode = connection.info[_INODE]  # a path, and its device and number
    found = os.stat(file)  # noqa: PTH116 - several times as fast, and done in every transaction
    return bool((found.st_dev, found.st_ino) != inode)


def identity(connection: Connection) -> tuple[Any, ...]:
    """What tells a ledger from every other, and from what a newer version made of it. Asked in
    every transaction, hence of SQLite itself; raises its errors."""
    found: tuple[Any, ...] = _driver(connection).execute(_IDENTITY).fetchone()
    return found


def is_sound(connection: Connection) -> bool:
    """Whether the file's structure is whole: reads all of it."""
    return connection.exec_driver_sql("PRAGMA quick_check(1)").scalar() == "ok"


def prepare(
    connection: Connection,
    *,
    base_url: str,
    now: datetime,
    make: bool,
    migrate: bool,
    where: str,
) -> tuple[datetime, bool]:
    """Bring the schema up to date and check whose ledger it is. `make` one where there is none,
    `migrate` an older one.

    Returns when it was made, and whether that was just now. Raises LedgerSetupError.
    """
    found = _revision(connection)
    if found != SCHEMA:
        _check_known(found, where)
        if found is None and not make:
            raise LedgerMissing(f"there is no ledger at {where} yet: start the daemon first")
        if found is not None and not migrate:
            raise LedgerSetupError(
                f"the ledger {where} is not up to date: start the daemon of this version first"
            )
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


def _driver(connection: Connection) -> Any:
    """SQLite's own connection."""
    return connection.connection.driver_connection
