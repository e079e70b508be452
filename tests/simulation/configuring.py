"""Converts a scenario's rules to the watchdog's types."""

from datetime import timedelta

from tests.simulation.scenario import FAILING, Rules, Scenario
from watchdog.domain.breaker import BreakerRules
from watchdog.domain.records import FleetLimits, Policy, Standing
from watchdog.engine.settings import Model, Settings


def make_settings(scenario: Scenario, owner: str, *, observe: bool) -> Settings:
    breaker = scenario.breaker
    return Settings(
        observe=observe,
        owner=owner,
        models={model.id: Model(model.id, make_policy(model.rules)) for model in scenario.models},
        limits=make_limits(scenario),
        breaker=BreakerRules(
            breaker.min_failures,
            breaker.ratio,
            breaker.max_failures,
            timedelta(seconds=breaker.window),
            timedelta(seconds=breaker.cooldown),
        ),
        interval=timedelta(seconds=scenario.interval),
        recovery_interval=timedelta(seconds=scenario.recovery_interval),
        timeout=timedelta(seconds=scenario.timeout),
        concurrency=scenario.concurrency,
        max_rate=scenario.max_rate,
        diagnose=scenario.audited,
    )


def make_limits(scenario: Scenario) -> FleetLimits:
    limits = scenario.limits
    return FleetLimits(limits.per_minute, limits.in_flight, limits.per_day)


def make_policy(rules: Rules) -> Policy:
    return Policy(
        retry_on=frozenset(FAILING),
        first_delay=timedelta(seconds=rules.first_delay),
        backoff=timedelta(seconds=rules.backoff),
        backoff_factor=rules.backoff_factor,
        backoff_max=timedelta(seconds=rules.backoff_max),
        jitter=rules.jitter,
        max_attempts=rules.max_attempts,
        window=timedelta(seconds=rules.window),
        max_attempts_per_window=rules.max_attempts_per_window,
        healthy_reset=timedelta(seconds=rules.healthy_reset),
        stuck_after=timedelta(seconds=rules.stuck_after),
        settle=timedelta(seconds=rules.settle),
        standing=Standing.IGNORE if rules.ignores_standing else Standing.RETRY,
    )
