"""What SQLite and PostgreSQL differ in. All else is one code base."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from typing import Protocol

from sqlalchemy import Connection

from watchdog.ledger.turns import Line


class Database(Protocol):
    """Where the rows are. `transaction` is used by one thread at a time, and so are `hold_active`
    and `release_active`, by another one; the rest by any."""

    @property
    def line(self) -> Line:
        """What transactions are made on."""

    @property
    def pulse(self) -> Line:
        """What `hold_active` and `release_active` are made on."""

    def transaction(
        self, asked_at: float, /
    ) -> AbstractContextManager[tuple[Connection, datetime]]:
        """A transaction that holds the ledger's lock, and the time, read after it was taken.

        `asked_at` is on the monotonic clock. Raises LedgerUnavailable and the driver's errors.
        """

    def reader(self) -> "Database":
        """The same rows on a connection of its own, which cannot write and waits for nobody."""

    def knows_dead(self, owner: str, waited: timedelta, /, *, own: bool) -> bool:
        """See the ledger's port; `own` where the owner is this process."""

    @property
    def wall(self) -> Callable[[], datetime | None] | None:
        """The clock that the ledger's times are of, which says None while it is this process's;
        None where it always is."""

    def hold_active(self) -> int:
        """See the ledger's port. Raises as `transaction` does."""

    def release_active(self) -> bool:
        """See the ledger's port."""

    def close(self) -> None:
        """Give everything back."""
