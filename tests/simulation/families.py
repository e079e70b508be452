"""Scenarios that each have one kind of trouble, which may last.

The scenarios of `seeds.py` have a little of everything. Situations that need one kind of trouble to
last, or events in a certain order, are rare in them: statuses that lag longer than a backoff, a key
that may not retry, a time with commands only. Each odd seed gives a scenario of one family, one
family after the other. Nothing else goes wrong in it, so that the checker knows for certain what
must be done and when.
"""

import random
from collections.abc import Callable
from dataclasses import replace

from tests.simulation.fleets import blind, commands, cron, crowd
from tests.simulation.liveness import bound
from tests.simulation.parts import (
    OUT_OF_REACH,
    draw,
    failing,
    few_lives,
    ids,
    in_order,
    in_reach,
    is_well,
    make_rules,
    some_fail,
    some_pushes,
    standing,
    well,
    with_identity,
    world,
)
from tests.simulation.scenario import (
    Act,
    ActKind,
    Deploy,
    Fault,
    FaultKind,
    Limits,
    ModelPlan,
    Scenario,
)

_LOST: tuple[FaultKind, ...] = ("reset_after", "hang_after", "504_after")


def make(seed: int) -> Scenario:
    """The same odd seed gives the same scenario on every machine."""
    number = seed // 2
    family = asleep if number % _SELDOM == _SELDOM - 1 else FAMILIES[number % len(FAMILIES)]
    return of(family, seed)


def of(family: Callable[[random.Random], Scenario], seed: int) -> Scenario:
    """The scenario of a family that the seed gives."""
    scenario = family(random.Random(f"family/{seed}"))
    return replace(scenario, seed=seed, bound=bound(scenario))


def lagging(rng: random.Random) -> Scenario:
    """Statuses lag for any time, with the identity that a retry makes or with another one; answers
    are lost."""
    rules = make_rules(rng, settle=rng.choice((60.0, 300.0)))
    models = [
        with_identity(rng, failing(rng, f"m{number}", rules))
        for number in range(rng.choice((1, 1, 2, 3)))
    ]
    calm_at, known = rng.choice((900.0, 1500.0)), 15.0
    lags = (2 * known, rules.backoff * 3, rules.stuck_after * 0.7, rules.stuck_after * 1.4)
    faults = [
        Fault(rng.choice(("lag", "lag", "lag_status")), 0.0, calm_at, model_id, "look", 1.0, lag)
        for model_id, lag in zip(ids(models), draw(rng, lags, len(models)), strict=True)
    ]
    if rng.random() < 0.4:
        share = rng.choice((0.5, 1.0))
        faults.append(Fault(rng.choice(_LOST), 0.0, calm_at, None, "retry", share))
    return world(
        rng,
        models,
        calm_at=calm_at,
        limits=Limits(10, rng.choice((1, 1, 2, 5)), 50),
        faults=tuple(faults),
        acts=some_pushes(rng, models, calm_at),
        lives=few_lives(rng, calm_at),
    )


def strangers(rng: random.Random) -> Scenario:
    """Answers are about other models, or about other deployments of the same model."""
    rules = make_rules(rng)
    models = [
        well(rng, f"m{number}", rules) if rng.random() < 0.6 else failing(rng, f"m{number}", rules)
        for number in range(rng.randint(2, 5))
    ]
    calm_at = 900.0
    faults = []
    for model_id in rng.sample(ids(models), rng.randint(1, 2)):
        kind: FaultKind = rng.choice(("other_model", "other_model", "not_development"))
        since = rng.choice((0.0, rng.uniform(0, calm_at / 2)))
        share = rng.choice((1.0, 1.0, 0.5))
        faults.append(Fault(kind, since, calm_at, model_id, "look", share))
    return world(
        rng,
        models,
        calm_at=calm_at,
        faults=tuple(faults),
        acts=some_fail(rng, models, calm_at),
        lives=few_lives(rng, calm_at),
    )


def forbidden(rng: random.Random) -> Scenario:
    """The key may look at every model, but may not retry some of them, for a time or for ever. Some
    retries are answered 429, and sometimes those of one model alone."""
    rules = replace(make_rules(rng), backoff=rng.choice((10.0, 30.0)), backoff_max=300.0)
    models = [failing(rng, f"m{number}", rules) for number in range(rng.randint(2, 8))]
    calm_at = 900.0
    faults = []
    for model_id in rng.sample(ids(models), rng.randint(1, len(models))):
        since = rng.choice((0.0, 0.0, rng.uniform(0, calm_at / 2)))
        until = min(calm_at, since + rng.choice((120.0, 600.0, calm_at)))
        kind: FaultKind = rng.choice(("403", "403", "403", "429"))
        faults.append(Fault(kind, since, until, model_id, "retry", 1.0, rng.choice((1.0, 5.0))))
    return world(
        rng,
        models,
        calm_at=calm_at,
        limits=Limits(rng.choice((2, 4, 20)), rng.choice((2, 5)), 100),
        faults=tuple(faults),
        acts=some_pushes(rng, models, calm_at),
        lives=few_lives(rng, calm_at),
    )


def gone(rng: random.Random) -> Scenario:
    """Every request is answered 404 for longer than two intervals, while models fail. Single models
    are deleted, and then they are not in the listing."""
    rules = replace(make_rules(rng), ignores_standing=rng.random() < 0.5, first_delay=10.0)
    rules = replace(rules, healthy_reset=rng.choice((60.0, 300.0)))
    models = [
        rng.choice((well, well, failing, standing))(rng, f"m{number}", rules)
        for number in range(rng.randint(3, 6))
    ]
    calm_at, interval = 900.0, rng.choice((20.0, 30.0))
    since = rng.uniform(3, 6) * interval
    until = since + rng.uniform(3, 6) * interval
    acts = []
    if rng.random() < 0.6:
        at = rng.uniform(since, until)
        acts += [Act(at, model.id, "fail") for model in models if is_well(model)]
    if rng.random() < 0.5:
        model_id, at = rng.choice(models).id, rng.uniform(60, calm_at - 200)
        acts += [Act(at, model_id, "delete"), Act(at + rng.uniform(1, 200), model_id, "push")]
    return world(
        rng,
        models,
        calm_at=calm_at,
        interval=interval,
        breaker=in_reach(rng),
        limits=Limits(10, 10, 100),
        faults=(Fault("404_all", since, until),),
        acts=in_order(acts),
        lives=few_lives(rng, calm_at),
    )


def asleep(rng: random.Random) -> Scenario:
    """Models are scaled to zero before they were loaded, or break with statuses that are not
    retried. They are deactivated by operators, by the platform, or with no entry in the audit
    log."""
    rules = make_rules(rng, settle=rng.choice((60.0, 120.0)))
    models = [
        ModelPlan(
            f"m{number}",
            rules,
            ((("BUILD_FAILED", None),), *(_slept(rng) for _ in range(rng.randint(1, 3)))),
        )
        for number in range(rng.randint(2, 5))
    ]
    calm_at = 1200.0
    acts: list[Act] = []
    for model_id in ids(models):
        what: ActKind = rng.choice(("deactivate", "platform_deactivates", "fail", "push"))
        if rng.random() < 0.7:
            logged = rng.choice((0.0, 30.0, 200.0, None))
            acts.append(Act(rng.uniform(300, calm_at - 100), model_id, what, logged))
    return replace(
        world(
            rng,
            models,
            calm_at=calm_at,
            breaker=in_reach(rng) if rng.random() < 0.4 else OUT_OF_REACH,
            limits=Limits(10, rng.choice((1, 5)), 100),
            acts=in_order(acts),
            lives=few_lives(rng, calm_at),
        ),
        audited=True,
    )


def _slept(rng: random.Random) -> Deploy:
    """A deploy that is scaled to zero before it was loaded."""
    begins = (("DEPLOYING", 13.0), ("SCALED_TO_ZERO", rng.uniform(10, 51)), ("WAKING_UP", 120.0))
    ends = ("ACTIVE", "DEPLOY_FAILED", "UNHEALTHY", "FAILED", "INACTIVE", "SCALED_TO_ZERO")
    return (*begins, (rng.choice(ends), None))


_SELDOM = 50
"""One of this many odd seeds gives a scenario of `asleep`."""

FAMILIES: tuple[Callable[[random.Random], Scenario], ...] = (
    lagging,
    strangers,
    forbidden,
    gone,
    commands,
    cron,
    blind,
    crowd,
)
