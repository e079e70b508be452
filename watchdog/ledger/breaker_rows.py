"""The breaker's queries."""

from collections.abc import Collection, Iterator, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, bindparam, delete, func, or_, select

from watchdog.domain.breaker import Canary, CanaryResult, ClosedBy, Opening
from watchdog.domain.records import DecisionKind, DecisionReason, Health
from watchdog.ledger.chunks import in_chunks
from watchdog.ledger.rows import Row
from watchdog.ledger.schema import canaries, openings, targets
from watchdog.ledger.upsert import upsert


class _OfTargets:
    """A query about targets, built once for the watched ones and once for a list of ids."""

    def __init__(self, query: Select[Any]) -> None:
        self._of_watched = query.where(targets.c.watched)
        self._among = query.where(targets.c.model_id.in_(bindparam("among", expanding=True)))

    def parts(
        self, among: Collection[str] | None, **values: Any
    ) -> Iterator[tuple[Select[Any], dict[str, Any]]]:
        """Statements with their values, which together select the watched targets, or, if given,
        those with the ids `among`, in chunks."""
        if among is None:
            yield self._of_watched, values
            return
        for some in in_chunks(among):
            yield self._among, values | {"among": some}


# Built once, because every check needs them.
_BUT = targets.c.model_id != bindparam("but")
_BEGAN = _OfTargets(
    select(targets.c.broke_at)
    .where(targets.c.broke_at > bindparam("since"), _BUT)
    .order_by(targets.c.broke_at.desc())
    .limit(bindparam("most"))
)
_NOT_FAILING = _OfTargets(
    select(func.count()).where(
        targets.c.observed_twice,
        targets.c.health != Health.FAILING,
        or_(targets.c.broke_at.is_(None), targets.c.broke_at <= bindparam("since")),
        _BUT,
    )
)
_THAT_WAIT = select(targets.c.model_id).where(
    targets.c.health == Health.FAILING, targets.c.decision == DecisionKind.WAIT
)
_WAITING = _OfTargets(_THAT_WAIT)
_WAITING_FOR = _OfTargets(_THAT_WAIT.where(targets.c.decision_reason == bindparam("reason")))
_MINE = openings.c.observe == bindparam("observe")
_OPEN = (
    select(openings)
    .where(_MINE, openings.c.closed_at.is_(None))
    .order_by(openings.c.opened_at.desc())
    .limit(1)
)
_LAST_CLOSED = select(func.max(openings.c.closed_at, type_=openings.c.closed_at.type)).where(_MINE)


def opening_values(opening: Opening) -> dict[str, Any]:
    return {
        "id": opening.id,
        "opened_at": opening.opened_at,
        "failures": opening.failures,
        "not_failing": opening.not_failing,
        "held_until": opening.condition_until,
        "closed_at": opening.closed_at,
        # Programs of an older schema do not know LAPSED.
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

    def began_to_fail(
        self, since: datetime, *, among: Collection[str] | None, but: str | None, most: int
    ) -> list[datetime]:
        parts = _BEGAN.parts(among, since=since, but=but or "", most=most)
        found = [at for query, wanted in parts for at in self._connection.scalars(query, wanted)]
        return sorted(found, reverse=True)[:most]

    def not_failing(
        self, since: datetime, *, among: Collection[str] | None, but: str | None
    ) -> int:
        parts = _NOT_FAILING.parts(among, since=since, but=but or "")
        return sum(self._connection.scalar(query, wanted) or 0 for query, wanted in parts)

    def waiting(
        self, reason: DecisionReason | None = None, *, among: Collection[str] | None
    ) -> list[str]:
        parts = (
            _WAITING.parts(among) if reason is None else _WAITING_FOR.parts(among, reason=reason)
        )
        return [id_ for query, wanted in parts for id_ in self._connection.scalars(query, wanted)]

    def seen(self, since: datetime) -> list[str]:
        # When a daemon claims a target it plans the next check; if it sees no change, it writes
        # nothing else.
        checked = and_(targets.c.watched, targets.c.next_check_at > since)
        observed = and_(targets.c.status.is_not(None), targets.c.observed_at > since)
        return list(
            self._connection.scalars(select(targets.c.model_id).where(or_(checked, observed)))
        )

    def last_closed(self) -> datetime | None:
        found: datetime | None = self._connection.scalar(_LAST_CLOSED, {"observe": self._observe})
        return found

    def opening(self) -> Opening | None:
        row = self._connection.execute(_OPEN, {"observe": self._observe}).mappings().one_or_none()
        return None if row is None else to_opening(row)

    def openings(self, *, limit: int) -> list[Opening]:
        query = select(openings).where(self._own).order_by(openings.c.opened_at.desc()).limit(limit)
        return [to_opening(row) for row in self._connection.execute(query).mappings()]

    def last_canary(self, opening_id: str) -> Canary | None:
        # A canary without a result comes first: if the clock was set back, its `named_at` may be
        # earlier than that of older canaries.
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

    @property
    def _own(self) -> ColumnElement[bool]:
        return openings.c.observe.is_(self._observe)

    @property
    def _of_own(self) -> ColumnElement[bool]:
        return canaries.c.opening_id.in_(select(openings.c.id).where(self._own))

    def prune(self, before: datetime) -> int:
        """Delete the openings that closed before then, with their canaries. Returns the number of
        rows."""
        old = select(openings.c.id).where(openings.c.closed_at < before)
        gone = self._connection.execute(delete(canaries).where(canaries.c.opening_id.in_(old)))
        closed = self._connection.execute(delete(openings).where(openings.c.closed_at < before))
        return gone.rowcount + closed.rowcount
