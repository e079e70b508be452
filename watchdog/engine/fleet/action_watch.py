"""Reports what operators did since the last tick."""

from collections.abc import Mapping
from dataclasses import dataclass

from watchdog.domain.records import Action
from watchdog.engine.events import OperatorActed, PausesSeen
from watchdog.engine.ports import LedgerTransaction, Listener


@dataclass(frozen=True, slots=True)
class News:
    """What was done, oldest first, the pauses in force, and the names of the models by id."""

    actions: tuple[Action, ...]
    pauses: tuple[Action, ...]
    names: Mapping[str, str | None]


class ActionWatch:
    """Read in the transaction of a tick, and reported after it."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._last: int | None = None

    def read(self, tx: LedgerTransaction) -> News | None:
        """None if no operator did anything since the last reading."""
        if self._last is None:
            newest = tx.actions.newest(None, limit=1)
            self._last = max((action.id or 0 for action in newest), default=0)
            return News((), tuple(tx.actions.pauses()), {})
        actions = tuple(tx.actions.after(self._last))
        if not actions:
            return None
        names = {target.model_id: target.name for target in tx.targets.all()}
        return News(actions, tuple(tx.actions.pauses()), names)

    def tell(self, news: News | None) -> None:
        if news is None:
            return
        for action in news.actions:
            self._last = max(self._last or 0, action.id or 0)
            self._listener(
                OperatorActed(action=action, model_name=news.names.get(action.model_id or ""))
            )
        self._listener(PausesSeen(pauses=news.pauses))
