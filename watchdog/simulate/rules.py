"""The settings of the simulated watchdog, from a configuration."""

from dataclasses import dataclass
from datetime import timedelta

from watchdog.config import Config
from watchdog.domain.breaker import BreakerRules
from watchdog.domain.records import FleetLimits, Policy
from watchdog.domain.step import effective_interval

_ANY = "any"
"""An id for a model without rules of its own."""


@dataclass(frozen=True, slots=True)
class Rules:
    """`interval` is the effective one. `lag`: for this long after a retry, a failing status may be
    the old one. `diagnosed`: the causes of failures are read."""

    policy: Policy
    limits: FleetLimits
    breaker: BreakerRules
    interval: timedelta
    recovery_interval: timedelta
    lag: timedelta
    diagnosed: bool


def effective(config: Config, models: int) -> timedelta:
    """The time between two looks at a model, if so many are watched."""
    return effective_interval(config.watch.interval, models, config.baseten.max_requests_per_second)


def rules_of(config: Config, models: int) -> Rules:
    """The rules that a configuration has for models without rules of their own, if it watches so
    many."""
    from watchdog.config.policies import only, policies

    unnamed = config.model_copy(update={"models": ()})
    return Rules(
        policy=policies(only(unnamed, _ANY))[_ANY],
        limits=config.fleet_limits(),
        breaker=config.breaker_rules(),
        interval=effective(config, models),
        recovery_interval=config.watch.recovery_interval,
        lag=config.baseten.timeout + config.watch.recovery_interval,
        diagnosed=config.diagnose,
    )
