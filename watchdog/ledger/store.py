"""The ledger on SQLAlchemy: one transaction at a time, in a thread of its own."""

import socket
import uuid
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, TypeVar

from watchdog.engine.ports import Clock, LedgerTransaction, LedgerVersion
from watchdog.ledger.database import Database
from watchdog.ledger.locks import Role
from watchdog.ledger.opening import Opened
from watchdog.ledger.sqlite import SqliteDatabase
from watchdog.ledger.transaction import SqlTransaction
from watchdog.ledger.turns import Turns
from watchdog.text.untrusted import clean
from watchdog.urls.ledger import ledger_url

if TYPE_CHECKING:
    from watchdog.ledger.postgres import PostgresDatabase

T = TypeVar("T")

_HOST_LENGTH = 50
"""Characters of the host's name in an owner, whose column holds 100."""


class SqlLedger:
    """See `engine.ports.Ledger`. Created by `open`, ended by `close`.

    `observe` says whether transactions from now on see `dry_run` attempts. `owner` is stored with
    each reservation of this process: its role, its host, and a random id that no other process has.
    """

    def __init__(self, database: Database, opened: Opened, *, role: Role, observe: bool) -> None:
        self.owner = f"{role}:{clean(socket.gethostname(), most=_HOST_LENGTH)}:{uuid.uuid4().hex}"
        self.created_at = opened.created_at
        self.created = opened.created
        self.observe = observe
        self._database = database
        self._turns = Turns(database.line, _thread("ledger"))
        # A second thread: whether this replica stays active must not depend on how much it has to
        # write.
        self._pulse = Turns(database.pulse, _thread("pulse")) if database.pulse else None

    @classmethod
    def open(
        cls,
        url: str,
        *,
        clock: Clock,
        base_url: str,
        role: Role,
        observe: bool = False,
        make: bool = True,
    ) -> "SqlLedger":
        """Open the ledger. If there is none, create it with `make`, except for a reader.

        Blocks the thread: call it before the event loop has other work. Raises LedgerSetupError,
        and ValueError if the configuration would refuse the URL.
        """
        parsed = ledger_url(url)
        database, opened = _kind(parsed.get_backend_name()).open(
            parsed,
            clock=clock,
            base_url=base_url,
            role=role,
            make=make and role is not Role.READER,
        )
        return cls(database, opened, role=role, observe=observe)

    @property
    def heartbeat(self) -> timedelta:
        """See the port."""
        return self._database.heartbeat

    async def transact(self, work: Callable[[LedgerTransaction], T]) -> T:
        """See the port. An API's answer is recorded even if the caller is cancelled: see
        `Turns`."""

        def whole(asked_at: float) -> T:
            with self._database.transaction(asked_at) as (connection, now):
                return work(
                    SqlTransaction(
                        connection, now, observe=self.observe, knows_dead=self.knows_dead
                    )
                )

        return await self._turns.take(whole)

    def version(self) -> LedgerVersion | None:
        """See the port."""
        return self._database.version()

    async def hold_active(self) -> int:
        """See the port."""
        if self._pulse is None:
            return self._database.hold_active()
        return await self._pulse.take(lambda _: self._database.hold_active())

    async def release_active(self) -> bool:
        """See the port."""
        if self._pulse is None:
            return self._database.release_active()
        return await self._pulse.take(lambda _: self._database.release_active())

    def reader(self) -> "SqlLedger":
        """The same ledger, read on a separate connection: no transaction waits for it, and it waits
        for none. Close it before this one."""
        opened = Opened(self.created_at, created=False)
        return SqlLedger(self._database.reader(), opened, role=Role.READER, observe=self.observe)

    def knows_dead(self, owner: str, waited: timedelta) -> bool:
        """See the port."""
        return self._database.knows_dead(owner, waited, own=owner == self.owner)

    @property
    def wall(self) -> Callable[[], datetime | None] | None:
        """The clock of the ledger's times: it returns None while that is this process's own clock.
        None if it always is."""
        return self._database.wall

    async def close(self) -> None:
        """Finish the requested transactions, close the connections and release the locks."""
        await self._turns.close()
        if self._pulse is not None:
            await self._pulse.close()
        self._database.close()


def _kind(backend: str) -> "type[SqliteDatabase | PostgresDatabase]":
    if backend != "postgresql":
        return SqliteDatabase
    # Not needed for SQLite.
    from watchdog.ledger.postgres import PostgresDatabase

    return PostgresDatabase


def _thread(name: str) -> Executor:
    """An executor with one thread, which starts at the first call."""
    return ThreadPoolExecutor(max_workers=1, thread_name_prefix=name)
