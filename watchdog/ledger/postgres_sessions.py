"""Whether a PostgreSQL server can hold a ledger: it must keep a session for one client alone, and
store every text."""

from sqlalchemy import Connection, text
from sqlalchemy.engine import URL

from watchdog.ledger.errors import LedgerSetupError
from watchdog.ledger.line import Line, overdue_after

_PROBE = 0x62775F70
"""The key of an advisory lock, as those of `postgres`."""

_ENCODING = text("SHOW server_encoding")
_LOCK = text(f"SELECT pg_try_advisory_lock({_PROBE}, pg_backend_pid())")
_LOCKED = text(
    "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' "
    "AND pid = pg_backend_pid() AND classid = :probe"
).bindparams(probe=_PROBE)
_UNLOCK = text(f"SELECT pg_advisory_unlock({_PROBE}, pg_backend_pid())")


def check_sessions(url: URL, where: str, opening_seconds: float) -> None:
    """Raises LedgerSetupError if the database cannot store every text, or if other clients share
    this session's connection to the server. Behind a pooler in transaction mode, session locks
    would protect nothing, and session settings would affect other programs. So this is checked
    before any setting is made."""
    line, another = Line(url, None), Line(url, None)
    with (
        overdue_after(2 * opening_seconds, line, another),
        line.connected() as connection,
    ):
        with connection.begin():
            _check_encoding(connection, where)
            connection.execute(_LOCK)
        try:
            # Such a pooler gives the server connection of an idle session to the next client.
            with another.connected() as other, other.begin():
                shared = bool(other.scalar(_LOCKED))
            with connection.begin():
                shared = shared or not connection.scalar(_LOCKED)
        finally:
            with connection.begin():
                connection.execute(_UNLOCK)
    if shared:
        raise LedgerSetupError(
            f"the ledger {where} is behind a pooler in transaction mode, which breaks session "
            "locks: connect to PostgreSQL itself, or to a pool in session mode"
        )


def _check_encoding(connection: Connection, where: str) -> None:
    encoding = connection.scalar(_ENCODING)
    if encoding != "UTF8":
        raise LedgerSetupError(
            f"the ledger {where} is in a database of encoding {encoding}, which does not hold "
            "every text: name another one in store.url, made with CREATE DATABASE watchdog "
            "ENCODING 'UTF8' TEMPLATE template0"
        )
