"""What an older ledger in place of the present one excuses, and what it does not.

A process that sent something keeps it, and puts it back before it does anything else with the
ledger. So its own POSTs always count for what it sends. For another process they count as soon as
they are in the ledger again. The excuse is of those that nobody could put back: their sender had
ended, was stopped by a signal, or was not the active one any more.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from tests.chaos.ledger import Row
from tests.chaos.replica import Life
from tests.chaos.tap import Note
from tests.simulation.log import Happened
from tests.simulation.scenario import NEVER
from tests.simulation.verdict import Violation

HEARD = ("accepted", "refused", "throttled", "failed")
"""The outcomes that only a process which received the answer records."""

SOON_SECONDS = 5.0
"""Within so long after the ledger went back, the active process has surely used the ledger: it
asks for due targets each second."""

ACTIVE_SECONDS = 5.0
"""The active process asks the API about at least one target in every span of this length."""

_DATABASE_TROUBLE = ("database stop", "database start", "fail over", "demoted", "found", "cut")

_TROUBLED_SECONDS = 10.0
"""How long it takes after such trouble until the active one has the ledger again."""


@dataclass(frozen=True)
class PutBack:
    """`since` and `until`: seconds since the start. `before` are the attempts that there were
    then, `lost` those of them that there were no longer. `unsaid` are the subjects of which the
    ledger then knew other notifications."""

    since: float
    until: float
    before: tuple[Row, ...]
    lost: tuple[Row, ...]
    unsaid: frozenset[str] = frozenset()

    @classmethod
    def of(
        cls,
        since: float,
        until: float,
        before: Sequence[Row],
        after: Sequence[Row],
        unsaid: frozenset[str] = frozenset(),
    ) -> "PutBack":
        left = {row.id for row in after}
        lost = tuple(row for row in before if row.id not in left)
        return cls(since, until, tuple(before), lost, unsaid)


def all_rows(found: Sequence[Row], put_backs: Sequence[PutBack]) -> list[Row]:
    """The attempts that the ledger has in the end, and those that are gone from it; each with its
    answer, if the ledger ever knew that."""
    rows = {row.id: row for row in found}
    for put_back in put_backs:
        for row in put_back.before:
            now = rows.setdefault(row.id, row)
            if now.outcome not in HEARD and row.outcome in HEARD:
                rows[row.id] = replace(now, outcome=row.outcome)
    return sorted(rows.values(), key=lambda row: row.reserved_at)


@dataclass(frozen=True)
class Lost:
    """Tells for how long the ledger lacked what it lost, and what should have been put back."""

    put_backs: Sequence[PutBack]
    lives: Mapping[str | None, Life]
    notes: Sequence[Note]
    happened: Sequence[Happened]
    began_at: float

    def spans(self, row_id: str, owner: str) -> tuple[tuple[float, float], ...]:
        """In which it was not in the ledger. `owner` is who made the attempt."""
        life = self.lives.get(owner)
        return tuple(
            (put_back.since, NEVER if life is None else self._back_at(put_back, life))
            for put_back in self.put_backs
            if any(row.id == row_id for row in put_back.lost)
        )

    def not_put_back(self, sent: Collection[str], found: Sequence[Row]) -> Iterator[Violation]:
        """Of the attempts that were `sent` those that their sender could have put back, and did
        not. `found` is what the ledger has in the end."""
        nexts = [*(each.before for each in self.put_backs[1:]), found]
        for put_back, following in zip(self.put_backs, nexts, strict=False):
            there = {row.id for row in following}
            for row in put_back.lost:
                life = self.lives.get(row.owner)
                if life is None or row.id in there or row.id not in sent:
                    continue
                if self._can(put_back, life):
                    text = f"attempt {row.id} was not put back, though {life.name} was active"
                    yield Violation("put back", put_back.until, row.model_id, text)

    def _back_at(self, put_back: PutBack, life: Life) -> float:
        surely = put_back.until + SOON_SECONDS if self._can(put_back, life) else NEVER
        told = (
            datetime.fromisoformat(line["timestamp"]).timestamp() - self.began_at
            for line in life.said("ledger_went_back")
        )
        return min(surely, *(at for at in told if at >= put_back.since), NEVER)

    def _can(self, put_back: PutBack, life: Life) -> bool:
        """Whether a process was the active one when the ledger went back, and long enough after."""
        since, until = put_back.since, put_back.until + SOON_SECONDS
        lives = life.started < since and (life.ended is None or life.ended > until)
        frozen = any(start <= until and end >= since - 1 for start, end in life.frozen)
        asked = [note.arrived for note in self.notes if note.client == life.name]
        active = all(
            any(start <= at <= end for at in asked)
            for start, end in ((since - ACTIVE_SECONDS, since), (until, until + ACTIVE_SECONDS))
        )
        troubled = any(
            one.who in _DATABASE_TROUBLE and since - _TROUBLED_SECONDS <= one.at <= until
            for one in self.happened
        )
        return lives and active and not frozen and not troubled
