"""Functions that use SQLite directly: the engine of a file, the file's state and its identity."""

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

from watchdog.engine.ports import LedgerVersion
from watchdog.files.regular import check_regular, open_own, open_regular
from watchdog.ledger.errors import is_busy

BUSY_SECONDS = 5.0
"""Longer than any transaction of this program. If a writer holds the lock longer, that is a fault
to report."""

_POLL_SECONDS = 0.05

_LONGEST_NAME = 255
"""Bytes, on the usual file systems."""

_LONGEST_ADDITION = ".command.lock"
"""To the name of the ledger, for a file beside it."""

_INODE = "inode"

_IDENTITY = """
SELECT (SELECT version_num FROM alembic_version),
    (SELECT value FROM meta WHERE key = 'created_at'),
    (SELECT value FROM meta WHERE key = 'base_url')
"""

T = TypeVar("T")


def unusable(path: Path) -> str | None:
    """Why no ledger can be there, as far as that is known without opening it. None if there is
    nothing there, because the ledger may be for another machine."""
    if len(os.fsencode(path.name)) + len(_LONGEST_ADDITION) > _LONGEST_NAME:
        return f"its name is too long for a file beside it, whose name ends in {_LONGEST_ADDITION}"
    try:
        check_regular(path, null=False)
    except (FileNotFoundError, PermissionError):
        return None
    except OSError as error:
        return error.strerror
    return None


def make_file(path: Path) -> None:
    """Create the file, readable only by its owner: it contains the names of models and hosts. A
    file that exists may be a link to a ledger, but not a link that leads nowhere. Raises
    OSError."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        descriptor = open_regular(path, os.O_RDWR, null=False)
    except FileNotFoundError:
        descriptor = open_own(path, os.O_RDWR | os.O_CREAT)
    os.close(descriptor)


def make_engine(url: URL, *, read_only: bool) -> Engine:
    """An engine whose transactions take the write lock when they begin; a reader's take none."""
    # mode=rw never creates a file: a deleted ledger must not be replaced by an empty one, with
    # unused budgets.
    place = quote(str(Path(url.database or "").absolute()))
    url = url.set(database=f"file:{place}", query={"mode": "rw", "uri": "true"})
    engine = create_engine(url, pool_size=1, max_overflow=0)
    begin = "BEGIN" if read_only else "BEGIN IMMEDIATE"

    @event.listens_for(engine, "connect")
    def connect(connection: Any, record: Any) -> None:
        # The driver must not begin transactions itself: it would begin them at the first write, and
        # not as IMMEDIATE.
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
    """Call `work` again while another process holds the ledger, for at most BUSY_SECONDS.

    SQLite's own busy timeout does not cover everything: it does not cover the switch of a new file
    to WAL mode, nor two processes that create the schema at the same time.
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
    """Set how long the next transaction may wait for another process."""
    _driver(connection).execute(f"PRAGMA busy_timeout = {max(0, int(seconds * 1000))}")


def read_anew(connection: Connection) -> None:
    """Empty SQLite's page cache: a damaged page stays in it after the file has been fixed."""
    _driver(connection).execute("PRAGMA shrink_memory")


def leave_nothing_behind(connection: Connection) -> None:
    """Move the content of the WAL into the file that it belongs to, wherever that file is now, if
    possible. Otherwise SQLite would apply it to any other file that is put at the same path."""
    with suppress(sqlite3.Error):
        _driver(connection).execute("PRAGMA wal_checkpoint(TRUNCATE)")


def is_moved(connection: Connection) -> bool:
    """Whether the path no longer leads to the file that this connection has open. What is written
    to a deleted file is lost at the next start. Raises OSError if there is no file at the path."""
    file, inode = connection.info[_INODE]  # the path, and the device and inode numbers
    found = os.stat(file)  # noqa: PTH116 - several times as fast, and done in every transaction
    return bool((found.st_dev, found.st_ino) != inode)


def identity(connection: Connection) -> tuple[Any, ...]:
    """What distinguishes a ledger from every other, and from the same one after a newer version
    migrated it. Read in every transaction, and therefore with the driver, which is faster than
    SQLAlchemy; raises the driver's errors."""
    found: tuple[Any, ...] = _driver(connection).execute(_IDENTITY).fetchone()
    return found


def is_sound(connection: Connection) -> bool:
    """Whether the file's structure is intact. Reads the whole file."""
    return connection.exec_driver_sql("PRAGMA quick_check(1)").scalar() == "ok"


class Changes:
    """Whether the file has changed since it was last asked. SQLite counts, for each connection, the
    commits of all others in all processes, and a count costs no lock and no reading of the disk. So
    this has a connection of its own, which does nothing else."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._opened: tuple[sqlite3.Connection, tuple[int, int]] | None = None

    def version(self) -> LedgerVersion:
        """Never equal to another one if the file cannot be asked."""
        try:
            found = os.stat(self._path)  # noqa: PTH116 - see `is_moved`
            inode = found.st_dev, found.st_ino
            if self._opened is None or self._opened[1] != inode:
                self.close()
                self._opened = self._connect(), inode
            connection, _ = self._opened
            ((commits,),) = connection.execute("PRAGMA data_version")
        except (OSError, sqlite3.Error):
            self.close()
            return object()
        return connection, commits

    def close(self) -> None:
        if self._opened is not None:
            self._opened[0].close()
            self._opened = None

    def _connect(self) -> sqlite3.Connection:
        where = f"file:{quote(self._path)}?mode=rw"
        connection = sqlite3.connect(where, uri=True, timeout=0, check_same_thread=False)
        connection.execute("PRAGMA query_only = ON")
        return connection


def _driver(connection: Connection) -> Any:
    """The driver's connection."""
    return connection.connection.driver_connection
