"""Scenarios in which models, or commands, delay each other."""

import random
from dataclasses import replace

from tests.simulation.parts import (
    WELL,
    bad_day,
    failing,
    few_lives,
    ids,
    in_reach,
    make_rules,
    world,
)
from tests.simulation.scenario import (
    NEVER,
    Command,
    Deploy,
    Fault,
    FaultKind,
    Limits,
    ModelPlan,
    Scenario,
)


def commands(rng: random.Random) -> Scenario:
    """All models fail at once, and commands run while the daemon runs: with all models, with some
    of them, or in observe mode."""
    calm_at = 900.0
    models, acts = bad_day(rng, calm_at)
    names = ids(models)
    times = sorted(rng.uniform(30, calm_at) for _ in range(rng.randint(4, 25)))
    beside = tuple(
        rng.choice(
            (
                Command(at, models=(rng.choice(names),)),
                Command(at, models=(names[-1],)),
                Command(at, observe=True),
                Command(at, models=(names[-1],), observe=True),
                Command(at),
            )
        )
        for at in times
    )
    return world(
        rng,
        models,
        calm_at=calm_at,
        breaker=in_reach(rng),
        limits=Limits(10, 10, 100),
        commands=beside,
        acts=acts,
        lives=few_lives(rng, calm_at),
    )


def cron(rng: random.Random) -> Scenario:
    """There is no daemon: a command runs from time to time, as cron would start it."""
    calm_at = 900.0
    models, acts = bad_day(rng, calm_at)
    killed = tuple(Command(rng.uniform(30, calm_at), rng.randint(1, 90)) for _ in range(3))
    return world(
        rng,
        models,
        calm_at=calm_at,
        breaker=in_reach(rng),
        limits=Limits(10, 10, 100),
        acts=acts,
        commands=killed if rng.random() < 0.3 else (),
        cron=rng.choice((15.0, 30.0, 60.0)),
    )


def blind(rng: random.Random) -> Scenario:
    """Some models cannot be seen after they were retried: no look is answered, or only one command
    ever looked at them."""
    rules = replace(make_rules(rng), stuck_after=300.0)
    models = [failing(rng, f"m{number}", rules) for number in range(rng.randint(2, 5))]
    unseen = rng.sample(ids(models), rng.randint(1, max(1, len(models) // 2)))
    unwatched = rng.random() < 0.3
    blinded = world(
        rng,
        models,
        calm_at=900.0,
        limits=Limits(rng.choice((2, 10)), rng.choice((1, 1, 2)), 100),
        lives=few_lives(rng, 900.0),
    )
    if not unwatched:
        faults = tuple(Fault("blind", 0.0, NEVER, model_id, "look") for model_id in unseen)
        return replace(blinded, faults=faults)
    times = [rng.uniform(1, 60) for _ in unseen] + [rng.uniform(60, 200) for _ in unseen]
    commands = [Command(at, models=(rng.choice(unseen),)) for at in sorted(times)]
    return replace(blinded, unwatched=tuple(unseen), commands=tuple(commands))


def crowd(rng: random.Random) -> Scenario:
    """Many models fail at once, and their builds soon fail again. Some may not be retried, some
    cannot be seen, and the fleet's limit in a minute is low."""
    rules = make_rules(rng, settle=60.0, stuck_after=300.0)
    rules = replace(rules, max_attempts=rng.randint(2, 5), max_attempts_per_window=7)
    calm_at, models = 600.0, []
    for number in range(rng.randint(5, 10)):
        fails: Deploy = (("BUILDING", rng.choice((1.0, 1.0, 4.0))), ("BUILD_FAILED", None))
        first: Deploy = (("ACTIVE", rng.uniform(20, 150)), ("BUILD_FAILED", None))
        deploys = (first, *[fails] * rng.randint(1, 5), WELL)
        models.append(ModelPlan(f"m{number}", rules, deploys))
    troubled, faults = rng.sample(ids(models), rng.randint(0, len(models) // 2)), []
    kind: FaultKind = rng.choice(("403", "503"))
    for model_id in troubled:
        operation = "retry" if kind == "403" else "look"
        faults.append(Fault(kind, 0.0, calm_at, model_id, operation))  # type: ignore[arg-type]
    return world(
        rng,
        models,
        calm_at=calm_at,
        limits=Limits(rng.choice((1, 2, 3)), rng.choice((2, 10, 10)), 100),
        faults=tuple(faults),
    )
