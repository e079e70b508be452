"""The fleet and its rules in the emulator's words, and in those of a configuration file."""

import json
from collections.abc import Collection
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.chaos.fleet import RULES, VISITORS
from tests.simulation.configuring import make_limits
from tests.simulation.scenario import Rules, Scenario
from watchdog.domain.notices import NoticeEvent
from watchdog.emulator import Scenario as EmulatorScenario


def emulated(scenario: Scenario) -> EmulatorScenario:
    models = [
        {
            "id": model.id,
            "name": model.id,
            "refuses": model.refuses,
            "deploys": [
                [status if span is None else {status: duration(span)} for status, span in deploy]
                for deploy in model.deploys
            ],
        }
        for model in scenario.models
    ]
    # The watchdog must keep the limits by itself: a 429 from here would hide that it does not.
    limits = {"requests_per_second": None, "retries_per_minute": None}
    return EmulatorScenario.model_validate({"models": models, "limits": limits})


def write_config(
    path: Path,
    scenario: Scenario,
    *,
    api: str,
    webhook: str,
    ledger: str,
    interval: int = 1,
    visitors: Collection[str] = VISITORS,
) -> None:
    """Write one replica's configuration, as JSON, which is YAML. The file is replaced in one
    step."""
    breaker = scenario.breaker
    settings = {
        "baseten": {
            "base_url": api,
            "timeout": duration(scenario.timeout),
            "max_requests_per_second": scenario.max_rate,
        },
        "watch": {
            "interval": duration(interval),
            "recovery_interval": duration(scenario.recovery_interval),
            "concurrency": scenario.concurrency,
        },
        "policy": _policy(RULES),
        "fleet": {
            **asdict(make_limits(scenario)),
            "breaker": {
                "min_failures": breaker.min_failures,
                "max_failures": breaker.max_failures,
            },
        },
        "models": [
            {"id": model.id, "policy": _policy(model.rules) if model.id in VISITORS else {}}
            for model in scenario.models
            if model.id not in VISITORS or model.id in visitors
        ],
        "notify": [{"name": "hook", "url": webhook, "events": list(NoticeEvent)}],
        "store": {"url": ledger},
        "server": {"port": 0},
        "logging": {"format": "json"},
    }
    new = path.with_suffix(".new")
    new.write_text(json.dumps(settings))
    new.replace(path)


def duration(seconds: float) -> str:
    """As it is written in a configuration or a scenario."""
    return f"{round(seconds * 1000)}ms"


def _policy(rules: Rules) -> dict[str, Any]:
    return {
        "first_delay": duration(rules.first_delay),
        "backoff": duration(rules.backoff),
        "backoff_factor": rules.backoff_factor,
        "backoff_max": duration(rules.backoff_max),
        "jitter": rules.jitter,
        "max_attempts": rules.max_attempts,
        "window": duration(rules.window),
        "max_attempts_per_window": rules.max_attempts_per_window,
        "healthy_reset": duration(rules.healthy_reset),
        "stuck_after": duration(rules.stuck_after),
        "settle": duration(rules.settle),
    }
