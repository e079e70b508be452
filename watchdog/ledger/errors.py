"""Why a ledger cannot be opened, or does not answer. Each text is one line: what, where, what to
do."""

import errno
import sqlite3

from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, StatementError

_HELD = "another program holds it: have that let go, or set another store.url"
FIX = (
    "put a good copy in its place, without the old one's -wal file, "
    "or move it away to begin with fresh budgets"
)
_FULL = "make room, or set another store.url"
_REFUSED = "let this user write the file and its directory, or set another store.url"
_OTHER = "fix or move the file, or set another store.url"

_SQLITE_ADVICE = {
    sqlite3.SQLITE_BUSY: _HELD,
    sqlite3.SQLITE_LOCKED: _HELD,
    sqlite3.SQLITE_CORRUPT: FIX,
    sqlite3.SQLITE_NOTADB: FIX,
    sqlite3.SQLITE_FULL: _FULL,
    sqlite3.SQLITE_READONLY: _REFUSED,
    sqlite3.SQLITE_CANTOPEN: _REFUSED,
    sqlite3.SQLITE_PERM: _REFUSED,
}
_SYSTEM_ADVICE = {
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
    errno.EACCES: _REFUSED,
    errno.EPERM: _REFUSED,
    errno.EROFS: _REFUSED,
}
_OF_THE_CONNECTION = (
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_PROTOCOL,
)


class LedgerSetupError(Exception):
    """The ledger cannot be used until a person does something."""


class LedgerInUse(LedgerSetupError):
    """Another process holds the lock that this role needs."""


class LedgerMissing(LedgerSetupError):
    """There is none yet, and this role does not make one."""


class LedgerMismatch(LedgerSetupError):
    """It holds the history of another API."""


class LedgerTooNew(LedgerSetupError):
    """A newer version wrote it."""


class LedgerBroken(LedgerSetupError):
    """It cannot be read or written."""


def is_of_the_data(error: Exception) -> bool:
    """Whether what was to be written is wrong: a bug of ours, which no waiting fixes and which says
    nothing of the ledger."""
    if isinstance(error, DBAPIError):
        return isinstance(error, (DataError, IntegrityError))
    # Before the driver had it: a value that its column does not take.
    return isinstance(error, (StatementError, sqlite3.DataError, sqlite3.IntegrityError))


def is_busy(error: Exception) -> bool:
    """Whether another process holds it at this moment, and nothing else is wrong."""
    return _advice(error) is _HELD


def is_unsound(error: Exception) -> bool:
    """Whether the file does not hold what SQLite wrote there."""
    return _advice(error) is FIX


def outlasts_its_cause(error: Exception) -> bool:
    """Whether the connection may go on failing once the cause is gone: one that was made while
    the file could not be written never writes, and a disk may have been replaced.

    Not so for an unsound file: to close it could delete its log, which a person may yet need.
    """
    return _sqlite_code(error) in _OF_THE_CONNECTION


def explain(error: Exception) -> str:
    """The cause and what to do: the driver's own words, without the statement and its values."""
    if isinstance(error, sqlite3.Error):
        return f"{error}: {_advice(error)}"
    if isinstance(error, DBAPIError) and error.orig is not None:
        return f"{error.orig}: {_advice(error)}"
    if isinstance(error, OSError):
        return f"{error.strerror or type(error).__name__}: {_advice(error)}"
    return f"{type(error).__name__}: {_advice(error)}"


def _advice(error: Exception) -> str:
    if isinstance(error, OSError):
        return _SYSTEM_ADVICE.get(error.errno or 0, _OTHER)
    return _SQLITE_ADVICE.get(_sqlite_code(error), _OTHER)


def _sqlite_code(error: Exception) -> int:
    """Of what kind it is: the part of SQLite's extended code that says so, or 0."""
    orig = error.orig if isinstance(error, DBAPIError) else error
    code: int = getattr(orig, "sqlite_errorcode", None) or 0
    return code & 0xFF
