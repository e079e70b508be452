"""The queries about targets."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    BigInteger,
    Connection,
    and_,
    bindparam,
    case,
    cast,
    insert,
    or_,
    select,
    update,
)

from watchdog.domain.records import Episode, Target
from watchdog.engine.ports import VersionConflict, farthest_plan
from watchdog.ledger.action_rows import ActionQueries
from watchdog.ledger.chunks import in_chunks
from watchdog.ledger.episode_rows import EpisodeQueries, to_episode
from watchdog.ledger.schema import episodes, targets
from watchdog.ledger.target_values import spread, target_values, to_target

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


class TargetQueries:
    """See `ports.TargetRows`."""

    def __init__(
        self, connection: Connection, now: datetime, saved: EpisodeQueries, done: ActionQueries
    ) -> None:
        self._connection = connection
        self._now = now
        self._episodes = saved
        self._actions = done

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

    def get(self, model_id: str) -> Target | None:
        query = select(targets).where(targets.c.model_id == model_id)
        found = self._joined(self._connection.execute(query).mappings())
        return found[0] if found else None

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
        rows = [
            target_values(each)
            | {"version": each.version + 1, "written_version": each.version + 1}
            | {"same_id": each.model_id, "same": each.version}
            for each in changed
        ]
        written = self._connection.execute(_SAVE, rows)
        if written.rowcount != len(changed):
            raise VersionConflict(changed[0].model_id)
        self._episodes.save_of(changed)
        return [replace(each, version=each.version + 1) for each in changed]

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
        pauses = self._actions.pauses() if rows else []
        return [
            to_target(
                row,
                found.get(row["episode_id"]),
                next((p.until for p in pauses if p.model_id in (None, row["model_id"])), None),
            )
            for row in rows
        ]
