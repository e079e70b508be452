"""A running daemon, as its last heartbeat in the ledger describes it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

GONE_AFTER = timedelta(seconds=30)
"""Longer than the time between two heartbeats on any ledger: see `HEARTBEAT` of each."""


class ReplicaState(StrEnum):
    """What a replica does, in one word. `gone`: no heartbeat for GONE_AFTER."""

    ACTIVE = "active"
    STANDBY = "standby"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class Replica:
    """`id` is the name that its reservations have as `owner`. `configured_at` is when it took up
    its present configuration, `seen_at` when it wrote its last heartbeat."""

    id: str
    version: str
    started_at: datetime
    configured_at: datetime
    seen_at: datetime
    active: bool

    def silent_for(self, now: datetime) -> timedelta:
        """The time since its last heartbeat. A heartbeat in the future was written before the clock
        was set back, so the difference counts as well: a running daemon would have written another
        one since."""
        return abs(now - self.seen_at)

    def state(self, now: datetime) -> ReplicaState:
        if self.silent_for(now) > GONE_AFTER:
            return ReplicaState.GONE
        return ReplicaState.ACTIVE if self.active else ReplicaState.STANDBY
