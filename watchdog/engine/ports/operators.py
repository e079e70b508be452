"""What the ledger stores about operators' actions."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from watchdog.domain.records import Action


class ActionRows(Protocol):
    """What operators did, and which pauses are in force."""

    def add(self, action: Action) -> int:
        """Returns its id."""

    def set_note(self, action_id: int, note: str) -> None: ...

    def end_pauses(self, model_id: str | None, at: datetime) -> int:
        """End the pauses in force of one model, or with None the pause of all models together.
        Returns the number of ended pauses."""

    def pauses(self) -> Sequence[Action]:
        """The pauses in force. The one that expires last comes first."""

    def newest(self, model_id: str | None, *, limit: int) -> Sequence[Action]:
        """Newest first: those of one model and those of all models together, or with None every
        action."""

    def after(self, action_id: int) -> Sequence[Action]:
        """The actions with a higher id, oldest first."""
