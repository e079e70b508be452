"""The breaker's queries."""

from collections.abc import Collection, Iterator, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, delete, func, or_, select

from watchdog.domain.breaker import Canary, CanaryResult, ClosedBy, Opening
from watchdog.domain.records import DecisionKind, DecisionReason, Health
from watchdog.ledger.chunks import in_chunks
from watchdog.ledger.rows import Row
from watchdog.ledger.schema import canaries, openings, targets
from watchdog.ledger.upsert import upsert

_FAILING = targets.c.health == Health.FAILING


def opening_values(opening: Opening) -> dict[str, Any]:
    return {
        "id": opening.id,
        "opened_at": opening.opened_at,
        "failures": opening.failures,
        "not_failing": opening.not_failing,
        "held_until": opening.condition_until,
        "closed_at": opening.closed_at,
        # Programs of an older schema do not know that word.
        "closed_by": None if opening.closed_by is ClosedBy.LAPSED else opening.closed_by,
        "judged_at": opening.judged_at,
    }


def to_opening(row: Row) -> Opening:
    closed_by = None if row["closed_by"] is None else ClosedBy(row["closed_by"])
    if row["closed_at"] is not None and closed_by is None:
        closed_by = ClosedBy.LAPSED
    return Opening(
        id=row["id"],
        opened_at=row["opened_at"],
        failures=row["failures"],
        not_failing=row["not_failing"],
        condition_until=row["held_until"],
        closed_at=row["closed_at"],
        closed_by=closed_by,
        judged_at=row["judged_at"],
    )


def canary_values(canary: Canary) -> dict[str, Any]:
    return {
        "id": canary.id,
        "opening_id": canary.opening_id,
        "model_id": canary.model_id,
        "named_at": canary.named_at,
        "attempt_id": canary.attempt_id,
        "ended_at": canary.ended_at,
        "result": canary.result,
    }


def to_canary(row: Row) -> Canary:
    return Canary(
        id=row["id"],
        opening_id=row["opening_id"],
        model_id=row["model_id"],
        named_at=row["named_at"],
        attempt_id=row["attempt_id"],
        ended_at=row["ended_at"],
        result=None if row["result"] is None else CanaryResult(row["result"]),
    )


class BreakerQueries:
    """See `ports.BreakerRows`."""

    def __init__(self, connection: Connection, *, observe: bool) -> None:
        self._connection = connection
        self._observe = observe

    def broken(
        self, since: datetime, *, among: Collection[str] | None, but: str | None, most: int
    ) -> list[datetime]:
        query = (
            select(targets.c.broke_at)
            .where(targets.c.broke_at > since, _is_not(but))
            .order_by(targets.c.broke_at.desc())
            .limit(most)
        )
        found = [at for part in _parts(among) for at in self._connection.scalars(query.where(part))]
        return sorted(found, reverse=True)[:most]

    def not_failing(
        self, since: datetime, *, among: Collection[str] | None, but: str | None
    ) -> int:
        broke = targets.c.broke_at
        query = select(func.count()).where(
            targets.c.observed_twice,
            targets.c.health != Health.FAILING,
            broke.is_(None) | (broke <= since),
            _is_not(but),
        )
        return sum(self._connection.scalar(query.where(part)) or 0 for part in _parts(among))

    def waiting(
        self, reason: DecisionReason | None = None, *, among: Collection[str] | None
    ) -> list[str]:
        query = select(targets.c.model_id).where(_FAILING, targets.c.decision == DecisionKind.WAIT)
        if reason is not None:
            query = query.where(targets.c.decision_reason == reason)
        return [
            id_ for part in _parts(among) for id_ in self._connection.scalars(query.where(part))
        ]

    def seen(self, since: datetime) -> list[str]:
        # Each claim of a daemon plans the next check; who sees no change writes nothing else.
        checked = and_(targets.c.watched, targets.c.next_check_at > since)
        observed = and_(targets.c.status.is_not(None), targets.c.observed_at > since)
        return list(
            self._connection.scalars(select(targets.c.model_id).where(or_(checked, observed)))
        )

    def last_closed(self) -> datetime | None:
        closed = func.max(openings.c.closed_at, type_=openings.c.closed_at.type)
        found: datetime | None = self._connection.scalar(select(closed).where(self._own))
        return found

    def opening(self) -> Opening | None:
        found = self._openings(1, openings.c.closed_at.is_(None))
        return found[0] if found else None

    def openings(self, *, limit: int) -> list[Opening]:
        return self._openings(limit)

    def last_canary(self, opening_id: str) -> Canary | None:
        # One under way comes first: a clock that was set back can put its name before older ones.
        query = (
            select(canaries)
            .where(canaries.c.opening_id == opening_id)
            .order_by(canaries.c.result.is_not(None), canaries.c.named_at.desc())
            .limit(1)
        )
        row = self._connection.execute(query).mappings().one_or_none()
        return None if row is None else to_canary(row)

    def canaries(self, *, limit: int) -> list[Canary]:
        query = (
            select(canaries).where(self._of_own).order_by(canaries.c.named_at.desc()).limit(limit)
        )
        return [to_canary(row) for row in self._connection.execute(query).mappings()]

    def canary_times(self) -> Mapping[str, datetime]:
        named = func.max(canaries.c.named_at, type_=canaries.c.named_at.type)
        query = select(canaries.c.model_id, named).where(self._of_own)
        query = query.group_by(canaries.c.model_id)
        return {row[0]: row[1] for row in self._connection.execute(query)}

    def save_opening(self, opening: Opening) -> None:
        upsert(self._connection, openings, opening_values(opening) | {"observe": self._observe})

    def save_canary(self, canary: Canary) -> None:
        upsert(self._connection, canaries, canary_values(canary))

    def _openings(self, limit: int, *where: ColumnElement[bool]) -> list[Opening]:
        query = select(openings).where(self._own, *where)
        query = query.order_by(openings.c.opened_at.desc()).limit(limit)
        return [to_opening(row) for row in self._connection.execute(query).mappings()]

    @property
    def _own(self) -> ColumnElement[bool]:
        return openings.c.observe.is_(self._observe)

    @property
    def _of_own(self) -> ColumnElement[bool]:
        return canaries.c.opening_id.in_(select(openings.c.id).where(self._own))

    def prune(self, before: datetime) -> int:
        """Delete those that closed before, with their canaries; how many rows went."""
        old = select(openings.c.id).where(openings.c.closed_at < before)
        gone = self._connection.execute(delete(canaries).where(canaries.c.opening_id.in_(old)))
        closed = self._connection.execute(delete(openings).where(openings.c.closed_at < before))
        return gone.rowcount + closed.rowcount


def _is_not(model_id: str | None) -> ColumnElement[bool]:
    return targets.c.model_id != (model_id or "")


def _parts(among: Collection[str] | None) -> Iterator[ColumnElement[bool]]:
    """Which targets: the watched ones, or these, in parts."""
    if among is None:
        yield targets.c.watched
        return
    for some in in_chunks(among):
        yield targets.c.model_id.in_(some)
