"""The watched models and their rules, in the checker's terms."""

import random
from dataclasses import replace

from tests.fakes.processes import PATIENCE_SECONDS
from tests.simulation.scenario import (
    BreakerPlan,
    Deploy,
    Life,
    Limits,
    ModelPlan,
    Rules,
    Scenario,
)

RULES = Rules(
    first_delay=1.0,
    backoff=1.0,
    backoff_factor=2.0,
    backoff_max=4.0,
    jitter=0.1,
    max_attempts=3,
    window=90.0,
    max_attempts_per_window=4,
    healthy_reset=8.0,
    stuck_after=30.0,
    settle=10.0,
)

VISITOR_RULES = Rules(
    first_delay=1.0,
    backoff=1.0,
    backoff_factor=1.0,
    backoff_max=1.0,
    jitter=0.0,
    max_attempts=4,
    window=90.0,
    max_attempts_per_window=4,
    healthy_reset=8.0,
    stuck_after=30.0,
    settle=10.0,
)
"""A visitor leaves the configuration and comes back. It then may or may not be in a new episode:
it waits as long in either."""

_NUMBER_OF = {"flaps": 32, "heals": 10, "never": 5, "refuses": 3, "well": 5}
"""Beside the visitors, which flap without ever being seen to build: one that is building when it
leaves is no longer counted as under way."""

PUSHED = ("flaps", "heals", "never", "refuses")
"""The kinds of models that are sometimes deployed again by a user: a target that was given up then
comes back."""

VISITORS = tuple(f"visitor{number}" for number in range(5))

_LIMITS = Limits(per_minute=90, in_flight=15, per_day=10_000)

_OUT_OF_REACH = BreakerPlan(1000, 0.3, 1000, 600.0, 600.0)
"""The checker has no rule for the breaker."""

_TIMEOUT, _MAX_RATE, _CONCURRENCY = 3.0, 50.0, 20

SLOW_INTERVAL = 2
"""Seconds; a rolling change of the configuration chooses between this and 1."""

_REACTION = 2.0
"""How long a process on a busy machine may take to act on an answer."""

_UNLIMITED = 1_000_000


def make(seed: int, seconds: float) -> Scenario:
    """The same seed gives the same fleet. What fails only later does so within `seconds`."""
    rng = random.Random(f"fleet/{seed}")
    models = [
        _model(rng, kind, f"{kind}{number}", seconds)
        for kind, count in _NUMBER_OF.items()
        for number in range(count)
    ]
    models += [ModelPlan(name, VISITOR_RULES, _visitor(rng)) for name in VISITORS]
    return Scenario(
        seed=seed,
        models=tuple(models),
        limits=_LIMITS,
        breaker=_OUT_OF_REACH,
        interval=SLOW_INTERVAL,
        recovery_interval=1.0,
        timeout=_TIMEOUT,
        concurrency=_CONCURRENCY,
        max_rate=_MAX_RATE,
        latency=0.5,
        ledger_latency=0.0,
        starts_at=0.0,
        lives=(Life(),),
        commands=(),
        acts=(),
        faults=(),
        races=(),
        steps=(),
        suspends=(),
        calm_at=seconds,
        bound=PATIENCE_SECONDS,
        reaction=_REACTION,
    )


def to_be_checked(scenario: Scenario) -> Scenario:
    """What certainly holds by the observations: from outside, the episodes of a visitor cannot be
    told apart."""
    return replace(
        scenario,
        models=tuple(
            replace(model, rules=replace(model.rules, max_attempts=_UNLIMITED))
            if model.id in VISITORS
            else model
            for model in scenario.models
        ),
    )


def _model(rng: random.Random, kind: str, model_id: str, seconds: float) -> ModelPlan:
    failing = rng.choice(("BUILD_FAILED", "DEPLOY_FAILED"))
    later: Deploy = (("ACTIVE", round(rng.uniform(1, seconds * 0.8), 1)), (failing, None))
    first: Deploy = later if rng.random() < 0.7 else ((failing, None),)
    match kind:
        case "flaps":
            deploys = [first, *(_again(rng) for _ in range(30)), _flap(rng)]
        case "heals":
            fails = [_build(rng, failing) for _ in range(rng.randint(0, 2))]
            deploys = [first, *fails, _build(rng, "ACTIVE")]
        case "well":
            deploys = [(("ACTIVE", None),)]
        case _:
            deploys = [first, _build(rng, failing)]
    refuses = "Not today." if kind == "refuses" else None
    return ModelPlan(model_id, RULES, tuple(deploys), refuses=refuses)


def _again(rng: random.Random) -> Deploy:
    return _flap(rng) if rng.random() < 0.75 else _build(rng, "BUILD_FAILED")


def _flap(rng: random.Random) -> Deploy:
    """Makes sure that there is always work."""
    well = ("ACTIVE", round(rng.choice((rng.uniform(4, 9), rng.uniform(5, 40))), 1))
    return (*_build(rng, "ACTIVE")[:-1], well, ("BUILD_FAILED", None))


def _build(rng: random.Random, end: str) -> Deploy:
    building = ("BUILDING", round(rng.uniform(0.5, 6), 1))
    deploying = ("DEPLOYING", round(rng.uniform(0.5, 2), 1))
    return (building, deploying, (end, None)) if rng.random() < 0.3 else (building, (end, None))


def _visitor(rng: random.Random) -> tuple[Deploy, ...]:
    fails: Deploy = (("BUILD_FAILED", None),)
    return (fails, (("ACTIVE", round(rng.uniform(3, 12), 1)), *fails))


def settles_after(plan: ModelPlan, nth: int) -> float:
    """For how long the nth deploy, counted from 0, stays under way."""
    deploy = plan.deploys[min(nth, len(plan.deploys) - 1)]
    lasts = 0.0
    for status, span in deploy:
        if status not in ("BUILDING", "DEPLOYING") or span is None:
            return lasts
        lasts += span
    return lasts
