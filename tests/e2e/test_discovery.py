"""A real daemon and the `models` command before an emulated workspace of 300 models."""

import json
import signal
from pathlib import Path
from typing import Any

from tests.fakes.processes import (
    config_file,
    daemon,
    emulator,
    posts,
    put_faults,
    run,
    running,
)

TEAMS = [f"team-{letter}" for letter in "abcde"]
DISCOVERY = {"include": ["team-a/*", "team-b/*"], "exclude": ["*-scratch"], "interval": "1s"}


def workspace() -> list[dict[str, Any]]:
    """Sixty models for each team, every tenth of them scratch; two of one name."""
    models = [
        {
            "id": f"{team[-1]}{number:04}",
            "name": f"model-{number}-scratch" if number % 10 == 0 else f"model-{number}",
            "team": team,
            "deploys": [["ACTIVE"]],
        }
        for team in TEAMS
        for number in range(60)
    ]
    models[1]["name"] = models[2]["name"] = "twin"
    return models


def test_models_are_watched_by_team_and_name(tmp_path: Path) -> None:
    models = workspace()
    by_id = {str(model["id"]): model for model in models}
    by_id["a0003"]["deploys"] = [["BUILD_FAILED"]]
    by_id["a0005"] |= {"deploys": [["BUILD_FAILED"]], "labels": {"watchdog": "off"}}
    by_id["e0001"]["deploys"] = [["BUILD_FAILED"], [{"BUILDING": "1s"}, "ACTIVE"]]
    by_id["b0007"]["deploys"] = []
    with emulator(tmp_path, models) as api:
        config = config_file(
            tmp_path,
            api,
            [],
            models=[{"id": "e0001", "name": "mine"}],
            discovery=DISCOVERY,
            watch={"interval": "2s"},
            baseten={"max_requests_per_second": 95},
        )
        shown = json.loads(run("models", "--config", config, "--json").stdout)["models"]
        assert len(shown) == 300
        assert sum(model["watched"] for model in shown) == 2 * 54 - 1 + 1
        why = {model["model_id"]: model["why"] for model in shown}
        assert why["e0001"] == "configured"
        assert why["a0003"] == "included by team-a/*"
        assert why["a0010"] == "excluded by *-scratch"
        assert why["b0007"] == "included by team-b/*, without a development deployment"
        assert why["c0001"] == "no pattern includes it"
        with running(daemon(config)) as process:
            found = process.event("models_discovered")
            assert found["discovered"] == 107
            assert found["joined"].startswith("a0001; a0002; ")
            told = [process.event("retry_suppressed") for _ in range(2)]
            assert {each["model_id"] for each in told} == {"a0003", "a0005"}
            table = run("status", "--config", config).stdout
            assert len(posts(api)) == 1
            assert state(table, "a0003") == ["waiting", "standing_failure"]
            assert state(table, "a0005") == ["ignored", "opted_out"]
            assert table.count(" twin ") == 2
            assert table.count(" 0 of 2 ") == 107
            process.signal(signal.SIGTERM)
            assert process.wait() == 0
        checked = run("check", "--config", config)
        assert checked.returncode == 1
        assert len(checked.stdout.splitlines()) == 109


def state(table: str, model_id: str) -> list[str]:
    words = next(line.split() for line in table.splitlines() if line.startswith(model_id))
    return [words[2], words[-1]]


def test_a_listing_that_fails_changes_nothing_not_even_at_a_restart(tmp_path: Path) -> None:
    models = workspace()[:30]
    with emulator(tmp_path, models) as api:
        config = config_file(tmp_path, api, [], discovery=DISCOVERY)
        with running(daemon(config)) as process:
            assert process.event("models_discovered")["discovered"] == 27
            process.signal(signal.SIGTERM)
            assert process.wait() == 0
        put_faults(api, [{"fault": "unavailable", "operation": "list_models"}])
        with running(daemon(config, BASETEN_WATCHDOG_SERVER__PORT="0")) as process:
            assert process.event("started")["targets"] == 0
            process.event("discovery_failed")
            shown = json.loads(run("status", "--json", "--config", config).stdout)["targets"]
            assert sum(target["watched"] for target in shown) == 27
            assert run("check", "--config", config).returncode == 3
            assert run("models", "--config", config).returncode == 3
            process.signal(signal.SIGTERM)
            assert process.wait() == 0


def test_what_changed_patterns_exclude_is_not_retried_before_the_next_listing(
    tmp_path: Path,
) -> None:
    prod = {
        "id": "prod1",
        "name": "prod-1",
        "team": "team-a",
        "deploys": [[{"ACTIVE": "4s"}, "BUILD_FAILED"]],
    }
    with emulator(tmp_path, [prod, workspace()[1]]) as api:
        config = config_file(tmp_path, api, [], discovery=DISCOVERY, policy={"first_delay": "3s"})
        with running(daemon(config)) as process:
            process.event("models_discovered")
            process.event("deployment_failing")
            process.signal(signal.SIGTERM)
            assert process.wait() == 0
        put_faults(api, [{"fault": "unavailable", "operation": "list_models"}])
        config_file(
            tmp_path,
            api,
            [],
            discovery={**DISCOVERY, "exclude": ["prod-*"]},
            policy={"first_delay": "0s"},
        )
        with running(daemon(config)) as process:
            assert process.event("target_removed")["model_id"] == "prod1"
            process.event("discovery_failed")
        assert posts(api) == []


def test_a_team_that_cannot_be_read_does_not_stop_the_others(tmp_path: Path) -> None:
    models = [
        {**model, "id": str(model["id"])} for model in workspace() if model["id"][1:] < "0004"
    ]
    closed = [str(model["id"]) for model in models if model["team"] == "team-b"]
    with emulator(tmp_path, models) as api:
        put_faults(api, [{"fault": "forbidden", "models": closed, "operation": "get_development"}])
        config = config_file(tmp_path, api, [], discovery=DISCOVERY)
        with running(daemon(config)) as process:
            process.event("models_discovered")
            process.event("check_failed")
            shown = json.loads(run("status", "--json", "--config", config).stdout)["targets"]
            states = {target["model_id"]: target["state"] for target in shown}
            assert {states[each] for each in states if each.startswith("a")} == {"healthy"}
            assert {states[each] for each in states if each.startswith("b")} == {"unknown"}
