"""The queries about what is true of the ledger as a whole."""

from sqlalchemy import Connection, bindparam, select

from watchdog.engine.ports import Generation
from watchdog.ledger.schema import meta
from watchdog.ledger.upsert import upsert

_GENERATION = "generation"
"""A key. Its value is a number and an attempt's id. A program of an older schema does not write
it."""

# Built once, because every transaction needs it.
_VALUE = select(meta.c.value).where(meta.c.key == bindparam("wanted"))


class MetaQueries:
    """See `ports.MetaRows`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._generation: Generation | None = None

    def get(self, key: str) -> str | None:
        found: str | None = self._connection.scalar(_VALUE, {"wanted": key})
        return found

    def set(self, key: str, value: str) -> None:
        upsert(self._connection, meta, {"key": key, "value": value})

    def generation(self) -> Generation:
        if self._generation is None:
            number, _, attempt_id = (self.get(_GENERATION) or "0 ").partition(" ")
            self._generation = Generation(int(number), attempt_id)
        return self._generation

    def grow(self, attempt_id: str, by: int = 1) -> None:
        self._generation = Generation(self.generation().number + by, attempt_id)
        self.set(_GENERATION, f"{self._generation.number} {attempt_id}")
