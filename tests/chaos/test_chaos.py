"""Three replicas on one database, a minute of trouble, and nothing broken."""

import asyncio

from tests.chaos import fleet
from tests.chaos.plan import Action, make
from tests.chaos.running import Run

SEED, SECONDS = 51, 60


def test_nothing_is_broken_by_a_minute_of_trouble() -> None:
    run = Run(SEED, SECONDS)
    asyncio.run(run.run())
    assert run.broken is None, run.broken


def test_a_seed_gives_the_same_trouble_again_and_a_replica_is_stopped_in_the_first_minute() -> None:
    models = tuple(model.id for model in fleet.make(SEED, SECONDS).models)
    assert make(SEED, SECONDS, models) == make(SEED, SECONDS, models)
    for seed in range(100):
        lanes = make(seed, SECONDS, models)
        assert any(action.kind == "freeze" for lane in lanes for action in lane)
        assert all(_over(action) <= SECONDS for lane in lanes for action in lane)


def _over(action: Action) -> float:
    return action.at + action.lasts + sum(action.gaps)
