"""Why a ledger cannot be opened, or does not answer. Each message is one line that says what is
wrong, where, and what to do."""

import errno
import os
import sqlite3

from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, StatementError

_HELD = "another program holds it: stop that program, or set another store.url"
FIX = (
    "put a good copy in its place, without the old file's -wal file, "
    "or move it away to begin with fresh budgets"
)
_FULL = "make room, or set another store.url"
_REFUSED = "let this user write the file and its directory, or set another store.url"
_FILES = "raise the limit (ulimit -n), or end what holds so many"
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
    errno.EMFILE: _FILES,
    errno.ENFILE: _FILES,
}
_OF_THE_CONNECTION = (
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_PROTOCOL,
)


class LedgerSetupError(Exception):
    """The ledger cannot be used until an operator fixes the cause."""


class LedgerInUse(LedgerSetupError):
    """Another process holds the lock that this role needs."""


class LedgerMissing(LedgerSetupError):
    """There is no ledger, and this role does not create one."""

    def __init__(self, where: str) -> None:
        super().__init__(
            f"there is no ledger at {where}: start the daemon first, or name the daemon's own "
            "configuration file with --config"
        )


class LedgerMismatch(LedgerSetupError):
    """The ledger holds the history of another API."""


class LedgerTooNew(LedgerSetupError):
    """A newer version of the program wrote the ledger."""


class LedgerBroken(LedgerSetupError):
    """The ledger cannot be read or written."""


def is_of_the_data(error: Exception) -> bool:
    """Whether the error is about the values to be written. That is a bug of this program: trying
    again does not help, and nothing is known to be wrong with the ledger."""
    if isinstance(error, DBAPIError):
        return isinstance(error, (DataError, IntegrityError))
    # SQLAlchemy refused a value for its column, before the driver was called.
    return isinstance(error, (StatementError, sqlite3.DataError, sqlite3.IntegrityError))


def is_busy(error: Exception) -> bool:
    """Whether the error only means that another process holds the ledger at this moment."""
    return _advice(error) is _HELD


def is_unsound(error: Exception) -> bool:
    """Whether the error means that the file is damaged, or is not a SQLite database."""
    return _advice(error) is FIX


def outlasts_its_cause(error: Exception) -> bool:
    """Whether the connection may keep failing after the cause is gone: a connection that was opened
    while the file was read-only can never write, and a disk may have been replaced.

    False for a damaged file: closing the connection could delete its WAL, which an operator may
    still need.
    """
    return _sqlite_code(error) in _OF_THE_CONNECTION


def explain(error: Exception) -> str:
    """The driver's message, without the statement and its values, and what to do."""
    if _sqlite_code(error) == sqlite3.SQLITE_CANTOPEN:
        error = _no_more_files() or error
    if isinstance(error, sqlite3.Error):
        return f"{error}: {_advice(error)}"
    if isinstance(error, DBAPIError) and error.orig is not None:
        return f"{error.orig}: {_advice(error)}"
    if isinstance(error, OSError):
        return f"{error.strerror or type(error).__name__}: {_advice(error)}"
    return f"{type(error).__name__}: {_advice(error)}"


def _no_more_files() -> OSError | None:
    """Why no file can be opened at this moment, which SQLite does not tell. The ledger's own file
    must not be opened for this: closing it again would end its locks."""
    opened: list[int] = []
    try:
        # The ledger, its log and its index.
        opened.extend(os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC) for _ in range(3))
    except OSError as error:
        return error
    finally:
        for descriptor in opened:
            os.close(descriptor)
    return None


def _advice(error: Exception) -> str:
    if isinstance(error, OSError):
        return _SYSTEM_ADVICE.get(error.errno or 0, _OTHER)
    return _SQLITE_ADVICE.get(_sqlite_code(error), _OTHER)


def _sqlite_code(error: Exception) -> int:
    """SQLite's primary result code, which is the low byte of the extended code; 0 if there is
    none."""
    orig = error.orig if isinstance(error, DBAPIError) else error
    code: int = getattr(orig, "sqlite_errorcode", None) or 0
    return code & 0xFF
