"""What SQLite and PostgreSQL differ in. All else is one code base."""

from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from typing import Protocol

from sqlalchemy import Connection

from watchdog.engine.ports import LedgerUnavailable


class Database(Protocol):
    """Where the rows are. Used by one thread at a time, but for `knows_dead` and `interrupt`."""

    @property
    def busy_seconds(self) -> float:
        """How long a call may take, waiting for other processes included."""

    def transaction(
        self, deadline: float, /
    ) -> AbstractContextManager[tuple[Connection, datetime]]:
        """A transaction that holds the ledger's lock, and the time, read after it was taken.

        `deadline` is on the monotonic clock. Raises LedgerUnavailable and the driver's errors.
        """

    def unavailable(self, error: Exception, /) -> LedgerUnavailable:
        """What to tell of a driver's error."""

    def knows_dead(self, owner: str, waited: timedelta, /) -> bool:
        """Whether the owner of a reservation that old surely can no longer send it."""

    def interrupt(self) -> None:
        """Have the call under way fail: it is beyond its deadline."""

    def hold_active(self) -> bool:
        """Whether this process is the active one; if none is, it is from now on. Raises as
        `transaction` does."""

    def close(self) -> None:
        """Give everything back."""
