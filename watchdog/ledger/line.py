"""A connection to a PostgreSQL server: how it is opened, how long it is waited for, and when it is
closed."""

import os
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from itertools import chain
from threading import Timer
from typing import Any

from sqlalchemy import Connection, create_engine, event
from sqlalchemy.engine import URL
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from watchdog.engine.ports import LedgerUnavailable
from watchdog.ledger.errors import is_of_the_data
from watchdog.urls.ledger import shown

_CALL_SECONDS = 5.0
"""Seconds that the server may take to answer one statement. A transaction may take longer if the
server is far away: each of its statements has this time."""

_CONNECT_SECONDS = 3
_LOCK_SECONDS = 4

_SESSION = {
    "application_name": "baseten-watchdog",
    # The driver can parse times in no other style.
    "datestyle": "ISO",
    "default_transaction_isolation": "read committed",
    "lock_timeout": f"{_LOCK_SECONDS}s",
    "statement_timeout": "5s",
    # A replica that freezes while it holds the ledger's lock must not block the others.
    "idle_in_transaction_session_timeout": "5s",
    # The server's side of the connection: it frees the locks of a dead replica within 15 s.
    "tcp_keepalives_idle": "5",
    "tcp_keepalives_interval": "2",
    "tcp_keepalives_count": "5",
    "tcp_user_timeout": "15000",
}

_CONNECTION = {
    "connect_timeout": _CONNECT_SECONDS,
    "keepalives": 1,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 5,
    "tcp_user_timeout": 15_000,
    # After a fail-over the same host name may lead to a read-only server for a while.
    "target_session_attrs": "read-write",
}

_ENCODING = {"client_encoding": "utf8"}
"""Overrides the URL and PGCLIENTENCODING: in another encoding some texts could not be stored."""

_LOCK_NOT_AVAILABLE = "55P03"


class Line:
    """One connection at a time. See `turns.Line`.

    The connection is closed after every error that is not of the data: a new connection may lead to
    another server, and connecting costs little. So the errors that mean that this server has become
    read-only need not be listed.
    """

    call_seconds = _CALL_SECONDS

    def __init__(self, url: URL, session: Mapping[str, str] | None) -> None:
        """`session`: settings of each session in addition to `_SESSION`. With None nothing is set,
        and no connection is kept open."""
        self.where = shown(url)
        # The driver's connection on which a call waits; `interrupt` shuts it down.
        self._in_use: Any = None
        self._heard_at = time.monotonic()
        self._given_up = False
        arguments = {name: value for name, value in _CONNECTION.items() if name not in url.query}
        arguments |= _ENCODING
        if session is None:
            self._engine = create_engine(url, connect_args=arguments, poolclass=NullPool)
        else:
            self._engine = create_engine(url, connect_args=arguments, pool_size=1, max_overflow=0)
        self._note_calls(_SESSION | dict(session) if session is not None else {})

    @contextmanager
    def connected(self) -> Iterator[Connection]:
        """A connection for the `with` block, which `interrupt` can end. Raises the driver's
        errors."""
        with self.connect() as connection, self.waiting_on(connection):
            yield connection

    def connect(self) -> Connection:
        """Raises the driver's errors."""
        self._given_up = False
        return self._engine.connect()

    @contextmanager
    def waiting_on(self, connection: Connection) -> Iterator[None]:
        """In the `with` block `interrupt` shuts down this connection. After an error that is not of
        the data the connection is not used again."""
        self._in_use, self._given_up = connection.connection.driver_connection, False
        try:
            yield
        except (SQLAlchemyError, LedgerUnavailable) as error:
            if not is_of_the_data(error):
                connection.invalidate()
            raise
        finally:
            self._in_use = None

    def seconds_left(self, asked_at: float) -> float:
        """See `turns.Line`. The time counts from the request or from the server's last answer,
        whichever is later: while the server answers, a request is not overdue."""
        return max(asked_at, self._heard_at) + self.call_seconds - time.monotonic()

    def interrupt(self) -> None:
        """See `turns.Line`. Shuts down the connection, so that the statement that the server does
        not answer fails."""
        connection = self._in_use
        if connection is None or connection.closed:
            return
        self._given_up = True
        # The driver raises various errors if the connection has been closed in the meantime.
        with suppress(Exception), socket.socket(fileno=os.dup(connection.fileno())) as line:
            line.shutdown(socket.SHUT_RDWR)

    def unavailable(self, error: Exception) -> LedgerUnavailable:
        """See `turns.Line`."""
        why = self._cause(error)
        return LedgerUnavailable(f"the ledger {self.where} does not answer: {why}")

    def _cause(self, error: Exception) -> str:
        if self._given_up:
            return (
                f"the server was silent for {self.call_seconds:g} s, and the connection was closed"
            )
        if getattr(getattr(error, "orig", None), "sqlstate", None) == _LOCK_NOT_AVAILABLE:
            return f"another process has kept it locked for {_LOCK_SECONDS} s"
        return cause(error)

    def close(self) -> None:
        self._engine.dispose()

    def _note_calls(self, session: Mapping[str, str]) -> None:
        """Note when the server last answered, and set up each new session."""

        def heard(*_: Any) -> None:
            self._heard_at = time.monotonic()

        # Also before a statement: the time that this process needs between two statements is not
        # time that the server takes to answer.
        for name in ("before_cursor_execute", "after_cursor_execute", "commit"):
            event.listen(self._engine, name, heard)

        @event.listens_for(self._engine, "connect")
        def connect(connection: Any, _: Any) -> None:
            heard()
            self._in_use = connection
            if not session:
                return
            # Not as start-up parameters: poolers refuse those that they do not know.
            connection.autocommit = True
            query = f"SELECT {', '.join(['set_config(%s, %s, false)'] * len(session))}"
            connection.execute(query, tuple(chain(*session.items())), prepare=False)
            connection.autocommit = False


def cause(error: Exception) -> str:
    """The first line of the driver's message, without the statement and its values."""
    words = str(getattr(error, "orig", None) or error).strip() or type(error).__name__
    return " ".join(words.splitlines()[0].split())


@contextmanager
def overdue_after(seconds: float, *lines: Line) -> Iterator[None]:
    """Interrupt the lines after so many seconds: a server may accept a connection and then never
    answer."""

    def interrupt() -> None:
        for line in lines:
            line.interrupt()

    timer = Timer(seconds, interrupt)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
