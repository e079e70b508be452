"""A ledger in a SQLite file: its locks, and all that may happen to the file."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine
from sqlalchemy.engine import URL
from sqlalchemy.exc import SQLAlchemyError

from watchdog.engine.ports import Clock, LedgerUnavailable
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
"""How long a command waits for another one: longer than one that retries nothing takes."""

_DAEMON_WAIT_SECONDS = 1
"""Tolerates a process that briefly holds the lock while it probes `FileLock.is_free`."""


class SqliteDatabase:
    """See `database.Database`. One daemon and one command at a time hold its file locks."""

    busy_seconds = BUSY_SECONDS

    def __init__(self, engine: Engine, locks: dict[Role, FileLock], clock: SharedClock) -> None:
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
        database = cls(engine, locks, SharedClock(clock, locks[Role.DAEMON]))

        def first_transaction() -> Opened:
            with engine.begin() as connection:
                if not reading and not is_sound(connection):
                    raise LedgerBroken(f"the ledger {path} cannot be used: it is damaged: {FIX}")
                return prepare(
                    connection,
                    base_url=base_url,
                    now=database._clock.now(),
                    make=not reading,
                    # Not under a daemon of another version, which would then find it changed.
                    migrate=role is Role.DAEMON or (not reading and locks[Role.DAEMON].is_free()),
                    where=str(path),
                )

        try:
            if not reading:
                make_file(path)
            if role in locks:
                _take(locks[role], role, path)
                database._clock.now()  # From here on the others go by it.
            return database, patiently(first_transaction)
        except BaseException as error:
            database.close()
            if isinstance(error, (OSError, SQLAlchemyError)):
                raise LedgerBroken(f"the ledger {path} cannot be used: {explain(error)}") from error
            raise

    def reader(self) -> "SqliteDatabase":
        """See `database.Database`."""
        url = URL.create("sqlite", database=path_of(self._engine))
        return SqliteDatabase(make_engine(url, read_only=True), {}, self._clock)

    @property
    def line(self) -> Line:
        return self

    @property
    def pulse(self) -> Line:
        return self

    @contextmanager
    def transaction(self, asked_at: float) -> Iterator[tuple[Connection, datetime]]:
        """Another process is waited for until some time after `asked_at`: all that is asked for
        meanwhile fails at about the same time, and not each only after the one before."""
        with self._engine.connect() as connection:
            self._find(connection)
            wait_at_most(connection, self.seconds_left(asked_at))
            with connection.begin():
                self._check(connection)
                yield connection, self._clock.now()

    @property
    def wall(self) -> Callable[[], datetime | None] | None:
        """A daemon's clock is the one that all the others go by."""
        return None if self._locks[Role.DAEMON].is_ours else self._clock.daemons

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
        return lock.is_ours or lock.is_free()

    def seconds_left(self, asked_at: float) -> float:
        """See `turns.Line`."""
        return asked_at + self.busy_seconds - time.monotonic()

    def interrupt(self) -> None:
        """Nothing to do: SQLite itself waits no longer than that."""

    def hold_active(self) -> int:
        """The daemon's file lock was taken when the ledger was opened, for good."""
        return 1

    def release_active(self) -> bool:
        """Nobody else could take it over: see `hold_active`."""
        return False

    def close(self) -> None:
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
