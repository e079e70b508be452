"""What SQLite and PostgreSQL differ in. All else is one code base."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from typing import Protocol

from sqlalchemy import Connection

from watchdog.engine.ports import LedgerUnavailable


class Database(Protocol):
    """Where the rows are. Used by one thread at a time, but for `knows_dead`, `wall` and
    `interrupt`."""

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

    def knows_dead(self, owner: str, waited: timedelta, /, *, own: bool) -> bool:
        """See the ledger's port; `own` where the owner is this process."""

    @property
    def wall(self) -> Callable[[], datetime | None] | None:
        """The clock that the ledger's times are of, which says None while it is this process's;
        None where it always is."""

    def interrupt(self) -> None:
        """Have the call under way fail: it is beyond its deadline."""

    def hold_active(self) -> int:
        """See the ledger's port. Raises as `transaction` does."""

    def close(self) -> None:
        """Give everything back."""
