"""What the ledger knows of targets."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from watchdog.domain.records import Breakage, DecisionReason, StatusChange, Target


def farthest_plan(now: datetime, interval: timedelta) -> datetime:
    """Later than this no check is planned: not even while an outage stretches the interval."""
    return now + 2 * max(interval, timedelta(minutes=5))


class TargetRows(Protocol):
    """The targets, each with its present episode, and when each is checked next."""

    def claim_due(self, until: datetime, *, limit: int, interval: timedelta) -> Sequence[Target]:
        """Take the watched targets due by `until`, the longest due first.

        One that is planned further ahead than any plan reaches is due as well: a clock that was
        ahead wrote that. Moves each one's `next_check_at` to about `interval` after now, in the
        same statement; the returned targets carry the time at which they were due.
        """

    def get(self, model_id: str) -> Target | None: ...

    def watched(self) -> Sequence[str]:
        """The ids of the watched targets."""

    def all(self) -> Sequence[Target]:
        """Every target, the unwatched ones included, by model id."""

    def add(self, target: Target) -> None: ...

    def add_all(self, added: Sequence[Target]) -> None:
        """As `add`, in as many round trips for all of them as for one."""

    def save(self, target: Target) -> Target:
        """Write a target and its episode, and return it with its next version.

        Raises VersionConflict when the stored version is not `target.version`.
        """

    def save_all(self, changed: Sequence[Target]) -> Sequence[Target]:
        """As `save`, in as many round trips for all of them as for one. Where one of them
        cannot be written none is."""

    def make_due(self, model_id: str, at: datetime) -> None:
        """Have a target checked at a moment, if that is earlier than planned."""

    def spread_checks(self, within: timedelta) -> None:
        """Have every watched target checked within so long from now, each at its own moment."""


class StatusRows(Protocol):
    """What targets were seen to change to."""

    def add(self, changes: Sequence[StatusChange]) -> None:
        """Write what targets were seen to change to, in place of others of the same moment."""

    def since(self, since: datetime, model_id: str | None = None) -> Sequence[StatusChange]:
        """The status of each target, or of one of them, at `since` (if known) and each change after
        it: by model id, oldest first."""


class BreakageRows(Protocol):
    """When targets were broken: see `domain.status.is_broken`."""

    def begin(self, begun: Sequence[Breakage]) -> None:
        """Write that targets are broken from now on."""

    def end(self, model_ids: Collection[str], at: datetime) -> None:
        """End what lasts of these targets' breakages."""

    def newest(self, model_id: str | None, *, limit: int) -> Sequence[Breakage]:
        """Of one model, or of all, newest first."""


class QueueRows(Protocol):
    """The queue for the fleet's places: see `domain.queue`."""

    def ahead(self, rank: int, ready_at: datetime, model_id: str, *, seen_since: datetime) -> int:
        """How many other targets in the queue go before one: by rank, then by since when they are
        ready, then by id. One that was not seen since `seen_since` has lost its place."""

    def first_waiting(self, reason: DecisionReason) -> str | None:
        """The id of the first watched one in the queue that waits for that."""

    def leave(self, model_id: str) -> None:
        """It cannot be seen now, so the others need not wait for it. No change of its version."""
