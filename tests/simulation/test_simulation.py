"""The other seeds of the 200; tests that each seed gives the same run each time, and that the
checker can fail."""

import os
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import replace
from inspect import signature
from pathlib import Path

import pytest

from tests.simulation.checker import check, report, settled
from tests.simulation.mutant import Mutant
from tests.simulation.mutants import MUTANTS, set_back
from tests.simulation.result import Result
from tests.simulation.running import broken, digest, run
from tests.simulation.scenario import Life, Scenario
from tests.simulation.seeds import make
from tests.simulation.simulation import Simulation
from tests.simulation.test_some_seeds import SOME

SEEDS = 200

_AT_A_TIME = 10

_PATIENCE = 30
"""Seeds within which a mutant must be caught."""

_ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    "first", range(SOME, SEEDS, _AT_A_TIME), ids=lambda first: f"from-seed-{first}"
)
def test_nothing_is_broken(first: int) -> None:
    assert broken(range(first, first + _AT_A_TIME)) == ""


@pytest.mark.parametrize("seed", [6, 21, 39], ids="seed-{}".format)
def test_a_seed_replays_exactly(seed: int) -> None:
    """Run the seed in another process, which has another hash seed."""
    command = [sys.executable, "-m", "tests.simulation", "--seed", str(seed)]
    environment = {**os.environ, "PYTHONHASHSEED": str(seed + 1)}
    output = subprocess.run(
        command, cwd=_ROOT, env=environment, capture_output=True, text=True, check=False
    ).stdout
    assert output.splitlines()[-1] == f"digest {digest(run(seed))}"


@pytest.mark.parametrize("seed", [3, 14, 39], ids="seed-{}".format)
def test_ticks_that_are_left_out_change_nothing(seed: int) -> None:
    """Without what depends on every tick: the breaker, the time that a tick may take, and kills
    that count steps."""
    scenario = make(seed)
    scenario = replace(
        scenario,
        breaker=replace(scenario.breaker, min_failures=1000),
        ledger_latency=0.0,
        lives=(Life(),),
        commands=(),
        bound=60.0,
    )
    some, all_of_them = Simulation(scenario).run(), Simulation(scenario, idles=False).run()
    assert _sent(some) == _sent(all_of_them)
    assert len(some.log.requests) > 20


def _sent(result: Result) -> list[tuple[object, ...]]:
    """The log without fractions: a clock that is read more often rounds more often, by
    microseconds."""
    return [
        (round(each.departed, 2), each.operation, each.model_id, each.code, each.served)
        for each in result.log.requests
    ]


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_wrong_part_can_be_called_as_the_correct_one(mutant: Mutant) -> None:
    """Otherwise its watchdog only crashes, which is not the mistake that it is named after."""
    for owner, name, wrong in mutant.changes:
        correct = getattr(owner, name)
        if callable(correct):
            parameters = signature(correct).parameters.values()
            named = {each.name: None for each in parameters if each.kind is each.KEYWORD_ONLY}
            signature(wrong).bind(*[None] * (len(parameters) - len(named)), **named)


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_broken_watchdog_is_caught(mutant: Mutant) -> None:
    with mutant.at_large():
        for seed in range(mutant.first, mutant.first + _PATIENCE):
            found = check(Simulation(mutant.world(make(seed))).run(settled))
            if {each.rule for each in found} & mutant.rules:
                return
    pytest.fail(f"not caught within {_PATIENCE} seeds")


def test_a_clock_set_back_during_a_backoff_does_not_shorten_it() -> None:
    _nothing_broken(set_back(make(seed)) for seed in range(4))


def test_a_clock_set_back_during_an_attempt_delays_nothing() -> None:
    scenario = set_back(make(0))
    _nothing_broken(
        replace(
            scenario,
            lives=(Life(ends_at=400, at_reservation=1, steps=steps, step=-86400), Life()),
        )
        for steps in (2, 9, 30)
    )


def _nothing_broken(scenarios: Iterable[Scenario]) -> None:
    results = [Simulation(scenario).run(settled) for scenario in scenarios]
    wrong = [report(each.log, found, 0) for each in results if (found := check(each))]
    assert not wrong, "\n\n".join(wrong)
