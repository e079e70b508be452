"""Facts that the ledger keeps as one JSON object each, under a key."""

import json
from collections.abc import Mapping
from typing import Any

from watchdog.engine.ports import LedgerTransaction

_EMPTY = "{}"


def load(tx: LedgerTransaction, key: str) -> dict[str, Any]:
    """The object, which is empty if none was saved."""
    kept: dict[str, Any] = json.loads(tx.meta.get(key) or _EMPTY)
    return kept


def save(tx: LedgerTransaction, key: str, value: Mapping[str, Any]) -> None:
    """Write the object if it has changed."""
    text = json.dumps(value, sort_keys=True)
    if text != (tx.meta.get(key) or _EMPTY):
        tx.meta.set(key, text)
