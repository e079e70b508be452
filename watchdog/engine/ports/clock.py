"""The time. Only adapters read it from the system."""

from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    """Wall clock time for what is stored, monotonic time for waits."""

    def now(self) -> datetime:
        """The present time, aware and in UTC: that of the ledger's server if there is one,
        otherwise a time that never steps while the process runs."""

    def monotonic(self) -> float:
        """Seconds since a fixed moment."""
