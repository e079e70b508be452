"""What the ledger knows of attempts."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from watchdog.domain.records import Attempt, Episode, Target


@dataclass(frozen=True, slots=True)
class Generation:
    """How many times attempts were reserved or recorded in a ledger, and which one was the last.

    A ledger of a lower number than before went back to an older state. One of the same number or a
    greater one did too, if the row of an attempt lacks that was there.
    """

    number: int
    attempt_id: str


@dataclass(frozen=True, slots=True)
class FleetUsage:
    """What the ledger holds of the fleet's retries; see `domain.records.Fleet`."""

    in_flight: int
    sent: tuple[datetime, ...]
    charged: tuple[datetime, ...]


class AttemptRows(Protocol):
    """The attempts. In observe mode these include the `dry_run` ones; in retry mode there are
    none of those."""

    def get(self, attempt_id: str) -> Attempt | None: ...

    def of(
        self, target: Target, *, since: datetime, dated: datetime | None = None
    ) -> tuple[Attempt, ...]:
        """The attempts of the target's episode, and all that may have been sent since then or, by
        the API's clock, since `dated`; by number: the clock may have been set back between two of
        an episode."""

    def of_all(
        self, *, since: datetime, dated: datetime | None = None
    ) -> Mapping[str, tuple[Attempt, ...]]:
        """As `of`, of every target that has any, by model id."""

    def pending(self) -> Sequence[Attempt]: ...

    def newest(self, model_id: str | None, *, limit: int) -> Sequence[Attempt]:
        """Newest first, `dry_run` ones included in either mode."""

    def add(self, attempt: Attempt) -> None:
        """Raises VersionConflict when the target has a pending attempt already."""

    def record_answer(self, attempt: Attempt) -> bool:
        """Write what became of sending it; False when that is settled already.

        Only `pending` and `unknown` give way.
        """

    def resolve(self, resolved: Sequence[Attempt]) -> None:
        """Write what watching shows of them: `resolution`, `resolved_at`, `presumed`,
        `in_flight_until` and `made`, nothing else."""

    def generation(self) -> Generation:
        """As this transaction has left it so far: each attempt that `add`, `put_back` or
        `record_answer` writes makes it grow by one."""

    def without_row(self, attempt_ids: Collection[str]) -> frozenset[str]:
        """The ids that have no attempt in the ledger."""

    def put_back(self, lost: Sequence[tuple[Attempt, Episode]]) -> None:
        """Write attempts that have no row any more, and their episodes where these have none
        either."""


class UsageRows(Protocol):
    """How much of the fleet's limits is used."""

    def of_fleet(self, *, date: datetime | None, most: int) -> FleetUsage:
        """How many targets hold a place in flight, and when what counts in the fleet's minute and
        day does so (`limits.counts_at`), the present look's `date` being this: at most the newest
        `most` of each."""

    def forbidden_models(self, key_mark: str) -> int:
        """How many models that key was forbidden to retry since a retry of any was last accepted or
        refused."""
