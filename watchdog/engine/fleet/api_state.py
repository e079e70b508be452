"""What the active replica writes into the ledger about the API: for the commands, which do not ask
the API."""

import json
from dataclasses import asdict, dataclass

from watchdog.engine.ports import LedgerTransaction

_KEY = "api_state"


@dataclass(frozen=True, slots=True)
class ApiState:
    """None means not known yet. `refused` is the HTTP status that refused the key; `failure` is how
    requests fail while the API is down."""

    key_accepted: bool | None = None
    up: bool | None = None
    refused: str = ""
    failure: str = ""


def save(tx: LedgerTransaction, state: ApiState) -> None:
    tx.meta.set(_KEY, json.dumps(asdict(state)))


def load(tx: LedgerTransaction) -> ApiState:
    return ApiState(**json.loads(tx.meta.get(_KEY) or "{}"))
