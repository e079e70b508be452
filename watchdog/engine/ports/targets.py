"""What the ledger stores about targets."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from watchdog.domain.plan import Claim
from watchdog.domain.records import Breakage, DecisionReason, StatusChange, Target


def farthest_plan(now: datetime, interval: timedelta) -> datetime:
    """No check is planned later than this, even while an outage stretches the interval."""
    return now + 2 * max(interval, timedelta(minutes=5))


@dataclass(frozen=True, slots=True)
class Due:
    """A target whose check is due at `at`. `target.next_check_at` is what the ledger plans."""

    target: Target
    at: datetime


class TargetRows(Protocol):
    """The targets, each with its present episode, and when each is checked next."""

    def due(
        self, until: datetime, *, limit: int, interval: timedelta, claims: Mapping[str, Claim]
    ) -> Sequence[Due]:
        """The watched targets that are due by `until`, the longest due first.

        A target with a claim is due at the claim's `next_at`, unless another moment than the
        claimed one is planned by now. A target that is due after `farthest_plan` is due now: a
        clock that was ahead planned that.
        """

    def next_planned(self, after: datetime) -> datetime | None:
        """The earliest moment after `after` that is planned for a watched target."""

    def plan(self, claims: Mapping[str, Claim]) -> None:
        """Plan the next checks of claimed targets, by model id, except where another moment than
        the claimed one is planned by now."""

    def get(self, model_id: str) -> Target | None: ...

    def some(self, model_ids: Collection[str]) -> Sequence[Target]:
        """The targets with these ids, in any order."""

    def watched(self) -> Sequence[str]:
        """The ids of the watched targets."""

    def all(self) -> Sequence[Target]:
        """Every target, the unwatched ones included, by model id."""

    def add(self, target: Target) -> None: ...

    def add_all(self, added: Sequence[Target]) -> None:
        """As `add`, with as many round trips for all of them as for one."""

    def save(self, target: Target) -> Target:
        """Write a target and its episode, and return it with its next version.

        Raises VersionConflict when the stored version is not `target.version`.
        """

    def save_all(self, changed: Sequence[Target]) -> Sequence[Target]:
        """As `save`, with as many round trips for all of them as for one. Raises VersionConflict if
        the version of any of them differs; then none is written."""

    def make_due(self, model_id: str, at: datetime) -> None:
        """Plan the next check of a target for `at`, if that is earlier than planned. If not, the
        planned moment changes too, by a microsecond, so that no claim of it counts."""

    def spread_checks(self, within: timedelta) -> None:
        """Plan the next check of every watched target at most `within` from now, each at a
        different moment. No claim counts after that: see `make_due`."""


class StatusRows(Protocol):
    """The changes of targets' statuses."""

    def add(self, changes: Sequence[StatusChange]) -> None:
        """Write changes. A change replaces another one of the same target at the same moment."""

    def since(self, since: datetime, model_id: str | None = None) -> Sequence[StatusChange]:
        """The status of each target, or of one of them, at `since` (if known), and each change
        after it: by model id, then oldest first."""


class BreakageRows(Protocol):
    """When targets were broken: see `domain.status.is_broken`."""

    def begin(self, begun: Sequence[Breakage]) -> None:
        """Write breakages that have begun."""

    def end(self, model_ids: Collection[str], at: datetime) -> None:
        """End those breakages of these targets that have not ended."""

    def newest(self, model_id: str | None, *, limit: int) -> Sequence[Breakage]:
        """The breakages of one model, or of all, newest first."""


class QueueRows(Protocol):
    """The queue of the targets that wait for the fleet's limits: see `domain.queue`."""

    def ahead(self, rank: int, ready_at: datetime, model_id: str, *, seen_since: datetime) -> int:
        """How many other targets in the queue go before one with this rank, `ready_at` and id,
        which are compared in this order. A target that was not seen since `seen_since` has lost its
        place."""

    def first_waiting(self, reason: DecisionReason) -> str | None:
        """The id of the first watched target in the queue that waits for this reason."""

    def leave(self, model_id: str) -> None:
        """Remove a target from the queue, because it cannot be seen now and the others need not
        wait for it. Does not change its version."""
