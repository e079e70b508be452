"""The queries about the replicas."""

from collections.abc import Collection
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from watchdog.domain.replica import Replica
from watchdog.ledger.rows import Row
from watchdog.ledger.schema import configured, replicas
from watchdog.ledger.upsert import upsert


def replica_values(replica: Replica) -> dict[str, Any]:
    return {
        "id": replica.id,
        "version": replica.version,
        "started_at": replica.started_at,
        "configured_at": replica.configured_at,
        "seen_at": replica.seen_at,
        "active": replica.active,
    }


def to_replica(row: Row) -> Replica:
    return Replica(
        id=row["id"],
        version=row["version"],
        started_at=row["started_at"],
        configured_at=row["configured_at"],
        seen_at=row["seen_at"],
        active=row["active"],
    )


class ReplicaQueries:
    """See `ports.ReplicaRows`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def save(self, replica: Replica) -> None:
        if replica.active:
            others = (replicas.c.active, replicas.c.id != replica.id)
            self._connection.execute(update(replicas).where(*others).values(active=False))
        upsert(self._connection, replicas, replica_values(replica))

    def remove(self, replica_id: str) -> None:
        self._connection.execute(delete(configured).where(configured.c.replica_id == replica_id))
        self._connection.execute(delete(replicas).where(replicas.c.id == replica_id))

    def all(self) -> list[Replica]:
        query = select(replicas).order_by(
            replicas.c.active.desc(), replicas.c.started_at, replicas.c.id
        )
        return [to_replica(row) for row in self._connection.execute(query).mappings()]

    def configure(self, replica_id: str, model_ids: Collection[str]) -> None:
        self._connection.execute(delete(configured).where(configured.c.replica_id == replica_id))
        rows = [{"replica_id": replica_id, "model_id": model_id} for model_id in model_ids]
        if rows:
            self._connection.execute(insert(configured), rows)

    def configured(self, replica_ids: Collection[str]) -> frozenset[str]:
        query = select(configured.c.model_id).where(configured.c.replica_id.in_(replica_ids))
        return frozenset(self._connection.scalars(query))
