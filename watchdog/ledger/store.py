"""The ledger on SQLAlchemy: one worker thread, one transaction at a time."""

import asyncio
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Engine, make_url
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from watchdog.engine.ports import Clock, LedgerTransaction, LedgerUnavailable
from watchdog.ledger.errors import LedgerBroken, LedgerInUse, LedgerMissing
from watchdog.ledger.locks import FileLock, Role
from watchdog.ledger.opening import make_engine, make_file, prepare
from watchdog.ledger.transaction import SqlTransaction

T = TypeVar("T")

_COMMAND_WAIT_SECONDS = 5
"""How long a command waits for another one: longer than one that retries nothing takes."""

_DAEMON_WAIT_SECONDS = 1
"""How long a daemon waits: somebody may be looking whether one lives (`FileLock.is_free`)."""


class SqlLedger:
    """See `engine.ports.Ledger`. Made by `open`, ended by `close`.

    `owner` is what this process signs its reservations with: its role, and a mark that no other
    process ever has. So a reservation whose role's lock is free, or ours, was made by a process
    that is dead.
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
        self._observe = observe
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="ledger")

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
        try:
            if not reading:
                make_file(path)
                if role in locks:
                    _take(locks[role], role, path)
            with engine.begin() as connection:
                created_at, created = prepare(
                    connection,
                    base_url=base_url,
                    now=clock.now(),
                    migrate=not reading,
                    where=str(path),
                )
        except BaseException as error:
            engine.dispose()
            for lock in locks.values():
                lock.release()
            if isinstance(error, (OSError, SQLAlchemyError)):
                raise LedgerBroken(
                    f"the ledger {path} cannot be used: {_cause(error)}: "
                    "mend or move the file, or set another store.url"
                ) from error
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
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._worker, self._transact, work)

    def _transact(self, work: Callable[[LedgerTransaction], T]) -> T:
        try:
            with self._engine.begin() as connection:
                now = self._clock.now()
                return work(SqlTransaction(connection, now, observe=self._observe))
        except SQLAlchemyError as error:
            raise LedgerUnavailable(f"the ledger does not answer: {_cause(error)}") from error

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


def _cause(error: Exception) -> str:
    """The driver's own words, without the statement and its values."""
    if isinstance(error, DBAPIError) and error.orig is not None:
        return str(error.orig)
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    return type(error).__name__
