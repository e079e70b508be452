"""The queries about when targets were broken."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from watchdog.domain.records import Breakage
from watchdog.ledger.chunks import in_chunks
from watchdog.ledger.rows import Row
from watchdog.ledger.schema import breakages


def breakage_values(breakage: Breakage) -> dict[str, Any]:
    return {
        "model_id": breakage.model_id,
        "began_at": breakage.began_at,
        "status": breakage.status,
        "ended_at": breakage.ended_at,
    }


def to_breakage(row: Row) -> Breakage:
    return Breakage(
        model_id=row["model_id"],
        began_at=row["began_at"],
        status=row["status"],
        ended_at=row["ended_at"],
    )


class BreakageQueries:
    """See `ports.BreakageRows`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def begin(self, begun: Sequence[Breakage]) -> None:
        if begun:
            self._connection.execute(insert(breakages), [breakage_values(each) for each in begun])

    def end(self, model_ids: Collection[str], at: datetime) -> None:
        for some in in_chunks(model_ids):
            lasting = update(breakages).where(
                breakages.c.model_id.in_(some), breakages.c.ended_at.is_(None)
            )
            self._connection.execute(lasting.values(ended_at=at))

    def newest(self, model_id: str | None, *, limit: int) -> list[Breakage]:
        query = select(breakages).order_by(breakages.c.began_at.desc(), breakages.c.id.desc())
        if model_id is not None:
            query = query.where(breakages.c.model_id == model_id)
        found = self._connection.execute(query.limit(limit)).mappings()
        return [to_breakage(row) for row in found]

    def prune(self, before: datetime) -> int:
        """Delete the breakages that ended before then. Returns the number of rows."""
        old = delete(breakages).where(breakages.c.ended_at < before)
        return self._connection.execute(old).rowcount
