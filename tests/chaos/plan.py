"""What the driver does, and when: chosen at random before anything starts, from the seed alone.

Each kind of trouble has a lane of its own: what is in one lane comes one after the other, and the
lanes overlap.
"""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from tests.chaos.configuring import duration
from tests.chaos.fleet import PUSHED, SLOW_INTERVAL, VISITORS

REPLICAS = 3

FREEZE_SECONDS = 45.0
"""Longer than a reservation is valid, and than a dead connection is kept."""

Kind = Literal[
    "kill",
    "terminate",
    "freeze",
    "database stop",
    "cut",
    "fail over",
    "storm",
    "change",
    "push",
    "put back",
    "step",
]

AHEAD = (3600.0, 90_000.0)
"""How far the server's clock jumps ahead, in seconds: an hour, or more than a day. Each is more
than a run lasts, so that a time of the ledger tells by which clock it was read."""

_ACTIVE = None


@dataclass(frozen=True, slots=True)
class Action:
    """`lasts`: until it is over, or until a replica is started again. `replica`: which one; None
    is the one that is active then. `faults` are of a storm; `interval`, `visitors` and the `gaps`
    between one replica and the next of a change of configuration; `model_id` is what a person
    pushes; `ahead` is how far the server's clock jumps, before it jumps back. What is put back is
    the ledger as it was when the action began. While a put-back that is `alone` lasts, no process
    is ended or frozen and the database is not stopped, so that the active process has no excuse."""

    at: float
    kind: Kind
    lasts: float = 0.0
    replica: int | None = None
    faults: tuple[dict[str, Any], ...] = ()
    interval: int = 1
    visitors: tuple[str, ...] = ()
    gaps: tuple[float, ...] = ()
    model_id: str = ""
    ahead: float = 0.0
    alone: bool = False


Lane = Callable[[random.Random, float], Action]


def make(seed: int, seconds: float, models: tuple[str, ...]) -> tuple[tuple[Action, ...], ...]:
    """The lanes: everything in them is over after `seconds`."""

    def storm(rng: random.Random, at: float) -> Action:
        some = rng.sample(models, len(models) // 2)
        return _storm(rng, at, rng.choice((None, some)))

    pushed = [model_id for model_id in models if model_id.startswith(PUSHED)]

    def push(rng: random.Random, at: float) -> Action:
        return Action(at, "push", model_id=rng.choice(pushed))

    return (
        _lane(seed, "processes", _end, 3, 9, seconds),
        _lane(seed, "freezes", _freeze, 3, 12, seconds),
        _lane(seed, "database", _database, 3, 12, seconds),
        _lane(seed, "api", storm, 2, 7, seconds),
        _lane(seed, "configuration", _change, 4, 15, seconds),
        _lane(seed, "people", push, 0.5, 3, seconds),
        _lane(seed, "backups", _put_back, 10, 40, seconds),
        _lane(seed, "clock", _step, 5, 30, seconds),
    )


def _lane(
    seed: int, name: str, draw: Lane, least: float, most: float, seconds: float
) -> tuple[Action, ...]:
    def actions() -> Iterator[Action]:
        rng, at = random.Random(f"{name}/{seed}"), 0.0
        while True:
            action = draw(rng, at + rng.uniform(least, most))
            at = action.at + action.lasts + sum(action.gaps)
            if at > seconds:
                return
            yield action

    return tuple(actions())


def _which(rng: random.Random) -> int | None:
    return _ACTIVE if rng.random() < 0.5 else rng.randrange(REPLICAS)


def _end(rng: random.Random, at: float) -> Action:
    kind: Kind = "kill" if rng.random() < 0.7 else "terminate"
    return Action(at, kind, lasts=rng.uniform(0, 5), replica=_which(rng))


def _freeze(rng: random.Random, at: float) -> Action:
    del rng
    return Action(at, "freeze", lasts=FREEZE_SECONDS)


def _database(rng: random.Random, at: float) -> Action:
    match rng.choice(("cut", "stop", "fail over")):
        case "cut":
            return Action(at, "cut")
        case "stop":
            return Action(at, "database stop", lasts=rng.uniform(1, 8))
        case _:
            return Action(at, "fail over", lasts=rng.uniform(0, 4))


def _put_back(rng: random.Random, at: float) -> Action:
    alone = rng.random() < 0.5
    # Ten seconds after a trouble the active process surely has the ledger again.
    return Action(
        at, "put back", lasts=rng.uniform(15, 25) if alone else rng.uniform(2, 15), alone=alone
    )


def _step(rng: random.Random, at: float) -> Action:
    return Action(at, "step", lasts=rng.uniform(1, 15), ahead=rng.choice(AHEAD))


def _storm(rng: random.Random, at: float, models: list[str] | None) -> Action:
    lasts = rng.uniform(2, 8)
    fault, of_retries_only = rng.choice(_STORMS)
    faults = [dict(fault)]
    if fault["fault"] == "throttled":
        faults[0]["retry_after"] = rng.randint(3, 5)
    if of_retries_only or rng.random() < 0.5:
        faults[0]["operation"] = "retry"
    if rng.random() < 0.3:
        faults.append({"fault": "late", "delay": f"{rng.randint(100, 1200)}ms"})
    for each in faults:
        each["until"] = duration(lasts)
        if models is not None:
            each["models"] = models
    return Action(at, "storm", lasts=lasts, faults=tuple(faults))


_STORMS: tuple[tuple[dict[str, Any], bool], ...] = (
    ({"fault": "throttled"}, False),
    ({"fault": "unavailable"}, False),
    ({"fault": "reset"}, False),
    ({"fault": "hang"}, False),
    ({"fault": "truncated"}, False),
    ({"fault": "late", "delay": "1s"}, False),
    ({"fault": "gateway_timeout"}, True),
    ({"fault": "lost_answer"}, True),
    ({"fault": "lost_answer"}, True),
    ({"fault": "reset_after"}, True),
    ({"fault": "reset_after"}, True),
    ({"fault": "retried_text"}, True),
)
"""Faults, and whether each is for retries only: to a check, a lost answer is the same as none."""


def _change(rng: random.Random, at: float) -> Action:
    visitors = rng.sample(VISITORS, rng.randint(0, len(VISITORS)))
    return Action(
        at,
        "change",
        interval=rng.choice((1, SLOW_INTERVAL)),
        visitors=tuple(sorted(visitors)),
        gaps=tuple(rng.uniform(1, 4) for _ in range(REPLICAS)),
    )
