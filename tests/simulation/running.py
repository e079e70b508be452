"""Running seeds, and saying what was broken."""

import hashlib
from collections.abc import Iterable

from tests.simulation.checker import check, report, settled
from tests.simulation.result import Result
from tests.simulation.seeds import make
from tests.simulation.simulation import Simulation


def run(seed: int) -> Result:
    return Simulation(make(seed)).run(settled)


def verdict(seed: int) -> str | None:
    """What a seed broke, for people; None for nothing."""
    result = run(seed)
    violations = check(result)
    return report(result.log, violations, seed) if violations else None


def broken(seeds: Iterable[int]) -> str:
    """What these seeds broke; empty for nothing."""
    return "\n\n".join(text for seed in seeds if (text := verdict(seed)))


def digest(result: Result) -> str:
    """A mark of all that happened, the same for the same log and the same ledger."""
    text = f"{result.log.lines()}\n{result.attempts}\n{result.statuses}"
    return hashlib.sha256(text.encode()).hexdigest()
