"""The queries of the queue for the fleet's places: see `domain.queue`."""

from datetime import datetime

from sqlalchemy import ColumnElement, Connection, and_, func, literal, or_, select, tuple_, update

from watchdog.domain.queue import QUEUED
from watchdog.domain.records import DecisionKind, DecisionReason, Health
from watchdog.ledger.schema import targets


class QueueQueries:
    """See `ports.QueueRows`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def ahead(self, rank: int, ready_at: datetime, model_id: str, *, seen_since: datetime) -> int:
        own = tuple_(
            literal(rank, targets.c.queue_rank.type),
            literal(ready_at, targets.c.ready_at.type),
            literal(model_id, targets.c.model_id.type),
        )
        query = select(func.count()).where(
            self._queued(),
            targets.c.observed_at >= seen_since,
            tuple_(targets.c.queue_rank, targets.c.ready_at, targets.c.model_id) < own,
        )
        return self._connection.scalar(query) or 0

    def first_waiting(self, reason: DecisionReason) -> str | None:
        query = (
            select(targets.c.model_id)
            .where(self._queued(), targets.c.watched, targets.c.decision_reason == reason)
            .order_by(targets.c.queue_rank, targets.c.ready_at, targets.c.model_id)
            .limit(1)
        )
        return self._connection.scalar(query)

    def leave(self, model_id: str) -> None:
        left = update(targets).where(targets.c.model_id == model_id)
        self._connection.execute(left.values(queue_rank=None))

    @staticmethod
    def _queued() -> ColumnElement[bool]:
        # A program of an older schema does not write the rank when a target stops waiting.
        return and_(
            targets.c.ready_at.is_not(None),
            targets.c.queue_rank.is_not(None),
            targets.c.health == Health.FAILING,
            or_(
                targets.c.decision == DecisionKind.RETRY,
                and_(targets.c.decision == DecisionKind.WAIT, targets.c.decision_word.in_(QUEUED)),
            ),
            ~targets.c.missing,
        )
