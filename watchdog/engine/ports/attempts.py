"""What the ledger stores about attempts."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from watchdog.domain.records import Attempt, Episode, Target


@dataclass(frozen=True, slots=True)
class Generation:
    """How many times attempts were reserved or recorded in a ledger, and the id of the last one.

    If the number is lower than before, the ledger went back to an older state. If it is the same or
    greater, the ledger still went back if the row of a known attempt is missing.
    """

    number: int
    attempt_id: str


@dataclass(frozen=True, slots=True)
class FleetUsage:
    """The fleet's retries that count, from the ledger; see `domain.records.Fleet`."""

    in_flight: int
    sent: tuple[datetime, ...]
    charged: tuple[datetime, ...]


class AttemptRows(Protocol):
    """The attempts. In observe mode they include the `dry_run` ones; in retry mode they do not."""

    def get(self, attempt_id: str) -> Attempt | None: ...

    def of(
        self, target: Target, *, since: datetime, dated: datetime | None = None
    ) -> tuple[Attempt, ...]:
        """The attempts of the target's episode, and all that may have been sent after `since` or,
        by the API's clock, after `dated`. They are in the order of their numbers, because the clock
        may have been set back between two attempts of an episode."""

    def of_all(
        self, *, since: datetime, dated: datetime | None = None
    ) -> Mapping[str, tuple[Attempt, ...]]:
        """As `of`, for every target that has any, by model id."""

    def pending(self) -> Sequence[Attempt]: ...

    def newest(self, model_id: str | None, *, limit: int) -> Sequence[Attempt]:
        """Newest first, including the `dry_run` ones in both modes."""

    def add(self, attempt: Attempt) -> None:
        """Raises VersionConflict when the target has a pending attempt already."""

    def record_answer(self, attempt: Attempt) -> bool:
        """Write the outcome of sending an attempt. Returns False, and writes nothing, if the
        attempt has another outcome than `pending` or `unknown` already."""

    def resolve(self, resolved: Sequence[Attempt]) -> None:
        """Write the results that were observed: `resolution`, `resolved_at`, `presumed`,
        `in_flight_until`, `deployment` and `made`, and nothing else."""

    def generation(self) -> Generation:
        """The generation, including the changes of this transaction: each attempt that `add`,
        `put_back` or `record_answer` writes increases the number by one."""

    def without_row(self, attempt_ids: Collection[str]) -> frozenset[str]:
        """Those of the ids that have no attempt in the ledger."""

    def put_back(self, lost: Sequence[tuple[Attempt, Episode]]) -> None:
        """Write attempts that no longer have a row, and their episodes if these have no row
        either."""


class UsageRows(Protocol):
    """How much of the fleet's limits is used."""

    def of_fleet(self, *, date: datetime | None, most: int) -> FleetUsage:
        """How many targets hold a place in flight, and the moments at which the retries in the
        fleet's minute and day count (`limits.counts_at`), at most the newest `most` of each. `date`
        is the API's `Date` at the present look."""

    def forbidden_models(self, key_mark: str) -> int:
        """How many models this key was forbidden to retry since a retry of any model was last
        accepted or refused."""
