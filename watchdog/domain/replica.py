"""A running daemon, as it last told the ledger."""

from dataclasses import dataclass
from datetime import datetime, timedelta

GONE_AFTER = timedelta(seconds=30)
"""It says that it lives every ten seconds: twice it may have been held up."""


@dataclass(frozen=True, slots=True)
class Replica:
    """`id` is what it signs its reservations with. `configured_at` is when it took up its present
    configuration, `seen_at` when it last said that it lives."""

    id: str
    version: str
    started_at: datetime
    configured_at: datetime
    seen_at: datetime
    active: bool

    def is_gone(self, now: datetime) -> bool:
        """Whether it has been silent for so long that it hardly lives."""
        return now - self.seen_at > GONE_AFTER
