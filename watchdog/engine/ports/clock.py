"""The time, which only adapters read."""

from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    """Wall time for what is stored, monotonic time for waits."""

    def now(self) -> datetime:
        """The present time, aware and in UTC: the ledger server's own, where there is one, and else
        one that never steps while the process runs."""

    def monotonic(self) -> float:
        """Seconds since some fixed moment."""
