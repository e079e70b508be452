"""The parts of the scenarios of `families`."""

import random
from collections.abc import Sequence
from dataclasses import replace

from tests.simulation.scenario import (
    Act,
    BreakerPlan,
    Command,
    Deploy,
    Fault,
    Life,
    Limits,
    ModelPlan,
    Rules,
    Scenario,
)

OUT_OF_REACH = BreakerPlan(1000, 0.3, 1000, 600.0, 600.0)

WELL: Deploy = (("ACTIVE", None),)


def world(
    rng: random.Random,
    models: Sequence[ModelPlan],
    *,
    calm_at: float,
    interval: float | None = None,
    limits: Limits = Limits(10, 5, 50),  # noqa: B008 - it is frozen
    breaker: BreakerPlan = OUT_OF_REACH,
    lives: tuple[Life, ...] = (Life(),),
    commands: tuple[Command, ...] = (),
    acts: tuple[Act, ...] = (),
    faults: tuple[Fault, ...] = (),
    cron: float | None = None,
) -> Scenario:
    return Scenario(
        seed=0,
        models=tuple(models),
        limits=limits,
        breaker=breaker,
        interval=interval or rng.choice((20.0, 30.0)),
        recovery_interval=rng.choice((5.0, 10.0)),
        timeout=5.0,
        concurrency=rng.choice((5, 10)),
        max_rate=50.0,
        latency=rng.choice((0.05, 0.3)),
        ledger_latency=rng.choice((0.0, 0.0, 0.005)),
        starts_at=0.0,
        lives=lives,
        commands=commands,
        acts=acts,
        faults=faults,
        races=(),
        steps=(),
        suspends=(),
        calm_at=calm_at,
        bound=0.0,
        cron=cron,
    )


def make_rules(
    rng: random.Random, *, settle: float = 300.0, stuck_after: float | None = None
) -> Rules:
    max_attempts = rng.randint(1, 4)
    return Rules(
        first_delay=rng.choice((0.0, 10.0, 30.0)),
        backoff=rng.choice((10.0, 30.0)),
        backoff_factor=rng.choice((1.0, 2.0)),
        backoff_max=120.0,
        jitter=rng.choice((0.0, 0.2)),
        max_attempts=max_attempts,
        window=3600.0,
        max_attempts_per_window=max_attempts + rng.randint(1, 4),
        healthy_reset=300.0,
        stuck_after=stuck_after or rng.choice((300.0, 450.0)),
        settle=settle,
    )


def failing(rng: random.Random, model_id: str, rules: Rules) -> ModelPlan:
    """A model that fails from the start or soon, and again and again."""
    again: list[Deploy] = [fails(rng) for _ in range(rng.randint(1, 6))]
    first: Deploy = (("ACTIVE", rng.uniform(20, 200)), ("BUILD_FAILED", None))
    last = [WELL] if rng.random() < 0.6 else []
    begins = [first] if rng.random() < 0.5 else []
    return ModelPlan(model_id, rules, (*begins, *again, *last))


def standing(rng: random.Random, model_id: str, rules: Rules) -> ModelPlan:
    """A model that fails before the first look."""
    again = [fails(rng) for _ in range(rng.randint(0, 3))]
    return ModelPlan(model_id, rules, ((("BUILD_FAILED", None),), *again, WELL))


def fails(rng: random.Random) -> Deploy:
    return (("BUILDING", rng.choice((1.0, 10.0, 40.0))), ("BUILD_FAILED", None))


def well(rng: random.Random, model_id: str, rules: Rules) -> ModelPlan:
    """A model that is healthy until an act makes it fail."""
    again = [fails(rng) for _ in range(rng.randint(0, 3))]
    return ModelPlan(model_id, rules, (WELL, *again, WELL))


def is_well(model: ModelPlan) -> bool:
    return model.deploys[0] == WELL


def bad_day(rng: random.Random, calm_at: float) -> tuple[list[ModelPlan], tuple[Act, ...]]:
    """All models fail within a few seconds, some of them twice. Only the last one stays healthy."""
    rules = replace(make_rules(rng), first_delay=rng.choice((10.0, 30.0, 300.0)), max_attempts=3)
    rules = replace(rules, max_attempts_per_window=rng.randint(3, 6))
    models = [well(rng, f"m{number}", rules) for number in range(rng.randint(4, 8))]
    acts = []
    for at in (rng.uniform(60, 200), rng.uniform(400, calm_at))[: rng.randint(1, 2)]:
        acts += [Act(at + rng.uniform(0, 20), model.id, "fail") for model in models[:-1]]
    models[-1] = replace(models[-1], deploys=(WELL,))
    return models, in_order([act for act in acts if act.at < calm_at])


def in_reach(rng: random.Random) -> BreakerPlan:
    window, cooldown = rng.choice((120.0, 300.0)), rng.choice((60.0, 120.0))
    return BreakerPlan(3, rng.choice((0.3, 0.5)), 20, window, cooldown)


def with_identity(rng: random.Random, model: ModelPlan) -> ModelPlan:
    """The model, with what an accepted retry changes in its deployment's identity."""
    made_later = rng.choice((-3600.0, -30.0, 0.0, 30.0))
    return rng.choice(
        (
            model,
            replace(model, new_id_on_retry=True, made_later=made_later),
            replace(model, new_created_at_on_retry=True, made_later=made_later),
        )
    )


def few_lives(rng: random.Random, calm_at: float) -> tuple[Life, ...]:
    """One life of the daemon. In a quarter of the scenarios it is killed, and a second life
    follows."""
    if rng.random() < 0.75:
        return (Life(),)
    at_reservation = rng.choice((None, 1, 2))
    killed = Life(rng.uniform(10, calm_at / 2), at_reservation, rng.randint(0, 30), downtime=5.0)
    return (killed, Life())


def some_pushes(rng: random.Random, models: Sequence[ModelPlan], calm_at: float) -> tuple[Act, ...]:
    if rng.random() < 0.7:
        return ()
    return (Act(rng.uniform(60, calm_at), rng.choice(models).id, "push"),)


def some_fail(rng: random.Random, models: Sequence[ModelPlan], calm_at: float) -> tuple[Act, ...]:
    well = [model.id for model in models if is_well(model)]
    chosen = rng.sample(well, rng.randint(0, len(well)))
    return in_order([Act(rng.uniform(60, calm_at / 2), model_id, "fail") for model_id in chosen])


def in_order(acts: Sequence[Act]) -> tuple[Act, ...]:
    return tuple(sorted(acts, key=lambda act: act.at))


def ids(models: Sequence[ModelPlan]) -> list[str]:
    return [model.id for model in models]


def draw(rng: random.Random, values: Sequence[float], count: int) -> list[float]:
    return [rng.choice(values) for _ in range(count)]
