"""The differences between SQLite and PostgreSQL. All other code is shared."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from typing import Protocol

from sqlalchemy import Connection

from watchdog.engine.ports import LedgerVersion
from watchdog.ledger.turns import Line


class Database(Protocol):
    """Where the rows are stored. One thread at a time calls `transaction`, and one other thread at
    a time calls `hold_active` and `release_active`; any thread may call the rest."""

    @property
    def line(self) -> Line:
        """The connection of the transactions."""

    @property
    def heartbeat(self) -> timedelta:
        """See the ledger's port."""

    @property
    def pulse(self) -> Line | None:
        """The connection of `hold_active` and `release_active`; None if they need none, and answer
        at once."""

    def transaction(
        self, asked_at: float, /
    ) -> AbstractContextManager[tuple[Connection, datetime]]:
        """A transaction that holds the ledger's lock (a reader's does not), and the time, which is
        read after the lock was taken.

        `asked_at` is on the monotonic clock. Raises LedgerUnavailable and the driver's errors.
        """

    def version(self) -> LedgerVersion | None:
        """See the ledger's port."""

    def reader(self) -> "Database":
        """The same rows on a separate connection, which cannot write and waits for no other
        process."""

    def knows_dead(self, owner: str, waited: timedelta, /, *, own: bool) -> bool:
        """See the ledger's port. `own` says whether the owner is this process."""

    @property
    def wall(self) -> Callable[[], datetime | None] | None:
        """The clock of the ledger's times: it returns None while that is this process's own clock.
        None if it always is."""

    def hold_active(self) -> int:
        """See the ledger's port. Raises as `transaction` does."""

    def release_active(self) -> bool:
        """See the ledger's port."""

    def close(self) -> None:
        """Close the connections and release the locks."""
