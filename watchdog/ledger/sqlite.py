"""A ledger in a SQLite file: its locks, and what to do when the file is moved, replaced or
damaged."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine
from sqlalchemy.engine import URL
from sqlalchemy.exc import SQLAlchemyError

from watchdog.engine.ports import Clock, LedgerUnavailable, LedgerVersion
from watchdog.files.regular import check_regular
from watchdog.ledger.errors import (
    FIX,
    LedgerBroken,
    LedgerInUse,
    LedgerMissing,
    explain,
    is_unsound,
    outlasts_its_cause,
)
from watchdog.ledger.locks import FileLock, Role
from watchdog.ledger.opening import Opened, prepare
from watchdog.ledger.shared_clock import SharedClock
from watchdog.ledger.sqlite_file import (
    BUSY_SECONDS,
    Changes,
    identity,
    is_moved,
    is_sound,
    leave_nothing_behind,
    make_engine,
    make_file,
    path_of,
    patiently,
    read_anew,
    wait_at_most,
)
from watchdog.ledger.turns import Line

_COMMAND_WAIT_SECONDS = 5
"""Seconds that a command waits for another one to end: longer than a command that retries nothing
takes."""

_DAEMON_WAIT_SECONDS = 1
"""Seconds that a daemon waits: tolerates a process that briefly holds the lock in
`FileLock.is_free`."""


HEARTBEAT = timedelta(seconds=24)
"""Each heartbeat writes a page of the write-ahead log and of its index, so there are few. Other
processes see by the file lock whether the daemon lives. The daemon is shown as gone after
`domain.replica.GONE_AFTER`, so a heartbeat may be late by a tick and `sqlite_file.BUSY_SECONDS`."""


class SqliteDatabase:
    """See `database.Database`. At most one daemon and one command hold its file locks at a time."""

    busy_seconds = BUSY_SECONDS
    heartbeat = HEARTBEAT

    def __init__(self, engine: Engine, locks: dict[Role, FileLock], clock: SharedClock) -> None:
        self._engine = engine
        self._locks = locks
        self._clock = clock
        self.changes = Changes(path_of(engine))
        # Only the ledger's thread uses these two.
        self._identity: tuple[Any, ...] | None = None
        self._unsound = False

    @classmethod
    def open(
        cls, url: URL, *, clock: Clock, base_url: str, role: Role, make: bool
    ) -> tuple["SqliteDatabase", Opened]:
        """Raises LedgerSetupError."""
        path = Path(url.database or "").absolute()
        locks = {
            kind: FileLock(path.with_name(f"{path.name}.{kind}.lock"))
            for kind in (Role.DAEMON, Role.COMMAND)
        }
        reading = role is Role.READER
        if not make and not path.exists():
            raise LedgerMissing(str(path))
        engine = make_engine(url, read_only=reading)
        database = cls(engine, locks, SharedClock(clock, locks[Role.DAEMON]))

        def first_transaction() -> Opened:
            with engine.begin() as connection:
                if not reading and not is_sound(connection):
                    raise LedgerBroken(f"the ledger {path} cannot be used: it is damaged: {FIX}")
                return prepare(
                    connection,
                    base_url=base_url,
                    now=database._clock.now(),
                    make=make,
                    # Not while a daemon of an older version is running: it would find the schema
                    # changed.
                    migrate=role is Role.DAEMON or (not reading and locks[Role.DAEMON].is_free()),
                    where=str(path),
                )

        try:
            if reading:
                check_regular(path, null=False)
            else:
                make_file(path)
            if role in locks:
                _take(locks[role], role, path)
                database._clock.now()  # From here on the other processes use a daemon's time.
            return database, patiently(first_transaction)
        except (OSError, SQLAlchemyError) as error:
            told = explain(error)  # While what is open is still open.
            database.close()
            raise LedgerBroken(f"the ledger {path} cannot be used: {told}") from error
        except BaseException:
            database.close()
            raise

    def version(self) -> LedgerVersion:
        """See `database.Database`."""
        self._clock.now()  # Other processes follow this clock, also while nothing is due.
        return self.changes.version()

    def reader(self) -> "SqliteDatabase":
        """See `database.Database`."""
        url = URL.create("sqlite", database=path_of(self._engine))
        return SqliteDatabase(make_engine(url, read_only=True), {}, self._clock)

    @property
    def line(self) -> Line:
        return self

    @property
    def pulse(self) -> None:
        return None

    @contextmanager
    def transaction(self, asked_at: float) -> Iterator[tuple[Connection, datetime]]:
        """Waits for another process until `busy_seconds` after `asked_at`. So all requests that
        were made in this time fail at about the same time, and do not each wait as long after the
        one before."""
        with self._engine.connect() as connection:
            self._find(connection)
            wait_at_most(connection, self.seconds_left(asked_at))
            with connection.begin():
                self._check(connection)
                yield connection, self._clock.now()

    @property
    def wall(self) -> Callable[[], datetime | None] | None:
        """None in the daemon's process: all other processes use the daemon's clock."""
        return None if self._locks[Role.DAEMON].is_ours else self._clock.daemons

    def unavailable(self, error: Exception) -> LedgerUnavailable:
        self._unsound = self._unsound or is_unsound(error)
        if outlasts_its_cause(error):
            self._engine.dispose()
        return LedgerUnavailable(
            f"the ledger {path_of(self._engine)} does not answer: {explain(error)}"
        )

    def _find(self, connection: Connection) -> None:
        """Check before a transaction that the file is still at its path. Raises
        LedgerUnavailable."""
        try:
            moved = is_moved(connection)
        except OSError as error:
            # The connection stays open: if the file is put back, it is used again.
            leave_nothing_behind(connection)
            raise LedgerUnavailable(
                f"the ledger {path_of(self._engine)} is gone: {error.strerror}: "
                "put it back, or restart to make a new one"
            ) from error
        if moved:
            leave_nothing_behind(connection)
            connection.invalidate()
            raise LedgerUnavailable(
                f"the ledger {path_of(self._engine)} was replaced: the next try opens the new file"
            )
        if self._unsound:
            read_anew(connection)

    def _check(self, connection: Connection) -> None:
        """Check that this still is the ledger that was opened, and that it is not damaged. Raises
        LedgerUnavailable."""
        if self._unsound:
            # Nothing more is written to a damaged file: writing would damage it further.
            if not is_sound(connection):
                raise LedgerUnavailable(
                    f"the ledger {path_of(self._engine)} is damaged: put a good copy in its place"
                )
            self._unsound = False
        found = identity(connection)
        self._identity = self._identity or found
        if found != self._identity:
            raise LedgerUnavailable(
                f"the ledger {path_of(self._engine)} is not the one that was opened: "
                "put that one back, or restart to use this one"
            )

    def knows_dead(self, owner: str, waited: timedelta, *, own: bool) -> bool:
        """Another owner of a role is dead if this process holds the role's lock, or finds it
        free."""
        if own:
            return False
        try:
            lock = self._locks[Role(owner.partition(":")[0])]
        except (KeyError, ValueError):
            return False
        return lock.is_ours or lock.is_free()

    def seconds_left(self, asked_at: float) -> float:
        """See `turns.Line`."""
        return asked_at + self.busy_seconds - time.monotonic()

    def interrupt(self) -> None:
        """Nothing to do: SQLite's busy timeout ends the wait."""

    def hold_active(self) -> int:
        """Always 1: the daemon took its file lock when the ledger was opened, and keeps it until
        `close`."""
        return 1

    def release_active(self) -> bool:
        """Always False: no other process can become active before `close`. See `hold_active`."""
        return False

    def close(self) -> None:
        self.changes.close()
        self._engine.dispose()
        for lock in self._locks.values():
            lock.release()


def _take(lock: FileLock, role: Role, path: Path) -> None:
    wait = _COMMAND_WAIT_SECONDS if role is Role.COMMAND else _DAEMON_WAIT_SECONDS
    if not lock.acquire(wait):
        raise LedgerInUse(
            f"another {role} ({lock.holder()}) is using the ledger {path}: "
            "stop it first, or set another store.url"
        )
