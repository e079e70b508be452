"""The ledger on SQLAlchemy: one transaction at a time, in a thread of its own."""

import socket
import uuid
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import TypeVar

from sqlalchemy import make_url

from watchdog.engine.ports import Clock, LedgerTransaction
from watchdog.ledger.database import Database
from watchdog.ledger.locks import Role
from watchdog.ledger.opening import Opened
from watchdog.ledger.postgres import PostgresDatabase
from watchdog.ledger.sqlite import SqliteDatabase
from watchdog.ledger.transaction import SqlTransaction
from watchdog.ledger.turns import Turns
from watchdog.text.untrusted import clean

T = TypeVar("T")

_HOST_LENGTH = 50
"""So much of the host's name an owner carries: its column holds 100 characters."""


class SqlLedger:
    """See `engine.ports.Ledger`. Made by `open`, ended by `close`.

    `observe` says whether transactions from now on see `dry_run` attempts. `owner` is what this
    process signs its reservations with: its role, its host, and a mark that no other process ever
    has.
    """

    def __init__(self, database: Database, opened: Opened, *, role: Role, observe: bool) -> None:
        self.owner = f"{role}:{clean(socket.gethostname(), most=_HOST_LENGTH)}:{uuid.uuid4().hex}"
        self.created_at = opened.created_at
        self.created = opened.created
        self.observe = observe
        self._database = database
        self._turns = Turns(database.line, _thread("ledger"))
        # That this replica is the active one is not to depend on how much there is to write.
        self._pulse = Turns(database.pulse, _thread("pulse"))

    @classmethod
    def open(
        cls, url: str, *, clock: Clock, base_url: str, role: Role, observe: bool = False
    ) -> "SqlLedger":
        """Open the ledger, and make it where there is none, unless only to read.

        Blocks for a moment: call it before the loop has other work. Raises LedgerSetupError.
        """
        parsed = make_url(url)
        kind: type[SqliteDatabase | PostgresDatabase] = SqliteDatabase
        if parsed.get_backend_name() == "postgresql":
            kind = PostgresDatabase
        database, opened = kind.open(parsed, clock=clock, base_url=base_url, role=role)
        return cls(database, opened, role=role, observe=observe)

    async def transact(self, work: Callable[[LedgerTransaction], T]) -> T:
        """See the port. No answer that was to be recorded is lost with its caller: see `Turns`."""

        def whole(asked_at: float) -> T:
            with self._database.transaction(asked_at) as (connection, now):
                return work(
                    SqlTransaction(
                        connection, now, observe=self.observe, knows_dead=self.knows_dead
                    )
                )

        return await self._turns.take(whole)

    async def hold_active(self) -> int:
        """See the port."""
        return await self._pulse.take(lambda _: self._database.hold_active())

    async def release_active(self) -> bool:
        """See the port."""
        return await self._pulse.take(lambda _: self._database.release_active())

    def reader(self) -> "SqlLedger":
        """The same ledger, read on a connection of its own: no transaction waits for it, nor it for
        any. To be closed before this one."""
        opened = Opened(self.created_at, created=False)
        return SqlLedger(self._database.reader(), opened, role=Role.READER, observe=self.observe)

    def knows_dead(self, owner: str, waited: timedelta) -> bool:
        """See the port."""
        return self._database.knows_dead(owner, waited, own=owner == self.owner)

    @property
    def wall(self) -> Callable[[], datetime | None] | None:
        """The clock that the ledger's times are of, which says None while it is this process's;
        None where it always is."""
        return self._database.wall

    async def close(self) -> None:
        """Finish the transaction under way, and give the locks back."""
        await self._turns.close()
        await self._pulse.close()
        self._database.close()


def _thread(name: str) -> Executor:
    """It begins with the first call."""
    return ThreadPoolExecutor(max_workers=1, thread_name_prefix=name)
