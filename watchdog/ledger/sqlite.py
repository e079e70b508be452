"""A ledger in a SQLite file: the file, its locks, and all that may happen to it."""

import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote, unquote

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from watchdog.engine.ports import Clock, LedgerUnavailable
from watchdog.ledger.errors import (
    MEND,
    LedgerBroken,
    LedgerInUse,
    LedgerMissing,
    explain,
    is_busy,
    is_unsound,
    outlasts_its_cause,
)
from watchdog.ledger.locks import FileLock, Role
from watchdog.ledger.opening import Opened, prepare

BUSY_SECONDS = 5.0
"""Longer than any transaction of ours; a writer that holds on longer is a fault worth telling."""

_POLL_SECONDS = 0.05

_COMMAND_WAIT_SECONDS = 5
"""How long a command waits for another one: longer than one that retries nothing takes."""

_DAEMON_WAIT_SECONDS = 1
"""How long a daemon waits: somebody may be looking whether one lives (`FileLock.is_free`)."""

_INODE = "inode"

_IDENTITY = """
SELECT (SELECT version_num FROM alembic_version),
    (SELECT value FROM meta WHERE key = 'created_at'),
    (SELECT value FROM meta WHERE key = 'base_url')
"""

T = TypeVar("T")


class SqliteDatabase:
    """See `database.Database`. One daemon and one command at a time hold its file locks."""

    busy_seconds = BUSY_SECONDS
    wall = None

    def __init__(self, engine: Engine, locks: dict[Role, FileLock], clock: Clock) -> None:
        self._engine = engine
        self._locks = locks
        self._clock = clock
        # Both belong to the ledger's thread.
        self._identity: tuple[Any, ...] | None = None
        self._unsound = False

    @classmethod
    def open(
        cls, url: URL, *, clock: Clock, base_url: str, role: Role
    ) -> tuple["SqliteDatabase", Opened]:
        """Raises LedgerSetupError."""
        path = Path(url.database or "").absolute()
        locks = {
            kind: FileLock(path.with_name(f"{path.name}.{kind}.lock"))
            for kind in (Role.DAEMON, Role.COMMAND)
        }
        reading = role is Role.READER
        if reading and not path.exists():
            raise LedgerMissing(f"there is no ledger at {path} yet: start the daemon first")
        engine = make_engine(url, read_only=reading)

        def first_transaction() -> Opened:
            with engine.begin() as connection:
                if not reading and not is_sound(connection):
                    raise LedgerBroken(f"the ledger {path} cannot be used: it is damaged: {MEND}")
                return prepare(
                    connection,
                    base_url=base_url,
                    now=clock.now(),
                    make=not reading,
                    # Not under a daemon of another version, which would then find it changed.
                    migrate=role is Role.DAEMON or (not reading and locks[Role.DAEMON].is_free()),
                    where=str(path),
                )

        database = cls(engine, locks, clock)
        try:
            if not reading:
                make_file(path)
            if role in locks:
                _take(locks[role], role, path)
            return database, patiently(first_transaction)
        except BaseException as error:
            database.close()
            if isinstance(error, (OSError, SQLAlchemyError)):
                raise LedgerBroken(f"the ledger {path} cannot be used: {explain(error)}") from error
            raise

    @contextmanager
    def transaction(self, deadline: float) -> Iterator[tuple[Connection, datetime]]:
        """Another process is waited for until `deadline`: all that is asked for meanwhile fails
        at about the same time, and not each only after the one before."""
        with self._engine.connect() as connection:
            self._find(connection)
            wait_at_most(connection, deadline - time.monotonic())
            with connection.begin():
                self._check(connection)
                yield connection, self._clock.now()

    def unavailable(self, error: Exception) -> LedgerUnavailable:
        self._unsound = self._unsound or is_unsound(error)
        if outlasts_its_cause(error):
            self._engine.dispose()
        return LedgerUnavailable(
            f"the ledger {path_of(self._engine)} does not answer: {explain(error)}"
        )

    def _find(self, connection: Connection) -> None:
        """See that the file is where it was, before a transaction. Raises LedgerUnavailable."""
        try:
            moved = is_moved(connection)
        except OSError as error:
            # The connection is kept: should the file come back, it goes on where it was.
            leave_nothing_behind(connection)
            raise LedgerUnavailable(
                f"the ledger {path_of(self._engine)} is gone: {error.strerror}: "
                "put it back, or restart to make a new one"
            ) from error
        if moved:
            leave_nothing_behind(connection)
            connection.invalidate()
            raise LedgerUnavailable(
                f"the ledger {path_of(self._engine)} was replaced: looking at what is there now"
            )
        if self._unsound:
            read_anew(connection)

    def _check(self, connection: Connection) -> None:
        """See that it still is the ledger that was opened, and good. Raises LedgerUnavailable."""
        if self._unsound:
            # Nothing more is written to a damaged file: that would only damage it further.
            if not is_sound(connection):
                raise LedgerUnavailable(
                    f"the ledger {path_of(self._engine)} is damaged: put a good copy in its place"
                )
            self._unsound = False
        found = identity(connection)
        self._identity = self._identity or found
        if found != self._identity:
            raise LedgerUnavailable(
                f"the ledger {path_of(self._engine)} is another one than was opened: "
                "put that back, or restart to use this"
            )

    def knows_dead(self, owner: str, waited: timedelta, *, own: bool) -> bool:
        """Whoever finds a role's lock free, or holds it, knows that an earlier owner is dead."""
        if own:
            return False
        try:
            lock = self._locks[Role(owner.partition(":")[0])]
        except (KeyError, ValueError):
            return False
        return lock.held or lock.is_free()

    def interrupt(self) -> None:
        """Nothing to do: SQLite itself waits no longer than until the deadline."""

    def hold_active(self) -> bool:
        """The daemon's file lock was taken when the ledger was opened."""
        return True

    def close(self) -> None:
        self._engine.dispose()
        for lock in self._locks.values():
            lock.release()


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


def _take(lock: FileLock, role: Role, path: Path) -> None:
    wait = _COMMAND_WAIT_SECONDS if role is Role.COMMAND else _DAEMON_WAIT_SECONDS
    if not lock.acquire(wait):
        raise LedgerInUse(
            f"another {role} ({lock.holder()}) is using the ledger {path}: "
            "stop it first, or set another store.url"
        )


def _driver(connection: Connection) -> Any:
    """SQLite's own connection."""
    return connection.connection.driver_connection
