"""A scenario for each seed."""

import random
from dataclasses import replace

from tests.simulation import families
from tests.simulation.liveness import bound
from tests.simulation.scenario import (
    Act,
    ActKind,
    BreakerPlan,
    Command,
    Deploy,
    Fault,
    FaultKind,
    Life,
    Limits,
    ModelPlan,
    Rules,
    Scenario,
)

_CHECKS = 50
"""About this many checks in a run: there are about 1,500 in a second of CPU time."""

_GET_ONLY: tuple[FaultKind, ...] = ("lag", "lag_reads")
_POST_ONLY: tuple[FaultKind, ...] = ("retried_yes", "other_deployment", "hostile_reason")
_KINDS: tuple[FaultKind, ...] = (
    "refuse", "reset_before", "reset_after", "hang_before", "hang_after", "slow",
    "429", "429", "429_blind", "429_garbage", "401", "403", "404", "503", "504_after",
    "truncated", "ill_typed", "retried_yes", "other_deployment", "hostile_reason",
    "lag", "lag", "lag_reads", "ledger_locked",
)  # fmt: skip


_ACTS: tuple[ActKind, ...] = (
    "push", "push", "push_new_id", "stop", "deactivate", "delete", "fail",
)  # fmt: skip


def make(seed: int) -> Scenario:
    """The same seed gives the same scenario on every machine: an even seed one with a little of
    everything, an odd seed one of `families`."""
    return families.make(seed) if seed % 2 else _of_everything(seed)


def _of_everything(seed: int) -> Scenario:
    rng = random.Random(f"scenario/{seed}")
    count = rng.choice((1, 1, 2, 2, 3, 3, 4, 5, 6, 8, 12))
    interval = rng.choice((20.0, 30.0, 60.0, 60.0, 120.0)) * max(1, count // 3)
    calm_at = max(600.0, min(7200.0, _CHECKS * interval / count))
    peaceful = rng.random() < 0.2
    rules = [_rules(rng) for _ in range(2)]
    models = tuple(_model(rng, f"m{number}", rng.choice(rules)) for number in range(count))
    recovery_interval, timeout = rng.choice((5.0, 10.0, 15.0)), rng.choice((5.0, 10.0))
    lives = (Life(observe=rng.random() < 0.05),) if peaceful else _lives(rng, calm_at)
    scenario = Scenario(
        seed=seed,
        models=models,
        limits=Limits(
            rng.choice((1, 2, 4)), rng.choice((1, 1, 2, 3, 5)), rng.choice((3, 6, 12, 50, 50))
        ),
        breaker=_breaker(rng),
        interval=interval,
        recovery_interval=min(recovery_interval, interval),
        timeout=timeout,
        concurrency=rng.choice((1, 2, 5, 10)),
        max_rate=rng.choice((2.0, 10.0, 50.0)),
        latency=rng.choice((0.01, 0.1, 0.5)),
        ledger_latency=rng.choice((0.0, 0.0, 0.005, 0.2)),
        starts_at=rng.choice((0.0, 0.0, 300.0)),
        lives=lives,
        commands=() if peaceful or rng.random() < 0.7 else _commands(rng, calm_at),
        acts=_acts(rng, models, calm_at),
        faults=() if peaceful else _faults(rng, models, calm_at, recovery_interval + timeout),
        races=tuple((rng.randint(1, 6), rng.uniform(0, 1)) for _ in range(rng.choice((0, 1, 2)))),
        steps=() if peaceful else _steps(rng, calm_at),
        suspends=() if peaceful or rng.random() < 0.85 else ((rng.uniform(60, calm_at), 3600.0),),
        calm_at=calm_at,
        bound=0.0,
    )
    return replace(scenario, bound=bound(scenario))


def _rules(rng: random.Random) -> Rules:
    max_attempts = rng.randint(1, 5)
    return Rules(
        first_delay=rng.choice((0.0, 10.0, 45.0, 120.0)),
        backoff=rng.choice((10.0, 30.0, 60.0, 120.0)),
        backoff_factor=rng.choice((1.0, 1.5, 2.0, 3.0)),
        backoff_max=rng.choice((120.0, 300.0, 600.0)),
        jitter=rng.choice((0.0, 0.1, 0.5)),
        max_attempts=max_attempts,
        window=rng.choice((900.0, 1800.0, 3600.0, 86400.0)),
        max_attempts_per_window=max_attempts + rng.randint(0, 3),
        healthy_reset=rng.choice((120.0, 300.0, 900.0)),
        stuck_after=rng.choice((300.0, 600.0, 1200.0)),
        ignores_standing=rng.random() < 0.2,
    )


def _deploy(rng: random.Random, end: str | None) -> Deploy:
    building = ("BUILDING", float(rng.choice((1, 10, 30, 60, 200))))
    if end is None:
        return (("BUILDING", None),)
    if end == "flap":
        return (building, ("ACTIVE", float(rng.choice((40, 150, 600)))), ("DEPLOY_FAILED", None))
    if end == "DEPLOY_FAILED":
        return (building, ("DEPLOYING", float(rng.choice((5, 20)))), (end, None))
    return (building, (end, None))


def _model(rng: random.Random, model_id: str, rules: Rules) -> ModelPlan:
    fails = [rng.choice(("BUILD_FAILED", "DEPLOY_FAILED")) for _ in range(rng.randint(1, 6))]
    kind = rng.choice(("recovers", "recovers", "recovers", "never", "flaps", "stuck", "mixed"))
    ends: list[str | None]
    if kind == "recovers":
        ends = [*fails, "ACTIVE"]
    elif kind == "never":
        ends = [*fails]
    elif kind == "flaps":
        ends = ["flap", *fails[:1], "flap"]
    elif kind == "stuck":
        ends = [*fails, None, "ACTIVE"]
    else:
        pool = ("ACTIVE", "flap", "BUILD_FAILED", "DEPLOY_FAILED", "UNHEALTHY", "SCALED_TO_ZERO")
        ends = [rng.choice(pool) for _ in range(5)]
    if rng.random() < 0.5:
        ends.insert(0, "ACTIVE")  # It breaks later, when an operator pushes, or not at all.
    return ModelPlan(
        model_id,
        rules,
        tuple(_deploy(rng, end) for end in ends),
        refuses="Not today." if rng.random() < 0.12 else None,
        new_id_on_retry=rng.random() < 0.2,
    )


def _breaker(rng: random.Random) -> BreakerPlan:
    if rng.random() < 0.5:
        return BreakerPlan(1000, 0.3, 1000, 600.0, 600.0)
    return BreakerPlan(3, rng.choice((0.3, 0.6)), rng.choice((4, 20)), 120.0, 60.0)


def _lives(rng: random.Random, calm_at: float) -> tuple[Life, ...]:
    lives, at, observe = [], 0.0, rng.random() < 0.1
    for _ in range(rng.choice((0, 1, 1, 2, 3, 5))):
        at += rng.uniform(10, calm_at / 2)
        big = rng.random() < 0.25
        step = rng.choice((-86400.0, -3600.0, -60.0, 60.0, 3600.0, 86400.0)) if big else 0.0
        lives.append(
            Life(
                ends_at=at,
                at_reservation=rng.randint(1, 3) if rng.random() < 0.6 else None,
                steps=rng.choice((0, rng.randint(1, 15), rng.randint(1, 80))),
                gracefully=rng.random() < 0.2,
                downtime=rng.choice((0.0, 1.0, rng.uniform(1, 60), rng.uniform(1, 900))),
                step=step,
                observe=observe,
            )
        )
        observe = observe and rng.random() < 0.5
    return (*lives, Life(observe=observe))


def _commands(rng: random.Random, calm_at: float) -> tuple[Command, ...]:
    killed = (None, None, 5, rng.randint(1, 120))
    times = sorted(rng.uniform(1, calm_at) for _ in range(rng.randint(1, 6)))
    return tuple(Command(at, rng.choice(killed)) for at in times)


def _acts(rng: random.Random, models: tuple[ModelPlan, ...], calm_at: float) -> tuple[Act, ...]:
    acts = []
    for _ in range(rng.choice((0, 1, 2, 4, 8))):
        model, at = rng.choice(models), rng.uniform(0, calm_at)
        what = rng.choice(_ACTS)
        acts.append(Act(at, model.id, what))
        if what == "delete":
            acts.append(Act(at + rng.uniform(1, 600), model.id, "push"))
    if rng.random() < 0.25:  # An outage of the platform: all models fail at once.
        at = rng.uniform(120, calm_at)
        acts += [Act(at + rng.uniform(0, 20), model.id, "fail") for model in models]
    return tuple(sorted((act for act in acts if act.at < calm_at), key=lambda act: act.at))


def _faults(
    rng: random.Random, models: tuple[ModelPlan, ...], calm_at: float, lag_known: float
) -> tuple[Fault, ...]:
    faults = []
    for _ in range(rng.choice((0, 1, 2, 3, 5))):
        kind, since = rng.choice(_KINDS), rng.uniform(0, calm_at)
        operation = rng.choice((None, "look", "retry"))
        operation = "look" if kind in _GET_ONLY else "retry" if kind in _POST_ONLY else operation
        amounts = {
            "lag": (lag_known * 0.3, lag_known * 0.8, lag_known * 4),
            "lag_reads": (1, 2, 4),
            "slow": (1, 4, 12),
        }
        lasts = rng.choice((20, 120, 600, calm_at))
        lasts = min(lasts, 60) if kind == "ledger_locked" else lasts
        faults.append(
            Fault(
                kind,
                since,
                min(since + lasts, calm_at),
                model_id=rng.choice((None, rng.choice(models).id)),
                operation=operation,  # type: ignore[arg-type]
                share=rng.choice((1.0, 0.5)),
                amount=float(rng.choice(amounts.get(kind, (0, 3, 20, 90)))),
            )
        )
    return tuple(faults)


def _steps(rng: random.Random, calm_at: float) -> tuple[tuple[float, float], ...]:
    return tuple(
        (rng.uniform(0, calm_at), rng.choice((-86400.0, -3600.0, -30.0, 30.0, 3600.0, 86400.0)))
        for _ in range(rng.choice((0, 0, 0, 1, 2)))
    )
