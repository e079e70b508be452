"""What is asked of SQLite itself: a file's engine, its state and its identity."""

import os
import sqlite3
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote, unquote

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError

from watchdog.ledger.errors import is_busy

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
        if read_only:
            connection.execute("PRAGMA query_only = ON")
        else:
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
    """Forget what was read of the file: a damaged page stays in memory when the file is fixed."""
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


def _driver(connection: Connection) -> Any:
    """SQLite's own connection."""
    return connection.connection.driver_connection
