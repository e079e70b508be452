"""The queries about the replicas."""

from collections.abc import Collection

from sqlalchemy import Connection, delete, insert, select, update

from watchdog.domain.replica import Replica
from watchdog.ledger.rows import replica_values, to_replica
from watchdog.ledger.schema import configured, replicas
from watchdog.ledger.upsert import upsert


class ReplicaQueries:
    """The part of a transaction that is about the replicas."""

    _connection: Connection

    def save_replica(self, replica: Replica) -> None:
        if replica.active:
            others = (replicas.c.active, replicas.c.id != replica.id)
            self._connection.execute(update(replicas).where(*others).values(active=False))
        upsert(self._connection, replicas, replica_values(replica))

    def remove_replica(self, replica_id: str) -> None:
        self._connection.execute(delete(configured).where(configured.c.replica_id == replica_id))
        self._connection.execute(delete(replicas).where(replicas.c.id == replica_id))

    def replicas(self) -> list[Replica]:
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
