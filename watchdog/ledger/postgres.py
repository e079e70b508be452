"""A ledger on a PostgreSQL server, which several replicas may share."""

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, TextClause, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import SQLAlchemyError

from watchdog.domain.limits import RESERVATION_TTL
from watchdog.engine.ports import Clock, LedgerUnavailable
from watchdog.ledger.errors import LedgerBroken
from watchdog.ledger.line import Line, cause, overdue_after
from watchdog.ledger.locks import Role
from watchdog.ledger.opening import Opened, prepare
from watchdog.ledger.postgres_sessions import check_sessions
from watchdog.ledger.schema import use_on_postgresql
from watchdog.urls.ledger import shown

_OPENING_SECONDS = 20
"""Seconds that opening the ledger may wait for another replica, which may be creating the schema.
The process does nothing else in this time: it does not even handle SIGTERM."""

_PROMPT_SECONDS = 0.5
"""Seconds. If the answer with the server's time takes longer, that time is too old to be kept."""

IDLE_SECONDS = 15
"""The server closes the connection that holds the active replica's lock after this many seconds
without a query. The active replica sends a query every second, so one that does not has stopped,
even if its machine still answers TCP keepalives."""

HEARTBEAT = timedelta(seconds=10)
"""Often enough that two may be missed before a replica counts as dead (`limits.RESERVATION_TTL`),
or is shown as gone (`replica.GONE_AFTER`)."""

# Advisory locks belong to the whole database: the second key identifies the schema, and so the
# ledger.
TRANSACTION, _ACTIVE = 0x62775F74, 0x62775F61
_LEDGER = "hashtext(current_schema())"
_LOCK = text(f"SELECT pg_advisory_xact_lock({TRANSACTION}, {_LEDGER})")
_WRITABLE = "NOT pg_is_in_recovery() AND current_setting('default_transaction_read_only') = 'off'"
_NOW = text(f"SELECT clock_timestamp(), {_WRITABLE}")
_TRY_ACTIVE = text(
    # A lock on a read-only server does not exclude a replica that is connected to the primary.
    f"SELECT CASE WHEN {_WRITABLE} THEN pg_try_advisory_lock({_ACTIVE}, {_LEDGER}) END"
)
_READING = text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
_STILL_ACTIVE = text(f"SELECT CASE WHEN {_WRITABLE} THEN true END")


class PostgresDatabase:
    """See `database.Database`. The active replica holds a lock on a separate connection. The server
    frees the lock when that connection ends, even if the replica was killed."""

    heartbeat = HEARTBEAT

    def __init__(self, url: URL, *, read_only: bool) -> None:
        self.where = shown(url)
        self._url = url
        self._read_only = read_only
        # The last time read from the server's clock, and this machine's monotonic time at that
        # moment.
        self._read_now: tuple[datetime, float] | None = None
        self.line = Line(url, {})
        self.pulse = Line(url, {"idle_session_timeout": f"{IDLE_SECONDS}s"})
        self._active: Connection | None = None
        self._terms = 0

    @classmethod
    def open(
        cls, url: URL, *, clock: Clock, base_url: str, role: Role, make: bool
    ) -> tuple["PostgresDatabase", Opened]:
        """Raises LedgerSetupError."""
        del clock  # The server's clock is used, which is the same for all replicas.
        use_on_postgresql()
        database = cls(url, read_only=role is Role.READER)
        try:
            check_sessions(url, database.where, _OPENING_SECONDS)
            return database, database._prepare(base_url, role, make=make)
        except BaseException as error:
            database.close()
            if isinstance(error, SQLAlchemyError):
                raise LedgerBroken(
                    f"the ledger {database.where} cannot be used: {cause(error)}: "
                    "check that the server is running, and that store.url names its address, user "
                    "and password"
                ) from error
            if isinstance(error, LedgerUnavailable):
                raise LedgerBroken(str(error)) from error
            raise

    def reader(self) -> "PostgresDatabase":
        """See `database.Database`."""
        return PostgresDatabase(self._url, read_only=True)

    def _prepare(self, base_url: str, role: Role, *, make: bool) -> Opened:
        with (
            overdue_after(2 * _OPENING_SECONDS, self.line),
            self.line.connected() as connection,
            connection.begin(),
        ):
            for name in ("lock", "statement", "idle_in_transaction_session"):
                connection.execute(text(f"SET LOCAL {name}_timeout = '{_OPENING_SECONDS}s'"))
            return prepare(
                connection,
                base_url=base_url,
                now=self._begin(connection),
                make=make,
                migrate=role is Role.DAEMON,
                where=self.where,
            )

    @contextmanager
    def transaction(self, asked_at: float) -> Iterator[tuple[Connection, datetime]]:
        """A separate statement takes the lock, so that every later statement sees what the lock's
        last holder committed. The time is read after that."""
        if self.line.seconds_left(asked_at) <= 0:
            raise LedgerUnavailable(f"the ledger {self.where} does not answer in time")
        with self.line.connected() as connection, connection.begin():
            yield connection, self._begin(connection)

    def version(self) -> None:
        """None: only a query could tell whether the rows have changed, and a tick makes a query
        anyway."""

    def _begin(self, connection: Connection) -> datetime:
        """Take the ledger's lock, unless this is a reader, and return the time read after that.
        Raises LedgerUnavailable if the server is read-only: its data may be out of date."""
        if self._read_only:
            # All statements see the same snapshot, and no other transaction has to wait.
            connection.execute(_READING)
        else:
            connection.execute(_LOCK)
        asked_at = time.monotonic()
        now, writable = connection.execute(_NOW).one()
        read_at = time.monotonic()
        if not writable:
            raise self._unwritable()
        if self._read_now is None or read_at - asked_at < _PROMPT_SECONDS:
            self._read_now = now.astimezone(UTC), read_at
        found: datetime = now.astimezone(UTC)
        return found

    def _unwritable(self) -> LedgerUnavailable:
        return LedgerUnavailable(
            f"the ledger {self.where} does not answer: the server there can only be read: "
            "it is not the primary, or not any more"
        )

    def wall(self) -> datetime:
        """The server's time: as it was last read, plus the time since then. Before the first
        reading, this machine's time."""
        now, read_at = self._read_now or (datetime.now(UTC), time.monotonic())
        return now + timedelta(seconds=time.monotonic() - read_at)

    def knows_dead(self, owner: str, waited: timedelta, *, own: bool) -> bool:
        """No process, not even this one, sends a reservation older than RESERVATION_TTL: the
        answer to its COMMIT may have been lost."""
        del owner, own
        return waited > RESERVATION_TTL

    def hold_active(self) -> int:
        """See `database.Database`."""
        if self._active is not None:
            try:
                self._ask(self._active, _STILL_ACTIVE)
            except (SQLAlchemyError, LedgerUnavailable):
                # Only a new connection can show whether another replica is active now.
                self.release_active()
            else:
                return self._terms
        connection, ours = self.pulse.connect(), False
        try:
            ours = self._ask(connection, _TRY_ACTIVE)
        finally:
            if not ours:
                connection.close()
        if not ours:
            return 0
        self._active = connection
        self._terms += 1
        return self._terms

    def _ask(self, connection: Connection, query: TextClause) -> bool:
        """Raises LedgerUnavailable if the server is read-only: the query returns NULL then."""
        with self.pulse.waiting_on(connection), connection.begin():
            found: bool | None = connection.scalar(query)
            if found is None:
                raise self._unwritable()
            return found

    def release_active(self) -> bool:
        """See the ledger's port."""
        active, self._active = self._active, None
        if active is not None:
            with suppress(SQLAlchemyError):
                active.invalidate()
                active.close()
        return True

    def close(self) -> None:
        self.release_active()
        self.pulse.close()
        self.line.close()
