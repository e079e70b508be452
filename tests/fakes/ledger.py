"""A ledger in memory, which passes the same contract tests as the real one."""

import asyncio
import copy
from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass, replace
from datetime import datetime, timedelta
from enum import Enum
from functools import cache
from types import NoneType
from typing import Any, TypeVar

from tests.fakes.ledger_rows import Rows, Transaction
from watchdog.domain.records import (
    Attempt,
    Target,
)
from watchdog.engine.ports import (
    Clock,
    LedgerTransaction,
    LedgerUnavailable,
)

T = TypeVar("T")


@dataclass
class _Lock:
    """Which process is active: `holder` is its ledger. `shared` is set when several processes use
    the ledger."""

    holder: "InMemoryLedger | None" = None
    terms: int = 0
    shared: bool = False


class InMemoryLedger:
    """`fail_with` makes every transaction fail, `full` each one that writes, and `lock_fails_with`
    each call of `hold_active`. No transaction begins before `opens_with` is set, where there is
    one. `dead_owners` are the owners that are known to be dead. The result of a transaction is
    returned `heard_after` it was committed, as if a thread had run it."""

    def __init__(self, clock: Clock, *, observe: bool = False) -> None:
        self.observe = observe
        self.fail_with: LedgerUnavailable | None = None
        self.full: LedgerUnavailable | None = None
        self.opens_with: asyncio.Event | None = None
        self.dead_owners: set[str] = set()
        self.heard_after = timedelta(0)
        self.transactions = 0
        self._clock = clock
        self._kept = [Rows()]
        self._lock = _Lock()
        self.lock_fails_with: LedgerUnavailable | None = None

    def beside(self, *, observe: bool) -> "InMemoryLedger":
        """The same ledger as opened by another process, which has its own mode."""
        other = copy.copy(self)
        other.observe = observe
        self._lock.shared = True
        return other

    @property
    def _rows(self) -> Rows:
        return self._kept[0]

    def backup(self) -> Callable[[], None]:
        """Keep the present rows. The returned function restores them."""
        rows = self._rows  # A transaction replaces the rows and never changes them.

        def move_in() -> None:
            self._kept[0] = rows

        return move_in

    heartbeat = timedelta(seconds=10)

    async def transact(self, work: Callable[[LedgerTransaction], T]) -> T:
        if self.fail_with is not None:
            raise self.fail_with
        if self.opens_with is not None:
            await self.opens_with.wait()
        self.transactions += 1
        rows = copy.copy(self._rows)
        rows = Rows(*(dict(part) for part in vars(rows).values()))
        before = copy.deepcopy(vars(rows)) if self.full is not None else None
        result = work(
            Transaction(rows, self._clock.now(), observe=self.observe, knows_dead=self.knows_dead)
        )
        if self.full is not None and vars(rows) != before:
            raise self.full
        for part, was in zip(vars(rows).values(), vars(self._rows).values(), strict=True):
            for key, row in part.items():
                if was.get(key) is not row:
                    _check_storable(row)
        self._kept[0] = rows
        if self.heard_after:
            await asyncio.sleep(self.heard_after.total_seconds())
        return result

    def version(self) -> object:
        return dict(vars(self._rows))

    async def hold_active(self) -> int:
        if self.lock_fails_with is not None:
            raise self.lock_fails_with
        if self._lock.holder is None:
            self._lock.holder = self
            self._lock.terms += 1
        return self._lock.terms if self._lock.holder is self else 0

    async def release_active(self) -> bool:
        if self._lock.shared and self._lock.holder is self:
            self._lock.holder = None
        return self._lock.shared

    def knows_dead(self, owner: str, waited: timedelta) -> bool:
        return owner in self.dead_owners

    def all_attempts(self) -> list[Attempt]:
        """Every attempt, the oldest first."""
        return sorted(self._rows.attempts.values(), key=lambda attempt: attempt.reserved_at)

    def stored_target(self, model_id: str) -> Target:
        """A target as it is stored. Raises KeyError if there is none."""
        target = self._rows.targets[model_id]
        episode = target.episode and self._rows.episodes[target.episode.id]
        return replace(target, episode=episode)


_NOTHING_TO_CHECK = (bool, int, float, datetime, timedelta, NoneType, Enum)


def _check_storable(row: object) -> None:
    """Raises ValueError for a value that some database cannot store."""
    if isinstance(row, _NOTHING_TO_CHECK):
        return
    if isinstance(row, str):
        row.encode()
        if "\x00" in row:
            raise ValueError("a NUL")
    elif isinstance(row, tuple):
        for each in row:
            _check_storable(each)
    elif is_dataclass(row):
        for name in _names_of(type(row)):  # type: ignore[arg-type]  # Classes are hashable.
            _check_storable(getattr(row, name))


@cache
def _names_of(kind: type[Any]) -> tuple[str, ...]:
    return tuple(part.name for part in fields(kind))
