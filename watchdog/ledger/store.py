"""The ledger on SQLAlchemy: one worker thread, one transaction at a time."""

import asyncio
import sqlite3
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, make_url
from sqlalchemy.engine import URL
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from watchdog.engine.ports import Clock, LedgerTransaction, LedgerUnavailable
from watchdog.ledger.errors import (
    MEND,
    LedgerBroken,
    LedgerInUse,
    LedgerMissing,
    explain,
    is_unsound,
    outlasts_its_cause,
)
from watchdog.ledger.locks import FileLock, Role
from watchdog.ledger.opening import (
    BUSY_SECONDS,
    identity,
    is_moved,
    is_sound,
    leave_nothing_behind,
    make_engine,
    make_file,
    path_of,
    patiently,
    prepare,
    read_anew,
    wait_at_most,
)
from watchdog.ledger.transaction import SqlTransaction

T = TypeVar("T")

_COMMAND_WAIT_SECONDS = 5
"""How long a command waits for another one: longer than one that retries nothing takes."""

_DAEMON_WAIT_SECONDS = 1
"""How long a daemon waits: somebody may be looking whether one lives (`FileLock.is_free`)."""


class SqlLedger:
    """See `engine.ports.Ledger`. Made by `open`, ended by `close`.

    `observe` says whether transactions from now on see `dry_run` attempts. `owner` is what this
    process signs its reservations with: its role, and a mark that no other process ever has. So a
    reservation whose role's lock is free, or ours, was made by a process that is dead.
    """

    def __init__(
        self,
        engine: Engine,
        locks: dict[Role, FileLock],
        clock: Clock,
        *,
        role: Role,
        observe: bool,
        created_at: datetime,
        created: bool,
    ) -> None:
        self.owner = f"{role}:{uuid.uuid4().hex}"
        self.created_at = created_at
        self.created = created
        self._role = role
        self._engine = engine
        self._locks = locks
        self._clock = clock
        self.observe = observe
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="ledger")
        # Both belong to the worker thread.
        self._identity: tuple[Any, ...] | None = None
        self._unsound = False

    @classmethod
    def open(
        cls, url: str, *, clock: Clock, base_url: str, role: Role, observe: bool = False
    ) -> "SqlLedger":
        """Open the ledger, and make it where there is none, unless only to read.

        Blocks for a moment: call it before the loop has other work. Raises LedgerSetupError.
        """
        parsed = make_url(url)
        path = _path(parsed)
        locks = {
            kind: FileLock(path.with_name(f"{path.name}.{kind}.lock"))
            for kind in (Role.DAEMON, Role.COMMAND)
        }
        reading = role is Role.READER
        if reading and not path.exists():
            raise LedgerMissing(f"there is no ledger at {path} yet: start the daemon first")
        engine = make_engine(parsed, read_only=reading)

        def first_transaction() -> tuple[datetime, bool]:
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

        try:
            if not reading:
                make_file(path)
            if role in locks:
                _take(locks[role], role, path)
            created_at, created = patiently(first_transaction)
        except BaseException as error:
            engine.dispose()
            for lock in locks.values():
                lock.release()
            if isinstance(error, (OSError, SQLAlchemyError)):
                raise LedgerBroken(f"the ledger {path} cannot be used: {explain(error)}") from error
            raise
        return cls(
            engine,
            locks,
            clock,
            role=role,
            observe=observe,
            created_at=created_at,
            created=created,
        )

    async def transact(self, work: Callable[[LedgerTransaction], T]) -> T:
        """See the port. A caller that is cancelled gives up the result and not the work: that is
        done in its turn, before any later work and before `close` returns, so that no answer that
        was to be recorded is lost with its caller.
        """
        deadline = time.monotonic() + BUSY_SECONDS
        asked = asyncio.wrap_future(self._worker.submit(self._transact, work, deadline))
        asked.add_done_callback(_heeded)
        await asyncio.wait((asked,))
        return asked.result()

    def _transact(self, work: Callable[[LedgerTransaction], T], deadline: float) -> T:
        """Another process is waited for until `deadline`: all that is asked for meanwhile fails
        at about the same time, and not each only after the one before."""
        try:
            with self._engine.connect() as connection:
                self._find(connection)
                wait_at_most(connection, deadline - time.monotonic())
                with connection.begin():
                    self._check(connection)
                    now = self._clock.now()
                    return work(SqlTransaction(connection, now, observe=self.observe))
        except IntegrityError:
            raise  # Two rows that contradict each other: a bug of ours, which no waiting mends.
        except (SQLAlchemyError, sqlite3.Error) as error:
            self._unsound = self._unsound or is_unsound(error)
            if outlasts_its_cause(error):
                self._engine.dispose()
            raise LedgerUnavailable(
                f"the ledger {path_of(self._engine)} does not answer: {explain(error)}"
            ) from error

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

    def knows_dead(self, owner: str) -> bool:
        if owner == self.owner:
            return False
        try:
            lock = self._locks[Role(owner.partition(":")[0])]
        except (KeyError, ValueError):
            return False
        return lock.held or lock.is_free()

    async def close(self) -> None:
        """Finish the transaction under way, and give the locks back."""
        await asyncio.to_thread(self._worker.shutdown)
        self._engine.dispose()
        for lock in self._locks.values():
            lock.release()


def _path(url: URL) -> Path:
    return Path(url.database or "").absolute()


def _take(lock: FileLock, role: Role, path: Path) -> None:
    wait = _COMMAND_WAIT_SECONDS if role is Role.COMMAND else _DAEMON_WAIT_SECONDS
    if not lock.acquire(wait):
        raise LedgerInUse(
            f"another {role} ({lock.holder()}) is using the ledger {path}: "
            "stop it first, or set another store.url"
        )


def _heeded(asked: asyncio.Future[Any]) -> None:
    """Nobody need hear of the error when the caller has gone."""
    if not asked.cancelled():
        asked.exception()
