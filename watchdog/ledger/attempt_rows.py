"""The queries about attempts."""

from collections.abc import Collection, Sequence
from datetime import datetime
from functools import cache
from itertools import groupby
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Select,
    Table,
    and_,
    bindparam,
    case,
    exists,
    func,
    insert,
    literal,
    literal_column,
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

PENDING = attempts.c.outcome == literal_column(f"'{Outcome.PENDING}'")
"""With a constant: for a parameter too SQLite uses an index of some of the rows, but it then plans
the statement anew at each execution."""

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
"""The columns that change while an attempt's result is watched."""

_RESOLVE = (
    update(attempts)
    .where(attempts.c.id == bindparam("same_id"))
    .values({attempts.c[name]: bindparam(name) for name in _WATCHED})
)

_SENT_OR_RESERVED = func.coalesce(attempts.c.sent_at, attempts.c.reserved_at)


def visible(*, observe: bool) -> ColumnElement[bool]:
    """A condition for what a process in this mode sees: only one in observe mode sees dry runs."""
    return attempts.c.id.is_not(None) if observe else attempts.c.outcome != Outcome.DRY_RUN


def recent(*, dated: bool) -> list[ColumnElement[bool]]:
    """Conditions with the parameters of `window`, of which one holds for each attempt that may
    count in a window."""
    since = bindparam("since", type_=attempts.c.reserved_at.type)
    # The first condition is there for the index of `reserved_at`.
    sent = and_(attempts.c.reserved_at >= bindparam("reserved_since"), since <= _SENT_OR_RESERVED)
    return [sent, attempts.c.api_date >= bindparam("dated_since")] if dated else [sent]


def window(since: datetime, dated: datetime | None) -> dict[str, Any]:
    """The parameters of `recent`: the window begins at `since` by the ledger's clock, and at
    `dated` by the API's. Nothing is sent later than RESERVATION_TTL after its reservation. See
    `limits.counts_at`."""
    found = {"since": since, "reserved_since": since - RESERVATION_TTL}
    return found if dated is None else found | {"dated_since": dated}


# Built once, because every reservation needs them.
_BY_ID = select(attempts).where(attempts.c.id == bindparam("wanted"))
_HAS_PENDING = select(exists().where(PENDING, attempts.c.model_id == bindparam("model")))
_INSERT = insert(attempts)


@cache
def _of(*, dated: bool, failing: bool, observe: bool) -> Select[Any]:
    """Built once, because every check needs it."""
    wanted = [*recent(dated=dated), PENDING]
    if failing:
        wanted.append(attempts.c.episode_id == bindparam("episode"))
    return (
        select(attempts)
        .where(attempts.c.model_id == bindparam("model"), or_(*wanted), visible(observe=observe))
        .order_by(attempts.c.number, attempts.c.reserved_at)
    )


class AttemptQueries:
    """See `ports.AttemptRows`."""

    def __init__(
        self,
        connection: Connection,
        now: datetime,
        meta: MetaQueries,
        *,
        observe: bool,
    ) -> None:
        self._connection = connection
        self._now = now
        self._observe = observe
        self._meta = meta

    def get(self, attempt_id: str) -> Attempt | None:
        row = self._connection.execute(_BY_ID, {"wanted": attempt_id}).mappings().one_or_none()
        return None if row is None else to_attempt(row)

    def of(
        self, target: Target, *, since: datetime, dated: datetime | None = None
    ) -> tuple[Attempt, ...]:
        wanted = window(since, dated) | {"model": target.model_id}
        if target.episode is not None:
            wanted["episode"] = target.episode.id
        query = _of(
            dated=dated is not None,
            failing=target.episode is not None,
            observe=self._observe,
        )
        return tuple(to_attempt(row) for row in self._connection.execute(query, wanted).mappings())

    def of_all(
        self, *, since: datetime, dated: datetime | None = None
    ) -> dict[str, tuple[Attempt, ...]]:
        current = select(targets.c.episode_id).where(targets.c.episode_id.is_not(None))
        wanted = (*recent(dated=dated is not None), PENDING, attempts.c.episode_id.in_(current))
        query = (
            select(attempts)
            .where(or_(*wanted), visible(observe=self._observe))
            .order_by(attempts.c.model_id, attempts.c.number, attempts.c.reserved_at)
        )
        found = self._connection.execute(query, window(since, dated))
        rows = [to_attempt(row) for row in found.mappings()]
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
        own = {"model": attempt.model_id}
        if attempt.outcome is Outcome.PENDING and self._connection.scalar(_HAS_PENDING, own):
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
        self._connection.execute(_INSERT, [attempt_values(each) for each in added])
        self._meta.grow(added[-1].id, len(added))

    def _without_row(self, table: Table, ids: Collection[str]) -> frozenset[str]:
        found = set[str]()
        for some in in_chunks(ids):
            found.update(self._connection.scalars(select(table.c.id).where(table.c.id.in_(some))))
        return frozenset(ids) - found

    def clamp_places(self) -> None:
        """For attempts whose time in flight counts from a moment in the future, move
        `in_flight_until` back so that it counts from now. `reserved_at` is not changed;
        `ahead_since` prevents a second move."""
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
        # The first condition is there for the index, as in `recent`.
        ahead = and_(attempts.c.reserved_at >= now - RESERVATION_TTL, now < _SENT_OR_RESERVED)
        news = and_(ahead, or_(noted.is_(None), noted > now))
        over = and_(noted.is_not(None), now >= _SENT_OR_RESERVED)
        for which, since in ((news, now), (over, None)):
            self._connection.execute(update(attempts).where(which).values(ahead_since=since))
