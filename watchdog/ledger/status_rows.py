"""The queries about the statuses that targets went through."""

from datetime import datetime

from sqlalchemy import Connection, and_, delete, func, insert, literal, select, update

from watchdog.domain.records import StatusChange
from watchdog.ledger.schema import statuses, targets

_UNSEEN = ""
"""The column takes no NULL, and no status is empty."""


class StatusQueries:
    """The part of a transaction that is about the statuses' history."""

    _connection: Connection

    def add_status(self, change: StatusChange) -> None:
        status = change.status or _UNSEEN
        same = (statuses.c.model_id == change.model_id, statuses.c.at == change.at)
        written = self._connection.execute(update(statuses).where(*same).values(status=status))
        if not written.rowcount:
            values = {"model_id": change.model_id, "at": change.at, "status": status}
            self._connection.execute(insert(statuses).values(values))

    def statuses(self, since: datetime, model_id: str | None = None) -> list[StatusChange]:
        earlier = statuses.alias()
        in_force = (
            select(func.max(earlier.c.at))
            .where(earlier.c.model_id == targets.c.model_id, earlier.c.at <= since)
            .scalar_subquery()
        )
        # For each target two seeks in the primary key, however long its history is.
        first = func.coalesce(in_force, literal(since, statuses.c.at.type))
        query = (
            select(statuses)
            .join(targets, targets.c.model_id == statuses.c.model_id)
            .where(statuses.c.at >= first)
            .order_by(statuses.c.model_id, statuses.c.at)
        )
        if model_id is not None:
            query = query.where(statuses.c.model_id == model_id)
        return [
            StatusChange(row.model_id, row.at, row.status or None)
            for row in self._connection.execute(query)
        ]

    def _prune_statuses(self, before: datetime) -> int:
        """Delete those that had given way to another before; how many."""
        later = statuses.alias()
        given_way = (
            select(later.c.at)
            .where(
                later.c.model_id == statuses.c.model_id,
                later.c.at > statuses.c.at,
                later.c.at <= before,
            )
            .exists()
        )
        old = and_(statuses.c.at < before, given_way)
        return self._connection.execute(delete(statuses).where(old)).rowcount
