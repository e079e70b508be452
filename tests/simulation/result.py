"""The result of a run."""

from dataclasses import dataclass
from typing import Any

from tests.simulation.log import Log
from tests.simulation.scenario import Scenario


@dataclass(frozen=True)
class Result:
    """`statuses` are the true statuses at the end, `building` the models whose build will still
    end. `attempts`, `targets` and `breakages` are the ledger's rows. `problems` are errors inside a
    process."""

    scenario: Scenario
    log: Log
    attempts: list[dict[str, Any]]
    statuses: dict[str, str | None]
    building: tuple[str, ...]
    ended_at: float
    problems: tuple[str, ...]
    targets: tuple[dict[str, Any], ...] = ()
    breakages: tuple[dict[str, Any], ...] = ()
