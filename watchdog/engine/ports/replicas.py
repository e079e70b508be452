"""What the ledger stores about replicas."""

from collections.abc import Collection, Sequence
from typing import Protocol

from watchdog.domain.replica import Replica


class ReplicaRows(Protocol):
    """The running daemons, and which models each is configured with."""

    def save(self, replica: Replica) -> None:
        """Write what a replica says about itself. If it is active, all others are marked as not
        active."""

    def remove(self, replica_id: str) -> None: ...

    def all(self) -> Sequence[Replica]:
        """The active one first, then in the order of their start."""

    def configure(self, replica_id: str, model_ids: Collection[str]) -> None:
        """Write which models a replica is configured with. Replaces what was written before."""

    def configured(self, replica_ids: Collection[str]) -> frozenset[str]:
        """The models that any of these replicas is configured with."""
