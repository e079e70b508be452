"""A real daemon and the `models` command before an emulated workspace of a hundred models."""

import json
from pathlib import Path
from typing import Any

from tests.fakes.processes import (
    cli,
    config_file,
    daemon,
    emulator,
    free_port,
    get,
    posts,
    put_faults,
    running,
    set_status,
    targets,
    until_looked,
)

TEAMS = [f"team-{letter}" for letter in "abcde"]
DISCOVERY = {"include": ["team-a/*", "team-b/*"], "exclude": ["*-scratch"], "interval": "1s"}


def workspace() -> list[dict[str, Any]]:
    """Twenty models for each team, two of them scratch; two of one name."""
    models = [
        {
            "id": f"{team[-1]}{number:04}",
            "name": f"model-{number}-scratch" if number % 10 == 0 else f"model-{number}",
            "team": team,
            "deploys": [["ACTIVE"]],
        }
        for team in TEAMS
        for number in range(20)
    ]
    models[1]["name"] = models[2]["name"] = "twin"
    return models


def test_models_are_watched_by_team_and_name(tmp_path: Path) -> None:
    models = workspace()
    by_id = {str(model["id"]): model for model in models}
    by_id["a0003"]["deploys"] = [["BUILD_FAILED"]]
    by_id["a0005"] |= {"deploys": [["BUILD_FAILED"]], "labels": {"watchdog": "off"}}
    by_id["e0001"]["deploys"] = [["BUILD_FAILED"], [{"BUILDING": "1h"}, "ACTIVE"]]
    by_id["b0007"]["deploys"] = []
    mine = [{"id": "e0001", "name": "mine"}]
    with emulator(tmp_path, models) as api:
        port = free_port()
        config = config_file(
            tmp_path, api, [], models=mine, discovery=DISCOVERY, server={"port": port}
        )
        shown = json.loads(cli("models", "--config", config, "--json").stdout)["models"]
        assert len(shown) == 100
        assert sum(model["watched"] for model in shown) == 2 * 18 - 1 + 1
        why = {model["model_id"]: model["why"] for model in shown}
        assert why["e0001"] == "configured"
        assert why["a0003"] == "included by team-a/*"
        assert why["a0010"] == "excluded by *-scratch"
        assert why["b0007"] == "included by team-b/*, without a development deployment"
        assert why["c0001"] == "no pattern includes it"
        with running(daemon(config)) as process:
            found = process.event("models_discovered")
            assert found["discovered"] == 35
            assert found["joined"].startswith("a0001; a0002; ")
            process.said("retry_suppressed", "a0003")
            process.said("retry_suppressed", "a0005")
            process.said("retry_accepted", "e0001")
            table = cli("status", "--config", config).stdout
            assert [post["model_id"] for post in posts(api)] == ["e0001"]
            assert state(table, "a0003") == ["waiting", "standing_failure"]
            assert state(table, "a0005") == ["ignored", "opted_out"]
            assert table.count(" twin ") == 2
            assert table.count(" 0 of 2 ") == 35
            page = get(f"http://127.0.0.1:{port}/")[1]
            assert "the daemon started" in page
            assert "took up a changed configuration" not in page
            process.stop()
        checked = cli("check", "--config", config)
        assert checked.exit_code == 1
        assert len(checked.stdout.splitlines()) == 37


def test_that_nothing_is_watched_is_said_once_the_list_of_models_is_known(tmp_path: Path) -> None:
    with emulator(tmp_path, workspace()[:3]) as api:
        put_faults(api, [{"fault": "unavailable", "operation": "list_models", "times": 1}])
        nobody = {"include": ["no-such-team/*"], "interval": "1s"}
        config = config_file(tmp_path, api, [], discovery=nobody)
        with running(daemon(config)) as process:
            process.event("discovery_failed")
            process.event("nothing_watched")
            process.stop()
        assert sum("nothing_watched" in line for line in process.lines) == 1


def state(table: str, model_id: str) -> list[str]:
    words = next(line.split() for line in table.splitlines() if line.startswith(model_id))
    return [words[3], words[-1]]


def test_a_listing_that_fails_changes_nothing_and_changed_patterns_hold_at_once(
    tmp_path: Path,
) -> None:
    prod = {"id": "prod1", "name": "prod-1", "team": "team-a", "deploys": [["ACTIVE"]]}
    with emulator(tmp_path, [prod, *workspace()[:20]]) as api:
        delay = {"first_delay": "1h"}
        config = config_file(tmp_path, api, [], discovery=DISCOVERY, policy=delay)
        with running(daemon(config)) as process:
            assert process.event("models_discovered")["discovered"] == 19
            until_looked(api, "prod1", 2)
            set_status(api, "prod1", "BUILD_FAILED")
            assert process.event("deployment_failing")["model_id"] == "prod1"
            process.stop()
        assert not any("nothing_watched" in line for line in process.lines)
        put_faults(api, [{"fault": "unavailable", "operation": "list_models"}])
        config_file(tmp_path, api, [], discovery={**DISCOVERY, "exclude": ["*-scratch", "prod-*"]})
        with running(daemon(config)) as process:
            assert process.event("started")["targets"] == 0
            assert process.event("target_removed")["model_id"] == "prod1"
            process.event("discovery_failed")
            until_looked(api, "a0001")
            watched = {each for each, target in targets(config).items() if target["watched"]}
            assert len(watched) == 18
            assert cli("check", "--config", config).exit_code == 3
            assert cli("models", "--config", config).exit_code == 3
            process.stop()
        assert posts(api) == []
