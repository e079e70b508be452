"""Why a ledger cannot be opened or does not answer. Each text is one line: what, where, what to
do."""

import errno
import sqlite3

from sqlalchemy.exc import DBAPIError

_PRIMARY = 0xFF
"""The part of an extended SQLite error code that says what kind it is."""

_BUSY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
_UNSOUND = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_FULL = (sqlite3.SQLITE_FULL, errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_REFUSED = (
    *(sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM),
    *(errno.EACCES, errno.EPERM, errno.EROFS),
)
_OF_THE_CONNECTION = (
    *(sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_IOERR),
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


def is_busy(error: BaseException) -> bool:
    """Whether another process only holds it at this moment."""
    return _code(error) in _BUSY


def is_unsound(error: BaseException) -> bool:
    """Whether the file does not hold what SQLite wrote there."""
    return isinstance(error, DBAPIError) and _code(error) in _UNSOUND


def outlasts_its_cause(error: BaseException) -> bool:
    """Whether the connection may go on failing once the cause is gone: one that was made while
    the file could not be written never writes, and a disk may have been replaced.

    Not of a corrupt file: to close it would throw away its log, which a person may yet need.
    """
    return isinstance(error, DBAPIError) and _code(error) in _OF_THE_CONNECTION


def explain(error: Exception) -> str:
    """The cause and what to do: the driver's own words, without the statement and its values."""
    if isinstance(error, DBAPIError) and error.orig is not None:
        cause = str(error.orig)
    elif isinstance(error, OSError):
        cause = error.strerror or type(error).__name__
    else:
        cause = type(error).__name__
    return f"{cause}: {_advice(error)}"


def _advice(error: Exception) -> str:
    code, in_database = _code(error), isinstance(error, DBAPIError)
    if in_database and code in _BUSY:
        return "another program holds it: have it let go, or set another store.url"
    if in_database and code in _UNSOUND:
        return "put a good copy in its place, or move it away to begin with fresh budgets"
    if code in _FULL:
        return "make room, or set another store.url"
    if code in _REFUSED:
        return "let this user write the file and its directory, or set another store.url"
    return "mend or move the file, or set another store.url"


def _code(error: BaseException) -> int | None:
    if isinstance(error, OSError):
        return error.errno
    code = getattr(getattr(error, "orig", None), "sqlite_errorcode", None)
    return None if code is None else code & _PRIMARY
