"""Every query, each with its name and what it is for."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Table,
    and_,
    bindparam,
    case,
    cast,
    delete,
    distinct,
    exists,
    func,
    insert,
    literal,
    or_,
    select,
    type_coerce,
    update,
)

from watchdog.domain.records import (
    Attempt,
    Episode,
    Outcome,
    Target,
)
from watchdog.engine.ports import VersionConflict, farthest_plan
from watchdog.ledger.action_rows import ActionQueries
from watchdog.ledger.breaker_rows import BreakerQueries
from watchdog.ledger.chunks import in_chunks
from watchdog.ledger.finding_rows import FindingQueries
from watchdog.ledger.meta_rows import MetaQueries
from watchdog.ledger.queue_rows import QueueQueries
from watchdog.ledger.replica_rows import ReplicaQueries
from watchdog.ledger.rows import (
    attempt_values,
    episode_values,
    spread,
    target_values,
    to_attempt,
    to_episode,
    to_target,
)
from watchdog.ledger.schema import PAST, attempts, episodes, findings, targets
from watchdog.ledger.status_rows import StatusQueries
from watchdog.ledger.upsert import upsert
from watchdog.ledger.usage_rows import UsageQueries, recent

_PENDING = attempts.c.outcome == Outcome.PENDING

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

_CLAIMS = ("model_id", "due_at", "spread")
"""The columns of a target that are not written with it."""

_NO_PLAN = targets.c.next_check_at > bindparam("farthest", type_=targets.c.next_check_at.type)
_SPREAD = bindparam("start", type_=targets.c.next_check_at.type) + cast(
    targets.c.spread * bindparam("span", type_=BigInteger), BigInteger
)
"""Each target's own moment between `start` and the end of the span, which is in microseconds."""

_DUE = (
    select(targets.c.model_id)
    .where(targets.c.watched, or_(targets.c.next_check_at <= bindparam("until"), _NO_PLAN))
    .order_by(targets.c.next_check_at)
    .limit(bindparam("most"))
)
_CLAIM = (
    update(targets)
    .where(targets.c.model_id.in_(_DUE))
    .values(
        due_at=case(
            (_NO_PLAN, bindparam("now", type_=targets.c.next_check_at.type)),
            else_=targets.c.next_check_at,
        ),
        next_check_at=_SPREAD,
    )
    .returning(*targets.c)
)
"""Put together once: each tick needs it."""


_SAVE = (
    update(targets)
    .where(targets.c.model_id == bindparam("same_id"), targets.c.version == bindparam("same"))
    .values({column: bindparam(column.name) for column in targets.c if column.name not in _CLAIMS})
)


class SqlTransaction(
    BreakerQueries,
    QueueQueries,
    ActionQueries,
    ReplicaQueries,
    FindingQueries,
    StatusQueries,
    UsageQueries,
    MetaQueries,
):
    """One transaction; `now` was read when it held its lock."""

    def __init__(self, connection: Connection, now: datetime, *, observe: bool) -> None:
        super().__init__(connection)
        self._now = now
        self._observe = observe
        self._visible: ColumnElement[bool] = (
            attempts.c.id.is_not(None) if observe else attempts.c.outcome != Outcome.DRY_RUN
        )

    def now(self) -> datetime:
        return self._now

    # Targets

    def claim_due(self, until: datetime, *, limit: int, interval: timedelta) -> list[Target]:
        found = self._connection.execute(
            _CLAIM,
            {
                "now": self._now,
                "until": until,
                "farthest": farthest_plan(self._now, interval),
                "most": limit,
                "start": self._now + interval * 0.95,
                "span": interval * 0.1 // timedelta(microseconds=1),
            },
        )
        rows = [dict(row) for row in found.mappings()]
        for row in rows:
            row["next_check_at"] = row["due_at"]
        claimed = self._joined(rows)
        return sorted(claimed, key=lambda target: (target.next_check_at or until, target.model_id))

    def spread_checks(self, within: timedelta) -> None:
        later = and_(targets.c.watched, targets.c.next_check_at > _SPREAD)
        sooner = update(targets).where(later).values(next_check_at=_SPREAD)
        span = within // timedelta(microseconds=1)
        self._connection.execute(sooner, {"start": self._now, "span": span})

    def make_due(self, model_id: str, at: datetime) -> None:
        later = and_(targets.c.model_id == model_id, targets.c.next_check_at > at)
        self._connection.execute(update(targets).where(later).values(next_check_at=at))

    def target(self, model_id: str) -> Target | None:
        query = select(targets).where(targets.c.model_id == model_id)
        found = self._joined(self._connection.execute(query).mappings())
        return found[0] if found else None

    def watched(self) -> list[str]:
        query = select(targets.c.model_id).where(targets.c.watched)
        return list(self._connection.scalars(query))

    def targets(self) -> list[Target]:
        rows = self._connection.execute(select(targets).order_by(targets.c.model_id)).mappings()
        current = select(episodes).join(targets, targets.c.episode_id == episodes.c.id)
        found = self._connection.execute(current).mappings()
        return self._with_episodes(list(rows), {row["id"]: to_episode(row) for row in found})

    def add_target(self, target: Target) -> None:
        self.add_targets([target])

    def add_targets(self, added: Sequence[Target]) -> None:
        if added:
            rows = [target_values(each) | {"spread": spread(each.model_id)} for each in added]
            self._connection.execute(insert(targets), rows)
            self._save_episodes(added)

    def save_target(self, target: Target) -> Target:
        (saved,) = self.save_targets([target])
        return saved

    def save_targets(self, changed: Sequence[Target]) -> list[Target]:
        if not changed:
            return []
        rows = [
            target_values(each)
            | {"version": each.version + 1, "same_id": each.model_id, "same": each.version}
            for each in changed
        ]
        written = self._connection.execute(_SAVE, rows)
        if written.rowcount != len(changed):
            raise VersionConflict(changed[0].model_id)
        self._save_episodes(changed)
        return [replace(each, version=each.version + 1) for each in changed]

    # Episodes

    def save_episode(self, episode: Episode) -> None:
        upsert(self._connection, episodes, episode_values(episode))

    def _save_episodes(self, of: Sequence[Target]) -> None:
        own = [each.episode for each in of if each.episode is not None]
        upsert(self._connection, episodes, *map(episode_values, own))

    def episodes(self, model_id: str | None, *, limit: int) -> list[Episode]:
        query = select(episodes).order_by(episodes.c.opened_at.desc()).limit(limit)
        if model_id is not None:
            query = query.where(episodes.c.model_id == model_id)
        return [to_episode(row) for row in self._connection.execute(query).mappings()]

    # Attempts

    def attempts(
        self, target: Target, *, since: datetime, dated: datetime | None = None
    ) -> tuple[Attempt, ...]:
        wanted = [*recent(since, dated), _PENDING]
        if target.episode is not None:
            wanted.append(attempts.c.episode_id == target.episode.id)
        query = (
            select(attempts)
            .where(attempts.c.model_id == target.model_id, or_(*wanted), self._visible)
            .order_by(attempts.c.number, attempts.c.reserved_at)
        )
        return tuple(to_attempt(row) for row in self._connection.execute(query).mappings())

    def all_attempts(
        self, *, since: datetime, dated: datetime | None = None
    ) -> dict[str, tuple[Attempt, ...]]:
        current = select(targets.c.episode_id).where(targets.c.episode_id.is_not(None))
        wanted = (*recent(since, dated), _PENDING, attempts.c.episode_id.in_(current))
        query = (
            select(attempts)
            .where(or_(*wanted), self._visible)
            .order_by(attempts.c.model_id, attempts.c.number, attempts.c.reserved_at)
        )
        rows = [to_attempt(row) for row in self._connection.execute(query).mappings()]
        return {key: tuple(own) for key, own in groupby(rows, lambda each: each.model_id)}

    def add_attempt(self, attempt: Attempt) -> None:
        # Query first: IntegrityError cannot tell a second pending attempt from a duplicate id.
        pending = exists().where(_PENDING, attempts.c.model_id == attempt.model_id)
        if attempt.outcome is Outcome.PENDING and self._connection.scalar(select(pending)):
            raise VersionConflict(attempt.model_id)
        self._insert(attempt)

    def put_back(self, lost: Sequence[tuple[Attempt, Episode]]) -> None:
        if not lost:
            return
        gone = self._without_row(episodes, {episode.id for _, episode in lost})
        unknown = {episode.id: episode for _, episode in lost if episode.id in gone}
        if unknown:
            rows = [episode_values(each) for each in unknown.values()]
            self._connection.execute(insert(episodes), rows)
        self._insert(*(attempt for attempt, _ in lost))

    def _insert(self, *added: Attempt) -> None:
        self._connection.execute(insert(attempts), [attempt_values(each) for each in added])
        self._grow(added[-1].id, len(added))

    def without_row(self, attempt_ids: Collection[str]) -> frozenset[str]:
        return self._without_row(attempts, attempt_ids)

    def _without_row(self, table: Table, ids: Collection[str]) -> frozenset[str]:
        found = set[str]()
        for some in in_chunks(ids):
            found.update(self._connection.scalars(select(table.c.id).where(table.c.id.in_(some))))
        return frozenset(ids) - found

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
            self._grow(attempt.id)
        return bool(written.rowcount)

    def resolve_attempts(self, resolved: Sequence[Attempt]) -> None:
        rows = [attempt_values(each) for each in resolved]
        if rows:
            rows = [{name: row[name] for name in _WATCHED} | {"same_id": row["id"]} for row in rows]
            self._connection.execute(_RESOLVE, rows)

    def attempt(self, attempt_id: str) -> Attempt | None:
        query = select(attempts).where(attempts.c.id == attempt_id)
        row = self._connection.execute(query).mappings().one_or_none()
        return None if row is None else to_attempt(row)

    def pending_attempts(self) -> list[Attempt]:
        query = select(attempts).where(_PENDING)
        return [to_attempt(row) for row in self._connection.execute(query).mappings()]

    def forbidden_models(self, key_mark: str) -> int:
        said_otherwise = (
            select(func.max(attempts.c.sent_at))
            .where(attempts.c.outcome.in_((Outcome.ACCEPTED, Outcome.REFUSED)))
            .scalar_subquery()
        )
        query = select(func.count(distinct(attempts.c.model_id))).where(
            attempts.c.forbidden_key == key_mark,
            or_(said_otherwise.is_(None), attempts.c.sent_at > said_otherwise),
        )
        return self._connection.scalar(query) or 0

    def attempt_history(self, model_id: str | None, *, limit: int) -> list[Attempt]:
        query = select(attempts).order_by(attempts.c.reserved_at.desc()).limit(limit)
        if model_id is not None:
            query = query.where(attempts.c.model_id == model_id)
        return [to_attempt(row) for row in self._connection.execute(query).mappings()]

    def clamp_future(self) -> None:
        self._clamp_places()
        for table, names in PAST.items():
            ahead = {name: table.c[name] > self._now for name in names}
            clamped = {
                name: case((is_ahead, literal(self._now, table.c[name].type)), else_=table.c[name])
                for name, is_ahead in ahead.items()
            }
            self._connection.execute(update(table).where(or_(*ahead.values())).values(clamped))
        self._note_ahead()

    def _clamp_places(self) -> None:
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

    def prune(self, before: datetime, *, dated: datetime | None = None) -> int:
        current = select(targets.c.episode_id).where(targets.c.episode_id.is_not(None))
        is_old = and_(episodes.c.ended_at < before, episodes.c.id.not_in(current))
        if dated is not None:
            later = (attempts.c.episode_id == episodes.c.id, attempts.c.api_date > dated)
            is_old = and_(is_old, ~exists().where(*later))
        of_old = attempts.c.episode_id.in_(select(episodes.c.id).where(is_old))
        gone = self._connection.execute(delete(attempts).where(of_old)).rowcount
        found = findings.c.episode_id.in_(select(episodes.c.id).where(is_old))
        self._connection.execute(delete(findings).where(found))
        gone += self._connection.execute(delete(episodes).where(is_old)).rowcount
        return gone + self._prune_openings(before) + self._prune_statuses(before)

    def _joined(self, rows: Iterable[Any]) -> list[Target]:
        """Targets with their episodes: more queries, and only where one of them has any."""
        listed = list(rows)
        ids = [row["episode_id"] for row in listed if row["episode_id"] is not None]
        found: dict[str, Episode] = {}
        for some in in_chunks(ids):
            query = select(episodes).where(episodes.c.id.in_(some))
            found |= {
                row["id"]: to_episode(row) for row in self._connection.execute(query).mappings()
            }
        return self._with_episodes(listed, found)

    def _with_episodes(self, rows: Sequence[Any], found: Mapping[str, Episode]) -> list[Target]:
        pauses = self.pauses() if rows else []
        return [
            to_target(
                row,
                found.get(row["episode_id"]),
                next((p.until for p in pauses if p.model_id in (None, row["model_id"])), None),
            )
            for row in rows
        ]
