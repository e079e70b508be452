"""The real ledger with a file in memory, without its thread and without waiting for a disk."""

import sqlite3
import tempfile
from collections.abc import Iterable
from concurrent.futures import Executor
from datetime import UTC, datetime, timedelta
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
from watchdog.ledger.sqlite_file import Changes, make_engine
from watchdog.ledger.turns import Turns

BASE_URL = "http://baseten.invalid"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def folder() -> Path:
    memory = Path("/dev/shm")
    return memory if memory.is_dir() else Path(tempfile.gettempdir())


class LedgerFile:
    """The file of one run. The engines are kept from run to run, because a new one would compile
    every query again."""

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
        """Does the same as `SqlLedger.open`, for a file that is known to be intact."""
        locks = {kind: FileLock(self.path.with_name(f"{kind}.lock")) for kind in self._engines}
        assert locks[role].acquire(), f"two of role {role} at a time"
        database = SqliteDatabase(
            self._engines[role], locks, SharedClock(clock, locks[Role.DAEMON])
        )
        database.changes = Changes(str(self.path))
        opened = Opened(self._started_at, created=False)
        ledger = SimulatedLedger(database, opened, role=role, observe=observe)
        ledger.owner = owner  # The original owner is random.
        ledger.become(worker, locks.values(), database.changes)
        return ledger

    def rows(self, table: str) -> list[dict[str, Any]]:
        with self._engines[Role.DAEMON].begin() as connection:
            found = connection.exec_driver_sql(f"SELECT * FROM {table} ORDER BY rowid")
            return [dict(row) for row in found.mappings()]

    def plans(self) -> list[tuple[str, int, datetime]]:
        """The version of each watched target, and when its next check is planned."""
        query = "SELECT model_id, version, next_check_at FROM targets WHERE watched"
        rows = self._reader.execute(f"{query} AND next_check_at IS NOT NULL")
        return [(key, version, _EPOCH + at * _MICROSECOND) for key, version, at in rows]

    def close(self) -> None:
        for engine in self._engines.values():
            engine.dispose()
        self._reader.close()
        self._folder.cleanup()


class SimulatedLedger(SqlLedger):
    """A ledger whose thread and locks the simulation has."""

    def become(self, worker: Executor, locks: Iterable[FileLock], changes: Changes) -> None:
        # The original executors have not started threads yet.
        self._turns = Turns(self._database.line, worker)
        self._held = tuple(locks)
        self._changes = changes

    def release(self) -> None:
        """Does what the kernel does when a process ends."""
        for lock in self._held:
            lock.release()
        self._changes.close()


_PATHS: dict[int, Path] = {}


@cache
def _engine(role: Role) -> Engine:
    """The real database, except for the place of the file and the way it is written to the disk."""
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
    """The bytes of a new ledger, kept because making the tables takes longer than a whole run."""
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
