"""The queries about the statuses that targets went through."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, and_, delete, select

from watchdog.domain.records import StatusChange
from watchdog.ledger.schema import statuses, targets
from watchdog.ledger.upsert import upsert

_UNSEEN = ""
"""Stored for a target that was missing: the column accepts no NULL, and no status is empty."""


class StatusQueries:
    """See `ports.StatusRows`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, changes: Sequence[StatusChange]) -> None:
        rows = [
            {"model_id": each.model_id, "at": each.at, "status": each.status or _UNSEEN}
            for each in changes
        ]
        upsert(self._connection, statuses, *rows)

    def since(self, since: datetime, model_id: str | None = None) -> list[StatusChange]:
        later = select(statuses.c.model_id, statuses.c.at, statuses.c.status).where(
            statuses.c.at > since
        )
        # Two seeks in the primary key for each target, however long its history is.
        newest = (
            select(statuses.c.at, statuses.c.status)
            .where(statuses.c.model_id == targets.c.model_id, statuses.c.at <= since)
            .order_by(statuses.c.at.desc())
            .limit(1)
        )
        in_force = select(
            targets.c.model_id,
            newest.with_only_columns(statuses.c.at).scalar_subquery(),
            newest.with_only_columns(statuses.c.status).scalar_subquery(),
        )
        if model_id is not None:
            later = later.where(statuses.c.model_id == model_id)
            in_force = in_force.where(targets.c.model_id == model_id)
        rows = [*self._connection.execute(in_force), *self._connection.execute(later)]
        found = [StatusChange(row[0], row[1], row[2] or None) for row in rows if row[1] is not None]
        return sorted(found, key=lambda change: (change.model_id, change.at))

    def prune(self, before: datetime) -> int:
        """Delete the changes that were followed by another one before then. Returns the number of
        rows."""
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
