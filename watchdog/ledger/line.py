"""A connection to a PostgreSQL server: how it is made, waited for and given up."""

import os
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from itertools import chain
from typing import Any

from sqlalchemy import Connection, create_engine, event
from sqlalchemy.engine import URL
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from watchdog.engine.ports import LedgerUnavailable
from watchdog.ledger.errors import is_of_the_data

_CALL_SECONDS = 5.0
"""How long the server may leave one statement without an answer. A transaction of ours may take
longer where the server is far away: each of its statements has this time."""

_CONNECT_SECONDS = 3
_LOCK_SECONDS = 4

_SESSION = {
    "application_name": "baseten-watchdog",
    # The driver reads no other one.
    "datestyle": "ISO",
    "default_transaction_isolation": "read committed",
    "lock_timeout": f"{_LOCK_SECONDS}s",
    "statement_timeout": "5s",
    # A replica that is frozen while it holds the ledger's lock must not hold up the others.
    "idle_in_transaction_session_timeout": "5s",
    # The server's side of the connection: a dead replica's locks fall free within 15 s.
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
    # After a fail-over the same name may for a while lead to a server that can only be read.
    "target_session_attrs": "read-write",
}

_ENCODING = {"client_encoding": "utf8"}
"""Whatever the URL or PGCLIENTENCODING says: it would decide which texts can be stored."""

_LOCK_NOT_AVAILABLE = "55P03"


class Line:
    """One connection at a time. See `turns.Line`.

    It is dropped after every error but those of the rows themselves: the next one may lead to
    another server, and to connect anew costs little. So no list of errors is needed that say that
    this server can no longer be written.
    """

    call_seconds = _CALL_SECONDS

    def __init__(self, url: URL, session: Mapping[str, str] | None) -> None:
        """`session` is what is set for it beside what always is. With None nothing is, and no
        connection is kept."""
        self.where = url.render_as_string(hide_password=True)
        # The driver's connection that a call waits on, for `interrupt`.
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
        """A connection for so long. Raises the driver's errors."""
        with self.connect() as connection, self.waiting_on(connection):
            yield connection

    def connect(self) -> Connection:
        """Raises the driver's errors."""
        self._given_up = False
        return self._engine.connect()

    @contextmanager
    def waiting_on(self, connection: Connection) -> Iterator[None]:
        """What a connection is used for, which `interrupt` ends and an error drops it after."""
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
        """See `turns.Line`. As long as the server answers, what was asked for is in good hands."""
        return max(asked_at, self._heard_at) + self.call_seconds - time.monotonic()

    def interrupt(self) -> None:
        """See `turns.Line`: ends the connection under a statement that the server leaves without
        an answer."""
        connection = self._in_use
        if connection is None or connection.closed:
            return
        self._given_up = True
        # The driver has errors of its own for a connection that was closed just now.
        with suppress(Exception), socket.socket(fileno=os.dup(connection.fileno())) as line:
            line.shutdown(socket.SHUT_RDWR)

    def unavailable(self, error: Exception) -> LedgerUnavailable:
        """See `turns.Line`."""
        why = self._cause(error)
        return LedgerUnavailable(f"the ledger {self.where} does not answer: {why}")

    def _cause(self, error: Exception) -> str:
        if self._given_up:
            return (
                f"nothing was heard for {self.call_seconds:g} s, and so the connection was given up"
            )
        if getattr(getattr(error, "orig", None), "sqlstate", None) == _LOCK_NOT_AVAILABLE:
            return f"another process has kept it locked for {_LOCK_SECONDS} s"
        return cause(error)

    def close(self) -> None:
        self._engine.dispose()

    def _note_calls(self, session: Mapping[str, str]) -> None:
        """Note when the server last said something, and set up each new session."""

        def heard(*_: Any) -> None:
            self._heard_at = time.monotonic()

        # Before as well: what was done between two statements is not the server's silence.
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
    """The driver's own words, on one line, without the statement and its values."""
    words = str(getattr(error, "orig", None) or error).strip() or type(error).__name__
    return " ".join(words.splitlines()[0].split())
