"""Ten models whose builds fail within five seconds do not block another one. The test uses the
emulated workspace and the real engine and ledger. With `-s` it prints how long the other model
waited for its retry."""

import random
import sys

import pytest

from tests.simulation.parts import WELL, world
from tests.simulation.scenario import Act, Deploy, Limits, ModelPlan, Rules
from tests.simulation.simulation import Simulation

MINUTE = 60.0
FAILS_AT = 600.0
FAILED: Deploy = (("BUILD_FAILED", None),)
FAILS_AT_ONCE: Deploy = (("BUILDING", 5.0), ("BUILD_FAILED", None))
RECOVERS: Deploy = (("BUILDING", 60.0), ("ACTIVE", None))
RULES = Rules(
    first_delay=0.0,
    backoff=10.0,
    backoff_factor=1.0,
    backoff_max=10.0,
    jitter=0.0,
    max_attempts=40,
    window=86_400.0,
    max_attempts_per_window=40,
    healthy_reset=600.0,
    stuck_after=3600.0,
)


def waited_for_its_retry(others: int, seed: int) -> float:
    """Seconds from the neighbour's failure to its retry, while this many others fail."""
    models = [ModelPlan(f"o{number}", RULES, (FAILED, FAILS_AT_ONCE)) for number in range(others)]
    neighbour = ModelPlan("neighbour", RULES, (WELL, RECOVERS))
    scenario = world(
        random.Random(seed),
        [*models, neighbour],
        calm_at=FAILS_AT + 10 * MINUTE,
        interval=MINUTE,
        limits=Limits(4, 4, 1000),
        acts=(Act(FAILS_AT, "neighbour", "fail"),),
    )
    log = Simulation(scenario).run().log
    sent = [r for r in log.requests if r.operation == "retry" and r.model_id == "neighbour"]
    return sent[0].departed - FAILS_AT


@pytest.mark.parametrize("seed", range(3))
def test_builds_that_fail_within_five_seconds_block_nobody_else(seed: int) -> None:
    alone, beside = waited_for_its_retry(0, seed), waited_for_its_retry(10, seed)
    sys.stdout.write(f"retried after {alone:.1f} s alone, {beside:.1f} s beside ten others\n")
    # It is seen within an interval. Then it is the first in the queue for a place in the minute.
    assert alone <= 1.1 * MINUTE
    assert beside <= 2.2 * MINUTE
