"""A ledger on a PostgreSQL server, which several replicas may share."""

import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from itertools import chain
from threading import Timer
from typing import Any

from sqlalchemy import Connection, Engine, TextClause, create_engine, event, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from watchdog.engine.ports import RESERVATION_TTL, Clock, LedgerUnavailable
from watchdog.ledger.errors import LedgerBroken, LedgerSetupError
from watchdog.ledger.locks import Role
from watchdog.ledger.opening import Opened, prepare

_CALL_SECONDS = 5.0
"""How long one call may take. Transactions take milliseconds; each waits for one or two others."""

_OPENING_SECONDS = 20
"""How long an opening may wait for another replica's: one of them makes the schema. Nothing else
goes on meanwhile, not even an end by SIGTERM."""

_CONNECT_SECONDS = 3

_PROMPT_SECONDS = 0.5
"""What the server's clock said is out of date when it took longer than this to hear it."""

_SESSION = {
    "application_name": "baseten-watchdog",
    "default_transaction_isolation": "read committed",
    "lock_timeout": "4s",
    "statement_timeout": "5s",
    # A replica that is frozen while it holds the ledger's lock must not hold up the others.
    "idle_in_transaction_session_timeout": "5s",
    # The server's side of the connection: a dead replica's locks fall free within 15 s.
    "tcp_keepalives_idle": "5",
    "tcp_keepalives_interval": "2",
    "tcp_keepalives_count": "5",
    "tcp_user_timeout": "15000",
}
IDLE_SECONDS = 15
"""A replica that asks nothing for so long on the connection that makes it the active one has
stopped, though its machine lives and answers keepalives. It asks each second."""

_KEEPALIVES = {
    "connect_timeout": _CONNECT_SECONDS,
    "keepalives": 1,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 5,
    "tcp_user_timeout": 15_000,
}

# Advisory locks are the whole database's: the second key is of the schema, that is, of the ledger.
_TRANSACTION, _ACTIVE, _PROBE = 0x62775F74, 0x62775F61, 0x62775F70
_LEDGER = "hashtext(current_schema())"
_LOCK = text(f"SELECT pg_advisory_xact_lock({_TRANSACTION}, {_LEDGER})")
_NOW = text("SELECT clock_timestamp()")
_TRY_ACTIVE = text(f"SELECT pg_try_advisory_lock({_ACTIVE}, {_LEDGER})")
_ALIVE = text("SELECT 1")
_PROBE_LOCK = text(f"SELECT pg_try_advisory_lock({_PROBE}, pg_backend_pid())")
_PROBED = text(
    "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' "
    "AND pid = pg_backend_pid() AND classid = :probe"
).bindparams(probe=_PROBE)
_PROBE_UNLOCK = text(f"SELECT pg_advisory_unlock({_PROBE}, pg_backend_pid())")


class PostgresDatabase:
    """See `database.Database`. The active replica holds a lock on a connection of its own, which
    the server frees when that connection ends, however its holder died."""

    busy_seconds = _CALL_SECONDS

    def __init__(self, url: URL, *, read_only: bool) -> None:
        self.where = url.render_as_string(hide_password=True)
        self._read_only = read_only
        # What the server's clock said, and this machine's monotonic one when that was heard.
        self._read_now: tuple[datetime, float] | None = None
        # The driver's connection that a call is waiting on, for `interrupt`.
        self._in_use: Any = None
        self._engine = self._make_engine(url)
        self._active_engine = self._make_engine(url, idle_session_timeout=f"{IDLE_SECONDS}s")
        self._active: Connection | None = None
        self._terms = 0

    @classmethod
    def open(
        cls, url: URL, *, clock: Clock, base_url: str, role: Role
    ) -> tuple["PostgresDatabase", Opened]:
        """Raises LedgerSetupError."""
        del clock  # The time is the server's: one for all replicas.
        try:
            database = cls(url, read_only=role is Role.READER)
        except ImportError as error:
            raise LedgerSetupError(
                "store.url needs the PostgreSQL driver: pip install 'baseten-watchdog[postgres]'"
            ) from error
        try:
            with database._overdue_after(2 * _OPENING_SECONDS):
                database._check_sessions(url)
                with database._engine.begin() as connection:
                    for name in ("lock", "statement", "idle_in_transaction_session"):
                        query = f"SET LOCAL {name}_timeout = '{_OPENING_SECONDS}s'"
                        connection.execute(text(query))
                    opened = prepare(
                        connection,
                        base_url=base_url,
                        now=database._begin(connection),
                        make=role is not Role.READER,
                        migrate=role is Role.DAEMON,
                        where=database.where,
                    )
        except BaseException as error:
            database.close()
            if isinstance(error, SQLAlchemyError):
                raise LedgerBroken(
                    f"the ledger {database.where} cannot be used: {_cause(error)}: "
                    "see that the server runs, and that store.url names its address, user and "
                    "password"
                ) from error
            raise
        return database, opened

    @contextmanager
    def _overdue_after(self, seconds: float) -> Iterator[None]:
        """A server may take a connection and then leave everything without an answer."""
        timer = Timer(seconds, self.interrupt)
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def _check_sessions(self, url: URL) -> None:
        """Raises LedgerSetupError where a session is not ours alone: behind a pooler that gives
        each transaction any connection to the server, locks would be held by nobody, and what is
        set for a session would befall other programs. So it is asked before anything is set."""
        engine = create_engine(url, poolclass=NullPool, connect_args=_KEEPALIVES)
        event.listen(engine, "connect", self._note_in_use)
        with engine.connect() as connection:
            with connection.begin():
                connection.execute(_PROBE_LOCK)
            try:
                # An idle session's connection is what such a pooler gives the next one that asks.
                with engine.begin() as other:
                    shared = bool(other.scalar(_PROBED))
                with connection.begin():
                    shared = shared or not connection.scalar(_PROBED)
            finally:
                with connection.begin():
                    connection.execute(_PROBE_UNLOCK)
        if shared:
            raise LedgerSetupError(
                f"the ledger {self.where} is behind a pooler in transaction mode, which breaks "
                "session locks: connect to PostgreSQL itself, or to a pool in session mode"
            )

    def _note_in_use(self, connection: Any, _: Any) -> None:
        self._in_use = connection

    @contextmanager
    def transaction(self, deadline: float) -> Iterator[tuple[Connection, datetime]]:
        """The lock is taken by a statement of its own, so that every later one sees what its last
        holder committed; the time is read after it."""
        if time.monotonic() >= deadline:
            raise LedgerUnavailable(f"the ledger {self.where} does not answer in time")
        with (
            self._engine.connect() as connection,
            self._waiting_on(connection),
            connection.begin(),
        ):
            yield connection, self._begin(connection)

    def _begin(self, connection: Connection) -> datetime:
        """Take the ledger's lock; the time after it."""
        if self._read_only:
            # One picture for all statements, and nobody is held up.
            connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))
        else:
            connection.execute(_LOCK)
        asked_at = time.monotonic()
        now: datetime = connection.execute(_NOW).scalar_one()
        read_at = time.monotonic()
        if self._read_now is None or read_at - asked_at < _PROMPT_SECONDS:
            self._read_now = now.astimezone(UTC), read_at
        return now.astimezone(UTC)

    def wall(self) -> datetime:
        """What the server's clock says: as it was last read, and the time since then."""
        now, read_at = self._read_now or (datetime.now(UTC), time.monotonic())
        return now + timedelta(seconds=time.monotonic() - read_at)

    @contextmanager
    def _waiting_on(self, connection: Connection) -> Iterator[None]:
        self._in_use = connection.connection.driver_connection
        try:
            yield
        finally:
            self._in_use = None

    def unavailable(self, error: Exception) -> LedgerUnavailable:
        return LedgerUnavailable(f"the ledger {self.where} does not answer: {_cause(error)}")

    def knows_dead(self, owner: str, waited: timedelta, *, own: bool) -> bool:
        """Nobody sends what was reserved longer ago, this process itself included: where the answer
        to a COMMIT was lost, it does not even know of it."""
        del owner, own
        return waited > RESERVATION_TTL

    def interrupt(self) -> None:
        """Called from another thread: ends the connection under a call that the server leaves
        without an answer."""
        connection = self._in_use
        if connection is None or connection.closed:
            return
        # The driver has errors of its own for a connection that was closed just now.
        with suppress(Exception), socket.socket(fileno=os.dup(connection.fileno())) as line:
            line.shutdown(socket.SHUT_RDWR)

    def hold_active(self) -> int:
        if self._active is not None:
            try:
                self._ask(self._active, _ALIVE)
            except SQLAlchemyError:
                self._let_go()  # Only a new connection tells whether another one is active now.
            else:
                return self._terms
        connection = self._active_engine.connect()
        try:
            held = bool(self._ask(connection, _TRY_ACTIVE))
        except BaseException:
            connection.invalidate()
            connection.close()
            raise
        if not held:
            connection.close()
            return 0
        self._active = connection
        self._terms += 1
        return self._terms

    def _ask(self, connection: Connection, query: TextClause) -> Any:
        with self._waiting_on(connection), connection.begin():
            return connection.scalar(query)

    def _make_engine(self, url: URL, **more: str) -> Engine:
        settings = _SESSION | more
        engine = create_engine(url, pool_size=1, max_overflow=0, connect_args=_KEEPALIVES)

        event.listen(engine, "connect", self._note_in_use)

        @event.listens_for(engine, "connect")
        def connect(connection: Any, _: Any) -> None:
            # Not as start-up parameters: poolers refuse those that they do not know.
            connection.autocommit = True
            query = f"SELECT {', '.join(['set_config(%s, %s, false)'] * len(settings))}"
            connection.execute(query, tuple(chain(*settings.items())), prepare=False)
            connection.autocommit = False

        return engine

    def _let_go(self) -> None:
        active, self._active = self._active, None
        if active is not None:
            with suppress(SQLAlchemyError):
                active.invalidate()
                active.close()

    def close(self) -> None:
        self._let_go()
        self._active_engine.dispose()
        self._engine.dispose()


def _cause(error: Exception) -> str:
    """The driver's own words, on one line, without the statement and its values."""
    words = str(getattr(error, "orig", None) or error).strip() or type(error).__name__
    return " ".join(words.splitlines()[0].split())
