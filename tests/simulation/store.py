"""The real ledger on a file in memory, without its thread and without waiting for a disk."""

import sqlite3
import tempfile
from collections.abc import Iterable
from concurrent.futures import Executor
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, create_engine, event, make_url

from watchdog.engine.ports import Clock
from watchdog.ledger import Role, SqlLedger
from watchdog.ledger.locks import FileLock
from watchdog.ledger.opening import Opened, prepare
from watchdog.ledger.shared_clock import SharedClock
from watchdog.ledger.sqlite import SqliteDatabase
from watchdog.ledger.sqlite_file import make_engine
from watchdog.ledger.turns import Turns

BASE_URL = "http://baseten.invalid"


def folder() -> Path:
    memory = Path("/dev/shm")
    return memory if memory.is_dir() else Path(tempfile.gettempdir())


class LedgerFile:
    """One run's file. Its engines are kept from run to run: each would compile every query anew."""

    def __init__(self, started_at: datetime) -> None:
        self._started_at = started_at
        self._folder = tempfile.TemporaryDirectory(dir=folder(), prefix="watchdog-simulation-")
        self.path = Path(self._folder.name) / "ledger.sqlite3"
        self.path.write_bytes(_empty(started_at))
        self._engines = {role: _engine(role) for role in (Role.DAEMON, Role.COMMAND)}
        for engine in self._engines.values():
            engine.dispose()
            _PATHS[id(engine)] = self.path
        self._reader = sqlite3.connect(self.path, isolation_level=None)

    def open(
        self, role: Role, clock: Clock, worker: Executor, *, owner: str, observe: bool
    ) -> "SimulatedLedger":
        """As `SqlLedger.open` does, for a file that is known to be good."""
        locks = {kind: FileLock(self.path.with_name(f"{kind}.lock")) for kind in self._engines}
        assert locks[role].acquire(), f"two of role {role} at a time"
        database = SqliteDatabase(
            self._engines[role], locks, SharedClock(clock, locks[Role.DAEMON])
        )
        opened = Opened(self._started_at, created=False)
        ledger = SimulatedLedger(database, opened, role=role, observe=observe)
        ledger.owner = owner  # Its own is drawn by lot.
        ledger.become(worker, locks.values())
        return ledger

    def rows(self, table: str) -> list[dict[str, Any]]:
        with self._engines[Role.DAEMON].begin() as connection:
            found = connection.exec_driver_sql(f"SELECT * FROM {table} ORDER BY rowid")
            return [dict(row) for row in found.mappings()]

    def next_check_at(self) -> int | None:
        """In microseconds since the epoch."""
        query = "SELECT min(next_check_at) FROM targets WHERE watched"
        found: int | None = self._reader.execute(query).fetchone()[0]
        return found

    def close(self) -> None:
        for engine in self._engines.values():
            engine.dispose()
        self._reader.close()
        self._folder.cleanup()


class SimulatedLedger(SqlLedger):
    """One whose thread and locks the simulation holds."""

    def become(self, worker: Executor, locks: Iterable[FileLock]) -> None:
        # Its own have no threads yet.
        self._turns = self._pulse = Turns(self._database.line, worker)
        self._held = tuple(locks)

    def release(self) -> None:
        """What the kernel does when a process ends."""
        for lock in self._held:
            lock.release()


_PATHS: dict[int, Path] = {}


@cache
def _engine(role: Role) -> Engine:
    """The real one's, but for where it is and how it is written to the disk."""
    engine = make_engine(make_url("sqlite:////nowhere"), read_only=False)

    @event.listens_for(engine, "do_connect")
    def connect(dialect: Any, _: Any, arguments: Any, parameters: Any) -> Any:
        return dialect.connect(str(_PATHS[id(engine)]), **parameters)

    @event.listens_for(engine, "connect")
    def connected(connection: Any, _: object) -> None:
        connection.execute("PRAGMA synchronous = OFF")

    return engine


@cache
def _empty(created_at: datetime) -> bytes:
    """A new ledger: making the tables takes longer than a whole run."""
    with tempfile.TemporaryDirectory(dir=folder()) as name:
        path = Path(name) / "empty.sqlite3"
        engine = create_engine(f"sqlite:///{path}")
        with engine.begin() as connection:
            prepare(
                connection,
                base_url=BASE_URL,
                now=created_at,
                make=True,
                migrate=True,
                where="the simulation",
            )
        engine.dispose()
        return path.read_bytes()
