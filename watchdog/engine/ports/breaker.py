"""What the ledger stores about the breaker."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from watchdog.domain.breaker import Canary, Opening
from watchdog.domain.records import DecisionReason


class BreakerRows(Protocol):
    """The breaker and what opens and closes it. There is one for each mode; this is the one of the
    transaction's mode."""

    def began_to_fail(
        self, since: datetime, *, among: Collection[str] | None, but: str | None, most: int
    ) -> Sequence[datetime]:
        """The moments after `since` at which targets began to fail, at most the newest `most`.
        `among` are the ids of the targets to read, or None for the watched ones; the target `but`
        is left out."""

    def not_failing(
        self, since: datetime, *, among: Collection[str] | None, but: str | None
    ) -> int:
        """How many targets are not failing, were observed more than once, and did not begin to fail
        after `since`. `among` and `but` are as in `began_to_fail`."""

    def waiting(
        self, reason: DecisionReason | None = None, *, among: Collection[str] | None
    ) -> Sequence[str]:
        """The ids of the failing targets that wait, for this reason or for any. `among` is as in
        `began_to_fail`."""

    def seen(self, since: datetime) -> Sequence[str]:
        """The ids of the targets that any daemon planned to check after `since`, or that any
        process recorded an observation of after `since`. Removed targets are left out."""

    def opening(self) -> Opening | None:
        """The present opening of the breaker, if it is open."""

    def last_closed(self) -> datetime | None:
        """When the breaker last closed."""

    def last_canary(self, opening_id: str) -> Canary | None: ...

    def canary_times(self) -> Mapping[str, datetime]:
        """When each target was last named as canary, by model id."""

    def save_opening(self, opening: Opening) -> None: ...

    def save_canary(self, canary: Canary) -> None: ...

    def openings(self, *, limit: int) -> Sequence[Opening]:
        """Newest first."""

    def canaries(self, *, limit: int) -> Sequence[Canary]:
        """Newest first."""
