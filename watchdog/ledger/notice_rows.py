"""The queries about notifications."""

from collections.abc import Collection, Sequence
from functools import cache
from typing import Any

from pydantic import TypeAdapter, ValidationError
from sqlalchemy import Connection, and_, bindparam, delete, insert, select, update

from watchdog.domain.notices import Notice
from watchdog.domain.outbox import Said, Waiting
from watchdog.ledger.chunks import in_chunks
from watchdog.ledger.rows import Row
from watchdog.ledger.schema import notices, said
from watchdog.ledger.upsert import upsert

_CHANGED = ("due_at", "tries", "notice")


class NoticeQueries:
    """See `ports.NoticeRows`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def waiting(self, receiver: str | None = None, subject: str | None = None) -> list[Waiting]:
        query = select(notices).order_by(notices.c.id)
        if receiver is not None:
            query = query.where(notices.c.receiver == receiver)
        if subject is not None:
            query = query.where(notices.c.subject == subject)
        found = map(_to_waiting, self._connection.execute(query).mappings())
        return [each for each in found if each is not None]

    def put(self, waiting: Sequence[Waiting]) -> None:
        new = [_values(each) for each in waiting if each.id is None]
        if new:
            self._connection.execute(insert(notices), new)
        known = [_values(each) | {"own": each.id} for each in waiting if each.id is not None]
        if known:
            # Never an insert: another process may have sent and deleted it meanwhile.
            changed: dict[str, Any] = {name: bindparam(name) for name in _CHANGED}
            own = update(notices).where(notices.c.id == bindparam("own"))
            self._connection.execute(own.values(changed), known)

    def remove(self, waiting: Collection[Waiting]) -> None:
        for some in in_chunks([each.id for each in waiting if each.id is not None]):
            self._connection.execute(delete(notices).where(notices.c.id.in_(some)))

    def said(self, receiver: str, subject: str) -> Said | None:
        own = and_(said.c.receiver == receiver, said.c.subject == subject)
        row = self._connection.execute(select(said).where(own)).mappings().first()
        return None if row is None else Said(**row)

    def note_said(self, heard: Said) -> None:
        values = {
            "receiver": heard.receiver,
            "subject": heard.subject,
            "at": heard.at,
            "open": heard.open,
        }
        upsert(self._connection, said, values)

    def forget(self, subjects: Collection[str]) -> None:
        for some in in_chunks(subjects):
            self._connection.execute(delete(said).where(said.c.subject.in_(some)))
            unsent = and_(notices.c.subject.in_(some), notices.c.tries == 0)
            self._connection.execute(delete(notices).where(unsent))


@cache
def _json() -> TypeAdapter[Notice]:
    return TypeAdapter(Notice)


def _values(waiting: Waiting) -> dict[str, object]:
    return {
        "receiver": waiting.receiver,
        "subject": waiting.notice.subject,
        "due_at": waiting.due_at,
        "tries": waiting.tries,
        "notice": _json().dump_json(waiting.notice).decode(),
    }


def _to_waiting(row: Row) -> Waiting | None:
    """None if a newer program wrote the notice and this one cannot read it."""
    try:
        notice = _json().validate_json(row["notice"])
    except ValidationError:
        return None
    return Waiting(row["receiver"], notice, row["due_at"], row["tries"], row["id"])
