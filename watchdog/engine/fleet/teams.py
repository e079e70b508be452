"""The team of each watched model, for operators alone: no decision depends on it. The ledger keeps
it, because a check does not show it."""

from collections.abc import Mapping

from watchdog.engine.fleet import kept
from watchdog.engine.ports import LedgerTransaction

Teams = Mapping[str, str]
"""By the id of the model. A model whose team is not known has none here."""

_KEY = "teams"


def load(tx: LedgerTransaction) -> Teams:
    return kept.load(tx, _KEY)


def save(tx: LedgerTransaction, teams: Teams) -> None:
    kept.save(tx, _KEY, teams)
