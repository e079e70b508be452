"""The queries about what operators did."""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, insert, or_, select, update

from watchdog.domain.records import Action, ActionKind
from watchdog.ledger.rows import Row
from watchdog.ledger.schema import actions

_OPEN = (actions.c.kind == ActionKind.PAUSE) & actions.c.ended_at.is_(None)

# Built once, because every check and every tick needs it.
_PAUSES = (
    select(actions)
    .where(_OPEN, actions.c.until > bindparam("now"))
    .order_by(actions.c.until.desc())
)
_AFTER = select(actions).where(actions.c.id > bindparam("last")).order_by(actions.c.id)


def action_values(action: Action) -> dict[str, Any]:
    """Without the id, which the database assigns."""
    return {
        "at": action.at,
        "kind": action.kind,
        "model_id": action.model_id,
        "who": action.who,
        "note": action.note,
        "until": action.until,
        "ended_at": action.ended_at,
    }


def to_action(row: Row) -> Action:
    return Action(
        at=row["at"],
        kind=ActionKind(row["kind"]),
        model_id=row["model_id"],
        who=row["who"],
        note=row["note"],
        until=row["until"],
        ended_at=row["ended_at"],
        id=row["id"],
    )


class ActionQueries:
    """See `ports.ActionRows`."""

    def __init__(self, connection: Connection, now: datetime) -> None:
        self._connection = connection
        self._now = now

    def add(self, action: Action) -> int:
        added = self._connection.execute(insert(actions), action_values(action))
        key = added.inserted_primary_key
        return int(key[0]) if key is not None else 0

    def set_note(self, action_id: int, note: str) -> None:
        self._connection.execute(update(actions).where(actions.c.id == action_id).values(note=note))

    def end_pauses(self, model_id: str | None, at: datetime) -> int:
        mine = actions.c.model_id.is_(None) if model_id is None else actions.c.model_id == model_id
        in_force = (_OPEN, mine, actions.c.until > at)
        return self._connection.execute(
            update(actions).where(*in_force).values(ended_at=at)
        ).rowcount

    def pauses(self) -> list[Action]:
        rows = self._connection.execute(_PAUSES, {"now": self._now}).mappings()
        return [to_action(row) for row in rows]

    def newest(self, model_id: str | None, *, limit: int) -> list[Action]:
        query = select(actions).order_by(actions.c.at.desc(), actions.c.id.desc()).limit(limit)
        if model_id is not None:
            query = query.where(or_(actions.c.model_id == model_id, actions.c.model_id.is_(None)))
        return [to_action(row) for row in self._connection.execute(query).mappings()]

    def after(self, action_id: int) -> list[Action]:
        rows = self._connection.execute(_AFTER, {"last": action_id}).mappings()
        return [to_action(row) for row in rows]
