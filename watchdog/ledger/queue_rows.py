"""The queries of the queue for the fleet's places: see `domain.queue`."""

from datetime import datetime

from sqlalchemy import Connection, and_, bindparam, func, or_, select, tuple_, update

from watchdog.domain.queue import QUEUED
from watchdog.domain.records import DecisionKind, DecisionReason, Health
from watchdog.ledger.schema import targets

# The rank alone is not enough: a program of an older schema does not clear it when a target stops
# waiting.
_QUEUED = and_(
    targets.c.ready_at.is_not(None),
    targets.c.queue_rank.is_not(None),
    targets.c.health == Health.FAILING,
    or_(
        targets.c.decision == DecisionKind.RETRY,
        and_(
            targets.c.decision == DecisionKind.WAIT,
            or_(*(targets.c.decision_word == reason for reason in sorted(QUEUED))),
        ),
    ),
    ~targets.c.missing,
)

# Built once, because every check of a failing model needs them.
_PLACE = (targets.c.queue_rank, targets.c.ready_at, targets.c.model_id)
_AHEAD = select(func.count()).where(
    _QUEUED,
    targets.c.observed_at >= bindparam("seen_since"),
    tuple_(*_PLACE) < tuple_(*(bindparam(f"own_{each.name}", type_=each.type) for each in _PLACE)),
)
_FIRST_WAITING = (
    select(targets.c.model_id)
    .where(_QUEUED, targets.c.watched, targets.c.decision_reason == bindparam("reason"))
    .order_by(*_PLACE)
    .limit(1)
)


class QueueQueries:
    """See `ports.QueueRows`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def ahead(self, rank: int, ready_at: datetime, model_id: str, *, seen_since: datetime) -> int:
        own = {"own_queue_rank": rank, "own_ready_at": ready_at, "own_model_id": model_id}
        return self._connection.scalar(_AHEAD, {**own, "seen_since": seen_since}) or 0

    def first_waiting(self, reason: DecisionReason) -> str | None:
        return self._connection.scalar(_FIRST_WAITING, {"reason": reason})

    def leave(self, model_id: str) -> None:
        left = update(targets).where(targets.c.model_id == model_id)
        self._connection.execute(left.values(queue_rank=None))
