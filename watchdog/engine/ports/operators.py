"""What the ledger knows of operators' acts."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from watchdog.domain.records import Action


class ActionRows(Protocol):
    """What operators did, and which pauses are in force."""

    def add(self, action: Action) -> None: ...

    def end_pauses(self, model_id: str | None, at: datetime) -> int:
        """End the pauses in force of one model, or with None the one of all; how many there
        were."""

    def pauses(self) -> Sequence[Action]:
        """Those in force, the latest to expire first."""

    def newest(self, model_id: str | None, *, limit: int) -> Sequence[Action]:
        """Newest first; of one model with those of all, or every one."""

    def after(self, action_id: int) -> Sequence[Action]:
        """Oldest first."""
