"""What the ledger knows of the breaker."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from watchdog.domain.breaker import Canary, Opening
from watchdog.domain.records import DecisionReason


class BreakerRows(Protocol):
    """The breaker of the transaction's mode, and what opens and closes it: one for each mode."""

    def broken(
        self, since: datetime, *, among: Collection[str] | None, but: str | None, most: int
    ) -> Sequence[datetime]:
        """The newest `most` moments later than `since` at which targets began to fail, `but` that
        of one target: those `among` these ids, or with None the watched ones."""

    def not_failing(
        self, since: datetime, *, among: Collection[str] | None, but: str | None
    ) -> int:
        """How many targets, `but` one, are not failing, were observed more than once, and did not
        begin to fail later than `since`. `among` as in `broken`."""

    def waiting(
        self, reason: DecisionReason | None = None, *, among: Collection[str] | None
    ) -> Sequence[str]:
        """The ids of the failing targets that wait, for that reason or for any. `among` as in
        `broken`."""

    def seen(self, since: datetime) -> Sequence[str]:
        """The ids of the targets that a daemon planned to check, or that any process recorded an
        observation of, later than `since`; without removed ones."""

    def opening(self) -> Opening | None:
        """The present opening of the breaker, if it is open."""

    def last_closed(self) -> datetime | None:
        """When the breaker last closed."""

    def last_canary(self, opening_id: str) -> Canary | None: ...

    def canary_times(self) -> Mapping[str, datetime]:
        """When each target was named as canary last, by model id."""

    def save_opening(self, opening: Opening) -> None: ...

    def save_canary(self, canary: Canary) -> None: ...

    def openings(self, *, limit: int) -> Sequence[Opening]:
        """Newest first."""

    def canaries(self, *, limit: int) -> Sequence[Canary]:
        """Newest first."""
