"""The queries about targets."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    BigInteger,
    Connection,
    bindparam,
    case,
    cast,
    func,
    insert,
    literal,
    or_,
    select,
    update,
)

from watchdog.domain.plan import Claim, spread
from watchdog.domain.records import Episode, Target
from watchdog.engine.ports import Due, VersionConflict, farthest_plan
from watchdog.ledger.action_rows import ActionQueries
from watchdog.ledger.chunks import in_chunks
from watchdog.ledger.episode_rows import EpisodeQueries, to_episode
from watchdog.ledger.schema import Duration, episodes, targets
from watchdog.ledger.target_values import target_values, to_target

_UNSAVED = ("model_id", "due_at", "spread")
"""The columns that saving a target does not write."""

_SPREAD = bindparam("start", type_=targets.c.next_check_at.type) + cast(
    targets.c.spread * bindparam("span", type_=BigInteger), BigInteger
)
"""A moment within `span` microseconds after `start`: each target has its own."""

_PLANNED = (
    select(targets.c.model_id, targets.c.version, targets.c.next_check_at)
    .where(
        targets.c.watched,
        or_(
            targets.c.next_check_at <= bindparam("until"),
            targets.c.next_check_at > bindparam("farthest"),
        ),
    )
    .order_by(targets.c.next_check_at)
    .limit(bindparam("most"))
)
_NEXT = select(func.min(targets.c.next_check_at)).where(
    targets.c.watched, targets.c.next_check_at > bindparam("after")
)
_SOME = select(targets).where(targets.c.model_id.in_(bindparam("ids", expanding=True)))
"""Built once, because every tick needs them."""

_PLAN = (
    update(targets)
    .where(
        targets.c.model_id == bindparam("same_id"),
        targets.c.version == bindparam("same"),
        targets.c.next_check_at == bindparam("planned", type_=targets.c.next_check_at.type),
    )
    .values(next_check_at=bindparam("next_at"))
)
_ONE_MICROSECOND_EARLIER = targets.c.next_check_at - literal(timedelta(microseconds=1), Duration())
"""A moment that has passed may be claimed already, which the ledger does not show. So the moment is
changed by as little as possible: that ends the claim, and the target keeps its place among those
that are due."""

_SAVE = (
    update(targets)
    .where(targets.c.model_id == bindparam("same_id"), targets.c.version == bindparam("same"))
    .values({column: bindparam(column.name) for column in targets.c if column.name not in _UNSAVED})
)

_EPISODE = "episode_of_target_"
_ONE = (
    select(targets, *(column.label(_EPISODE + column.name) for column in episodes.c))
    .outerjoin(episodes, targets.c.episode_id == episodes.c.id)
    .where(targets.c.model_id == bindparam("model"))
)
_EPISODES = select(episodes).where(episodes.c.id.in_(bindparam("some", expanding=True)))


class TargetQueries:
    """See `ports.TargetRows`."""

    def __init__(
        self, connection: Connection, now: datetime, saved: EpisodeQueries, done: ActionQueries
    ) -> None:
        self._connection = connection
        self._now = now
        self._episodes = saved
        self._actions = done

    def due(
        self, until: datetime, *, limit: int, interval: timedelta, claims: Mapping[str, Claim]
    ) -> list[Due]:
        farthest = farthest_plan(self._now, interval)
        most = limit + len(claims)
        found = self._connection.execute(
            _PLANNED, {"until": until, "farthest": farthest, "most": most}
        )
        moments = {}
        for model_id, version, planned in found:
            own = claims.get(model_id)
            at = own.next_at if own is not None and own.counts_for(version, planned) else planned
            moments[model_id] = self._now if at > farthest else at
        in_order = sorted((at, model_id) for model_id, at in moments.items() if at <= until)[:limit]
        read = {each.model_id: each for each in self.some([model_id for _, model_id in in_order])}
        return [Due(read[model_id], at) for at, model_id in in_order]

    def next_planned(self, after: datetime) -> datetime | None:
        found: datetime | None = self._connection.scalar(_NEXT, {"after": after})
        return found

    def plan(self, claims: Mapping[str, Claim]) -> None:
        rows = [
            {
                "same_id": model_id,
                "same": each.version,
                "planned": each.planned,
                "next_at": each.next_at,
            }
            for model_id, each in claims.items()
        ]
        if rows:
            self._connection.execute(_PLAN, rows)

    def spread_checks(self, within: timedelta) -> None:
        sooner = case((targets.c.next_check_at > _SPREAD, _SPREAD), else_=_ONE_MICROSECOND_EARLIER)
        every = update(targets).where(targets.c.watched).values(next_check_at=sooner)
        span = within // timedelta(microseconds=1)
        self._connection.execute(every, {"start": self._now, "span": span})

    def make_due(self, model_id: str, at: datetime) -> None:
        sooner = case(
            (targets.c.next_check_at > at, literal(at, targets.c.next_check_at.type)),
            else_=_ONE_MICROSECOND_EARLIER,
        )
        one = update(targets).where(targets.c.model_id == model_id)
        self._connection.execute(one.values(next_check_at=sooner))

    def get(self, model_id: str) -> Target | None:
        row = self._connection.execute(_ONE, {"model": model_id}).mappings().one_or_none()
        if row is None:
            return None
        own = {column.name: row[_EPISODE + column.name] for column in episodes.c}
        found = {} if own["id"] is None else {own["id"]: to_episode(own)}
        (target,) = self._with_episodes([row], found)
        return target

    def watched(self) -> list[str]:
        query = select(targets.c.model_id).where(targets.c.watched)
        return list(self._connection.scalars(query))

    def all(self) -> list[Target]:
        rows = self._connection.execute(select(targets).order_by(targets.c.model_id)).mappings()
        current = select(episodes).join(targets, targets.c.episode_id == episodes.c.id)
        found = self._connection.execute(current).mappings()
        return self._with_episodes(list(rows), {row["id"]: to_episode(row) for row in found})

    def add(self, target: Target) -> None:
        self.add_all([target])

    def add_all(self, added: Sequence[Target]) -> None:
        if added:
            rows = [target_values(each) | {"spread": spread(each.model_id)} for each in added]
            self._connection.execute(insert(targets), rows)
            self._episodes.save_of(added)

    def save(self, target: Target) -> Target:
        (saved,) = self.save_all([target])
        return saved

    def save_all(self, changed: Sequence[Target]) -> list[Target]:
        if not changed:
            return []
        written = self._connection.execute(_SAVE, [_changed_values(each) for each in changed])
        if written.rowcount != len(changed):
            raise VersionConflict(changed[0].model_id)
        self._episodes.save_of(changed)
        return [replace(each, version=each.version + 1) for each in changed]

    def some(self, model_ids: Collection[str]) -> list[Target]:
        rows: list[Any] = []
        for some in in_chunks(model_ids):
            rows += self._connection.execute(_SOME, {"ids": some}).mappings()
        ids = [row["episode_id"] for row in rows if row["episode_id"] is not None]
        found: dict[str, Episode] = {}
        for some in in_chunks(ids):
            read = self._connection.execute(_EPISODES, {"some": some}).mappings()
            found |= {row["id"]: to_episode(row) for row in read}
        return self._with_episodes(rows, found)

    def _with_episodes(self, rows: Sequence[Any], found: Mapping[str, Episode]) -> list[Target]:
        pauses = self._actions.pauses() if rows else []
        return [
            to_target(
                row,
                found.get(row["episode_id"]),
                next((p.until for p in pauses if p.model_id in (None, row["model_id"])), None),
            )
            for row in rows
        ]


def _changed_values(target: Target) -> dict[str, Any]:
    """The values for _SAVE. It must not set `model_id`, even to what it is: that would write the
    primary key's index again."""
    version = target.version + 1
    values = target_values(target) | {"version": version, "written_version": version}
    return values | {"same_id": values.pop("model_id"), "same": target.version}
