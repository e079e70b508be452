"""A running daemon, as it last told the ledger."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

GONE_AFTER = timedelta(seconds=30)
"""A heartbeat comes every ten seconds: two missed ones are tolerated."""


class ReplicaState(StrEnum):
    """What a replica does, in one word; `gone`: no heartbeat for GONE_AFTER."""

    ACTIVE = "active"
    STANDBY = "standby"
    GONE = "gone"


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

    def silent_for(self, now: datetime) -> timedelta:
        """How long it has not said that it lives. What lies in the future it said before the clock
        was set back: if it lived, it would have said so again."""
        return abs(now - self.seen_at)

    def state(self, now: datetime) -> ReplicaState:
        if self.silent_for(now) > GONE_AFTER:
            return ReplicaState.GONE
        return ReplicaState.ACTIVE if self.active else ReplicaState.STANDBY
