"""Runs seeds, and describes the violations."""

import hashlib
from collections.abc import Iterable

from tests.simulation.checker import check, report, settled
from tests.simulation.result import Result
from tests.simulation.seeds import make
from tests.simulation.simulation import Simulation


def run(seed: int) -> Result:
    return Simulation(make(seed)).run(settled)


def verdict(seed: int) -> str | None:
    """A text about the violations in a seed; None if there are none."""
    result = run(seed)
    violations = check(result)
    return report(result.log, violations, seed) if violations else None


def broken(seeds: Iterable[int]) -> str:
    """A text about the violations in these seeds; empty if there are none."""
    return "\n\n".join(text for seed in seeds if (text := verdict(seed)))


def digest(result: Result) -> str:
    """A hash of everything that happened: equal for equal logs and ledgers."""
    text = f"{result.log.lines()}\n{result.attempts}\n{result.statuses}"
    return hashlib.sha256(text.encode()).hexdigest()
