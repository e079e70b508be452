"""The queries about what operators did."""

from datetime import datetime

from sqlalchemy import Connection, bindparam, insert, or_, select, update

from watchdog.domain.records import Action, ActionKind
from watchdog.ledger.rows import action_values, to_action
from watchdog.ledger.schema import actions

_OPEN = (actions.c.kind == ActionKind.PAUSE) & actions.c.ended_at.is_(None)

# Read in every check and every tick, and so put together once.
_PAUSES = (
    select(actions)
    .where(_OPEN, actions.c.until > bindparam("now"))
    .order_by(actions.c.until.desc())
)
_AFTER = select(actions).where(actions.c.id > bindparam("last")).order_by(actions.c.id)


class ActionQueries:
    """The part of a transaction that is about what operators did."""

    _connection: Connection
    _now: datetime

    def add_action(self, action: Action) -> None:
        self._connection.execute(insert(actions), action_values(action))

    def end_pauses(self, model_id: str | None, at: datetime) -> int:
        mine = actions.c.model_id.is_(None) if model_id is None else actions.c.model_id == model_id
        in_force = (_OPEN, mine, actions.c.until > at)
        return self._connection.execute(
            update(actions).where(*in_force).values(ended_at=at)
        ).rowcount

    def pauses(self) -> list[Action]:
        rows = self._connection.execute(_PAUSES, {"now": self._now}).mappings()
        return [to_action(row) for row in rows]

    def actions(self, model_id: str | None, *, limit: int) -> list[Action]:
        query = select(actions).order_by(actions.c.at.desc(), actions.c.id.desc()).limit(limit)
        if model_id is not None:
            query = query.where(or_(actions.c.model_id == model_id, actions.c.model_id.is_(None)))
        return [to_action(row) for row in self._connection.execute(query).mappings()]

    def actions_after(self, action_id: int) -> list[Action]:
        rows = self._connection.execute(_AFTER, {"last": action_id}).mappings()
        return [to_action(row) for row in rows]
