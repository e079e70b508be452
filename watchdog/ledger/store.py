"""The ledger on SQLAlchemy: one worker thread, one transaction at a time."""

import asyncio
import socket
import sqlite3
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any, TypeVar

from sqlalchemy import make_url
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from watchdog.engine.ports import Clock, LedgerTransaction
from watchdog.ledger.database import Database
from watchdog.ledger.locks import Role
from watchdog.ledger.opening import Opened
from watchdog.ledger.postgres import PostgresDatabase
from watchdog.ledger.sqlite import SqliteDatabase
from watchdog.ledger.transaction import SqlTransaction

T = TypeVar("T")

_INTERRUPT_AGAIN_SECONDS = 0.1

_HOST_LENGTH = 50
"""So much of the host's name an owner carries: its column holds 100 characters."""


class SqlLedger:
    """See `engine.ports.Ledger`. Made by `open`, ended by `close`.

    `observe` says whether transactions from now on see `dry_run` attempts. `owner` is what this
    process signs its reservations with: its role, its host, and a mark that no other process ever
    has.
    """

    def __init__(self, database: Database, opened: Opened, *, role: Role, observe: bool) -> None:
        self.owner = f"{role}:{socket.gethostname()[:_HOST_LENGTH]}:{uuid.uuid4().hex}"
        self.created_at = opened.created_at
        self.created = opened.created
        self.observe = observe
        self._database = database
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="ledger")

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
        """See the port. A caller that is cancelled gives up the result and not the work: that is
        done in its turn, before any later work and before `close` returns, so that no answer that
        was to be recorded is lost with its caller.
        """

        def whole(deadline: float) -> T:
            with self._database.transaction(deadline) as (connection, now):
                return work(SqlTransaction(connection, now, observe=self.observe))

        return await self._in_turn(whole)

    async def hold_active(self) -> int:
        """See the port."""
        return await self._in_turn(lambda _: self._database.hold_active())

    async def _in_turn(self, work: Callable[[float], T]) -> T:
        deadline = time.monotonic() + self._database.busy_seconds
        asked = asyncio.wrap_future(self._worker.submit(self._guarded, work, deadline))
        self._interrupt_after(self._database.busy_seconds, asked)
        asked.add_done_callback(_heeded)
        await asyncio.wait((asked,))
        return asked.result()

    def _interrupt_after(self, seconds: float, asked: asyncio.Future[Any]) -> None:
        """Have it fail once it is overdue, and again until it has: it may only begin then. What
        runs before it was asked for sooner, so that is overdue as well."""

        def overdue() -> None:
            if not asked.done():
                self._database.interrupt()
                self._interrupt_after(_INTERRUPT_AGAIN_SECONDS, asked)

        timer = asyncio.get_running_loop().call_later(seconds, overdue)
        asked.add_done_callback(lambda _: timer.cancel())

    def _guarded(self, work: Callable[[float], T], deadline: float) -> T:
        try:
            return work(deadline)
        except IntegrityError:
            raise  # Two rows that contradict each other: a bug of ours, which no waiting mends.
        except (SQLAlchemyError, sqlite3.Error) as error:
            raise self._database.unavailable(error) from error

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
        await asyncio.to_thread(self._worker.shutdown)
        self._database.close()


def _heeded(asked: asyncio.Future[Any]) -> None:
    """Nobody need hear of the error when the caller has gone."""
    if not asked.cancelled():
        asked.exception()
