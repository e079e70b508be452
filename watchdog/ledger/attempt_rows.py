"""The queries about attempts."""

from collections.abc import Collection, Sequence
from datetime import datetime
from itertools import groupby

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Table,
    and_,
    bindparam,
    case,
    exists,
    func,
    insert,
    literal,
    or_,
    select,
    type_coerce,
    update,
)

from watchdog.domain.limits import RESERVATION_TTL
from watchdog.domain.records import Attempt, Episode, Outcome, Target
from watchdog.engine.ports import Generation, VersionConflict
from watchdog.ledger.attempt_values import attempt_values, to_attempt
from watchdog.ledger.chunks import in_chunks
from watchdog.ledger.episode_rows import episode_values
from watchdog.ledger.meta_rows import MetaQueries
from watchdog.ledger.schema import attempts, episodes, targets

PENDING = attempts.c.outcome == Outcome.PENDING

_WATCHED = (
    "resolution",
    "resolved_at",
    "presumed",
    "in_flight_until",
    "deployment_id",
    "deployment_created_at",
    "made_id",
    "made_created_at",
)
"""The columns that watching an attempt changes."""

_RESOLVE = (
    update(attempts)
    .where(attempts.c.id == bindparam("same_id"))
    .values({attempts.c[name]: bindparam(name) for name in _WATCHED})
)

_SENT_OR_RESERVED = func.coalesce(attempts.c.sent_at, attempts.c.reserved_at)


def recent(since: datetime, dated: datetime | None) -> list[ColumnElement[bool]]:
    """What may count in a window that begins then, by either clock: see `limits.counts_at`."""
    sent = and_(_reserved_after(since), since <= _SENT_OR_RESERVED)
    return [sent] if dated is None else [sent, attempts.c.api_date >= dated]


def _reserved_after(sent: datetime) -> ColumnElement[bool]:
    """What the index can use: nothing is sent later than this after its reservation."""
    return attempts.c.reserved_at >= sent - RESERVATION_TTL


class AttemptQueries:
    """See `ports.AttemptRows`."""

    def __init__(
        self,
        connection: Connection,
        now: datetime,
        visible: ColumnElement[bool],
        meta: MetaQueries,
    ) -> None:
        self._connection = connection
        self._now = now
        self._visible = visible
        self._meta = meta

    def get(self, attempt_id: str) -> Attempt | None:
        query = select(attempts).where(attempts.c.id == attempt_id)
        row = self._connection.execute(query).mappings().one_or_none()
        return None if row is None else to_attempt(row)

    def of(
        self, target: Target, *, since: datetime, dated: datetime | None = None
    ) -> tuple[Attempt, ...]:
        wanted = [*recent(since, dated), PENDING]
        if target.episode is not None:
            wanted.append(attempts.c.episode_id == target.episode.id)
        query = (
            select(attempts)
            .where(attempts.c.model_id == target.model_id, or_(*wanted), self._visible)
            .order_by(attempts.c.number, attempts.c.reserved_at)
        )
        return tuple(to_attempt(row) for row in self._connection.execute(query).mappings())

    def of_all(
        self, *, since: datetime, dated: datetime | None = None
    ) -> dict[str, tuple[Attempt, ...]]:
        current = select(targets.c.episode_id).where(targets.c.episode_id.is_not(None))
        wanted = (*recent(since, dated), PENDING, attempts.c.episode_id.in_(current))
        query = (
            select(attempts)
            .where(or_(*wanted), self._visible)
            .order_by(attempts.c.model_id, attempts.c.number, attempts.c.reserved_at)
        )
        rows = [to_attempt(row) for row in self._connection.execute(query).mappings()]
        return {key: tuple(own) for key, own in groupby(rows, lambda each: each.model_id)}

    def pending(self) -> list[Attempt]:
        query = select(attempts).where(PENDING)
        return [to_attempt(row) for row in self._connection.execute(query).mappings()]

    def newest(self, model_id: str | None, *, limit: int) -> list[Attempt]:
        query = select(attempts).order_by(attempts.c.reserved_at.desc()).limit(limit)
        if model_id is not None:
            query = query.where(attempts.c.model_id == model_id)
        return [to_attempt(row) for row in self._connection.execute(query).mappings()]

    def generation(self) -> Generation:
        return self._meta.generation()

    def add(self, attempt: Attempt) -> None:
        # Query first: IntegrityError cannot tell a second pending attempt from a duplicate id.
        pending = exists().where(PENDING, attempts.c.model_id == attempt.model_id)
        if attempt.outcome is Outcome.PENDING and self._connection.scalar(select(pending)):
            raise VersionConflict(attempt.model_id)
        self._insert(attempt)

    def record_answer(self, attempt: Attempt) -> bool:
        ended = attempts.c.resolved_at.is_not(None)
        written = self._connection.execute(
            update(attempts)
            .where(
                attempts.c.id == attempt.id,
                attempts.c.outcome.in_((Outcome.PENDING, Outcome.UNKNOWN)),
            )
            .values(
                outcome=attempt.outcome,
                sent_at=attempt.sent_at,
                answered_at=attempt.answered_at,
                reason=attempt.reason,
                forbidden_key=attempt.forbidden_key,
                api_date=attempt.api_date,
                resolution=case(
                    (ended, attempts.c.resolution),
                    else_=literal(attempt.resolution, attempts.c.resolution.type),
                ),
                resolved_at=case(
                    (ended, attempts.c.resolved_at),
                    else_=literal(attempt.resolved_at, attempts.c.resolved_at.type),
                ),
            )
        )
        if written.rowcount:
            self._meta.grow(attempt.id)
        return bool(written.rowcount)

    def resolve(self, resolved: Sequence[Attempt]) -> None:
        rows = [attempt_values(each) for each in resolved]
        if rows:
            rows = [{name: row[name] for name in _WATCHED} | {"same_id": row["id"]} for row in rows]
            self._connection.execute(_RESOLVE, rows)

    def put_back(self, lost: Sequence[tuple[Attempt, Episode]]) -> None:
        if not lost:
            return
        gone = self._without_row(episodes, {episode.id for _, episode in lost})
        unknown = {episode.id: episode for _, episode in lost if episode.id in gone}
        if unknown:
            rows = [episode_values(each) for each in unknown.values()]
            self._connection.execute(insert(episodes), rows)
        self._insert(*(attempt for attempt, _ in lost))

    def without_row(self, attempt_ids: Collection[str]) -> frozenset[str]:
        return self._without_row(attempts, attempt_ids)

    def _insert(self, *added: Attempt) -> None:
        self._connection.execute(insert(attempts), [attempt_values(each) for each in added])
        self._meta.grow(added[-1].id, len(added))

    def _without_row(self, table: Table, ids: Collection[str]) -> frozenset[str]:
        found = set[str]()
        for some in in_chunks(ids):
            found.update(self._connection.scalars(select(table.c.id).where(table.c.id.in_(some))))
        return frozenset(ids) - found

    def clamp_places(self) -> None:
        """Count from now what an attempt may still hold a place in flight for. When it was reserved
        stays ahead: `ahead_since` tells where that was done already."""
        counted_from = func.coalesce(
            attempts.c.resolved_at, attempts.c.ahead_since, attempts.c.reserved_at
        )
        ahead_by = counted_from - literal(self._now, attempts.c.reserved_at.type)
        kept = attempts.c.in_flight_until - ahead_by
        self._connection.execute(
            update(attempts)
            .where(counted_from > self._now)
            .values(in_flight_until=type_coerce(kept, BigInteger))
        )

    def note_ahead(self) -> None:
        now, noted = self._now, attempts.c.ahead_since
        ahead = and_(_reserved_after(now), now < _SENT_OR_RESERVED)
        news = and_(ahead, or_(noted.is_(None), noted > now))
        over = and_(noted.is_not(None), now >= _SENT_OR_RESERVED)
        for which, since in ((news, now), (over, None)):
            self._connection.execute(update(attempts).where(which).values(ahead_since=since))
