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

    def state(self, now: datetime) -> ReplicaState:
        if now - self.seen_at > GONE_AFTER:
            return ReplicaState.GONE
        return ReplicaState.ACTIVE if self.active else ReplicaState.STANDBY
