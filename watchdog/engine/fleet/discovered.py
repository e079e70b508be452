"""The models that discovery put on the watch list, as the ledger keeps them."""

from collections.abc import Mapping

from watchdog.domain.discovery import Discovered
from watchdog.engine.fleet import kept
from watchdog.engine.ports import LedgerTransaction

Known = Mapping[str, Discovered]
"""The discovered models, by id."""

_KEY = "discovered"


def load(tx: LedgerTransaction) -> Known:
    """The models that the previous active replica discovered. They are watched until the first
    listing."""
    found = kept.load(tx, _KEY)
    return {model_id: Discovered(name, team) for model_id, (name, team) in found.items()}


def save(tx: LedgerTransaction, known: Known) -> None:
    found = {model_id: (model.name, model.team) for model_id, model in known.items()}
    kept.save(tx, _KEY, found)
