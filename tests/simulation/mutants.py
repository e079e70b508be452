"""Broken watchdogs, which show that the checker can fail: each has one change that breaks a
rule."""

from collections.abc import Callable
from dataclasses import fields, replace
from datetime import timedelta
from typing import Any

from tests.simulation import configuring, wrong_turns
from tests.simulation.mutant import Change, mutant
from tests.simulation.mutants_of_judgement import OF_JUDGEMENT
from tests.simulation.scenario import Deploy, Life, Limits, ModelPlan, Scenario
from watchdog.baseten_api.client import HttpBasetenApi
from watchdog.baseten_api.gate import Gate
from watchdog.clock import SystemClock
from watchdog.domain import backoff, policy, transition
from watchdog.domain.records import FleetLimits, Policy, Standing
from watchdog.engine.settings import Settings
from watchdog.engine.target import left_behind, written
from watchdog.engine.target.attempt import Retrier
from watchdog.ledger.transaction import SqlTransaction


def _settings(change: Callable[[Settings], Settings]) -> Change:
    right = configuring.make_settings

    def make_settings(scenario: Scenario, owner: str, *, observe: bool) -> Settings:
        return change(right(scenario, owner, observe=observe))

    return configuring, "make_settings", make_settings


def _policies(change: Callable[[Policy], Policy]) -> Change:
    def changed(settings: Settings) -> Settings:
        models = {
            model_id: replace(model, policy=change(model.policy))
            for model_id, model in settings.models.items()
        }
        return replace(settings, models=models)

    return _settings(changed)


def _one_more(name: str) -> Change:
    def changed(settings: Settings) -> Settings:
        limits: Any = replace(settings.limits, **{name: getattr(settings.limits, name) + 1})
        return replace(settings, limits=limits)

    return _settings(changed)


def set_back(scenario: Scenario) -> Scenario:
    """One model that fails again and again, a kill during its backoff, and a clock that is set
    back."""
    fails: Deploy = (("BUILDING", 10.0), ("BUILD_FAILED", None))
    recovers: Deploy = (("BUILDING", 10.0), ("ACTIVE", None))
    rules = replace(scenario.models[0].rules, ignores_standing=False, max_attempts=5)
    rules = replace(rules, first_delay=10.0, backoff=120.0, max_attempts_per_window=9)
    return replace(
        scenario,
        models=(ModelPlan("m0", rules, (fails, fails, fails, recovers)),),
        limits=Limits(4, 5, 50),
        breaker=replace(scenario.breaker, min_failures=1000),
        interval=30.0,
        starts_at=0.0,
        lives=(Life(ends_at=150.0, step=-86400.0), Life()),
        calm_at=300.0,
        commands=(),
        acts=(),
        faults=(),
        races=(),
        steps=(),
        suspends=(),
        bound=1800.0,
    )


_CAUGHT = {
    "max_retries_per_minute": ("fleet minute", 5),
    "max_in_flight": ("in flight", 49),
    "max_attempts_per_window": ("fleet day", 22),
}
"""The rule of the judge that notices when each of the fleet's limits is exceeded, and a seed where
that happens."""

MUTANTS = (
    mutant(
        "an attempt too many in an episode",
        _policies(lambda rules: replace(rules, max_attempts=rules.max_attempts + 1)),
        caught_by="episode",
        first=8,
    ),
    mutant(
        "an attempt too many in the window",
        _policies(
            lambda rules: replace(rules, max_attempts_per_window=rules.max_attempts_per_window + 1)
        ),
        caught_by="window",
        first=38,
    ),
    *(
        mutant(f"one more than fleet.{each.name}", _one_more(each.name), caught_by=rule, first=seed)
        for each in fields(FleetLimits)
        for rule, seed in (_CAUGHT[each.name],)
    ),
    mutant(
        "no first delay",
        _policies(lambda rules: replace(rules, first_delay=timedelta(0))),
        caught_by="delay",
    ),
    mutant(
        "half the backoff",
        _policies(lambda rules: replace(rules, backoff=rules.backoff / 2, jitter=0.0)),
        caught_by="delay",
    ),
    mutant(
        "backoff from the POST",
        (backoff, "due", wrong_turns.due_after_the_post),
        caught_by="delay",
        first=1,
    ),
    mutant(
        "no look again", (Retrier, "_send", wrong_turns.send_without_a_look), caught_by="look again"
    ),
    mutant(
        "the look again changes nothing",
        (Retrier, "_send", wrong_turns.send_whatever_it_sees),
        caught_by="look again",
        first=2,
    ),
    mutant(
        "recorded after the POST",
        (Retrier, "_retry", wrong_turns.record_afterwards),
        caught_by="accounting, fleet minute, in flight",
    ),
    mutant(
        "a lost answer is asked for again",
        (HttpBasetenApi, "_retry", staticmethod(wrong_turns.retry_again)),
        caught_by="look again, accounting",
        first=2,
    ),
    mutant(
        "holds forgotten", (Gate, "hold", lambda *_: None), caught_by="hold, key refused", first=37
    ),
    mutant(
        "what a dead process left behind is forgiven",
        (left_behind, "_lost", wrong_turns.forgive),
        caught_by="accounting, episode, delay, fleet minute",
        first=60,
    ),
    mutant(
        "our own retry is taken for a person's push",
        (transition, "identified", wrong_turns.identify_strangers),
        caught_by="episode, delay",
        first=17,
    ),
    mutant(
        "statuses never lag",
        _settings(lambda settings: replace(settings, timeout=-settings.recovery_interval)),
        caught_by="not failing, delay",
        first=5,
    ),
    mutant(
        "POSTs in observe mode",
        _settings(lambda settings: replace(settings, observe=False)),
        caught_by="observe mode",
        first=4,
    ),
    mutant(
        "a standing failure is retried",
        _policies(lambda rules: replace(rules, standing=Standing.RETRY)),
        caught_by="standing failure",
        first=8,
    ),
    mutant(
        "refused again and again",
        (policy, "_exhausted", wrong_turns.exhausted_by_number_alone),
        caught_by="refused twice",
        first=18,
    ),
    mutant(
        "the clock follows the wall",
        (SystemClock, "now", lambda self: self._wall()),
        caught_by="clock",
        first=2,
    ),
    mutant(
        "a clock set back is waited for",
        (SqlTransaction, "clamp_future", lambda _: None),
        caught_by="liveness",
        world=set_back,
    ),
    mutant(
        "waiting targets sleep in",
        (written, "_next_check", wrong_turns.sleep_in),
        caught_by="liveness",
        first=8,
    ),
    *OF_JUDGEMENT,
)
