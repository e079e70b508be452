"""`pause`, `resume`, `reset` and `retry` of several models at once."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.processes import cli, config_file, emulator, posts, targets
from tests.fakes.shown import in_every_state, refused, well, write
from tests.fakes.terminal import terminal

TEAMS = {"a1": "team-a", "a2": "team-a", "b1": "team-b"}


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    fails: list[Any] = [["BUILD_FAILED"], [{"BUILDING": "1h"}, "ACTIVE"]]
    models = [
        {"id": model_id, "name": f"llama-{model_id}", "team": team, "deploys": fails}
        for model_id, team in TEAMS.items()
    ]
    with emulator(tmp_path_factory.mktemp("api"), models) as url:
        yield url


def paused(config: Path) -> set[str]:
    found = json.loads(cli("status", "--json", "--config", config).stdout)["pauses"]
    return {each["model_id"] for each in found}


def test_hands_off_a_team_is_one_command(api: str, tmp_path: Path) -> None:
    models = [{"id": model_id, "name": f"llama-{model_id}"} for model_id in TEAMS]
    write(tmp_path, [well(model_id, f"llama-{model_id}") for model_id in TEAMS], base_url=api)
    config = config_file(tmp_path, api, [], models=models)
    done = cli("pause", "team-a/*", "--for", "2h", "--yes", "--config", config)
    assert done.exit_code == 0, done.stderr
    assert [line.split(" until")[0] for line in done.stdout.splitlines()] == [
        "paused a1",
        "paused a2",
    ]
    assert paused(config) == {"a1", "a2"}
    every = cli("resume", "--all", "--config", config)
    assert "not paused" in every.stderr
    assert "2 models still paused individually: `resume a1 a2`" in every.stderr
    # Both are well, and `status` counts them so.
    ended = cli("resume", "--state", "paused", "--yes", "--config", config)
    assert ended.stdout.splitlines() == ["resumed a1", "resumed a2"]
    assert paused(config) == set()


def test_many_pauses_that_are_left_are_not_all_named(tmp_path: Path) -> None:
    config = write(tmp_path, [well(f"m{number}", f"model-{number}") for number in range(30)])
    assert cli("pause", "m*", "--for", "2h", "--yes", "--config", config).exit_code == 0
    every = cli("resume", "--all", "--config", config)
    assert "30 models still paused individually: `resume --state paused`" in every.stderr
    assert len(every.stderr) < 120


def test_a_model_that_is_named_twice_is_one_model(tmp_path: Path) -> None:
    config = write(tmp_path, [well("m1", "model-1")])
    done = cli("pause", "m1", "m1", "--for", "2h", "--config", config)
    assert (done.exit_code, len(done.stdout.splitlines())) == (0, 1), done.stderr


def test_a_team_is_not_guessed_while_the_api_does_not_say(tmp_path: Path) -> None:
    config = write(tmp_path, in_every_state())
    settings = json.loads(config.read_text()) | {"baseten": {"base_url": "http://127.0.0.1:9"}}
    config.write_text(json.dumps(settings | {"store": {"url": f"sqlite:///{tmp_path}/other.db"}}))
    done = cli("pause", "team-a/*", "--for", "2h", "--yes", "--create", "--config", config)
    assert done.exit_code == 3
    assert done.stderr.startswith("error: the teams of the models are not known: ")
    assert not (tmp_path / "other.db").exists()


@pytest.mark.parametrize(
    ("arguments", "touched"),
    [
        ("pause llama-* --for 1h", ["w41twait", "g4v3upup"]),
        ("pause --state needs_you --for 1h", ["g4v3upup", "br0kenbr"]),
        ("pause whisper flux --for 1h", ["w3llwell", "br0kenbr"]),
        ("reset --state exhausted", ["g4v3upup"]),
        ("reset flux mistral", ["br0kenbr", "r3covers"]),
    ],
)
def test_what_is_selected_is_touched_and_nothing_else(
    arguments: str, touched: list[str], tmp_path: Path
) -> None:
    config = write(tmp_path, in_every_state(), [refused("g4v3upup", "no")])
    asked = cli(*arguments.split(), "--config", config)
    assert asked.exit_code == 2
    assert "give --yes" in asked.stderr
    assert all(each in asked.stderr for each in touched)
    they = "they" if len(touched) > 1 else "it"
    assert "reset" not in arguments or f"so that {they} may be retried anew?" in asked.stderr
    done = cli(*arguments.split(), "--yes", "--config", config)
    assert done.exit_code == 0, done.stderr
    assert sorted(line.split()[1] for line in done.stdout.splitlines()) == sorted(touched)


def test_a_selection_without_a_model_changes_nothing_and_is_no_error(tmp_path: Path) -> None:
    config = write(tmp_path, [well("m1", "whisper")])
    done = cli("reset", "--state", "exhausted", "--yes", "--config", config)
    assert (done.exit_code, done.stdout) == (
        0,
        "No model is in this state: nothing is changed.\n",
    )


def test_what_will_be_touched_is_listed_before_it_is_asked(tmp_path: Path) -> None:
    config = write(tmp_path, in_every_state())
    with terminal("pause", "llama-*", "--for", "1h", "--config", config) as opened:
        screen = opened.until("Pause these 2 models for 1h? [y/N]:")
        listed = {line.split()[0] for line in screen if line.startswith(("g4v3", "w41t"))}
        assert listed == {"g4v3upup", "w41twait"}
        opened.type("n\n")
        assert opened.wait() == 1
    assert paused(config) == set()


def test_resume_names_those_that_are_not_paused(tmp_path: Path) -> None:
    config = write(tmp_path, in_every_state())
    assert cli("pause", "flux", "--for", "1h", "--config", config).exit_code == 0
    some = cli("resume", "flux", "whisper", "--yes", "--config", config)
    assert (some.exit_code, some.stdout) == (0, "resumed br0kenbr\n")
    assert some.stderr == "w3llwell: not paused\n"
    none = cli("resume", "flux", "whisper", "--yes", "--config", config)
    assert none.exit_code == 2


def test_several_retries_are_sent_one_after_the_other(api: str, tmp_path: Path) -> None:
    models = [{"id": model_id, "name": f"llama-{model_id}"} for model_id in TEAMS]
    config = config_file(tmp_path, api, [], models=models, fleet={"max_in_flight": 2})
    done = cli("retry", "llama-*", "--yes", "--create", "--config", config)
    assert done.exit_code == 1
    assert done.stdout == "a1: accepted\na2: accepted\n"
    assert done.stderr.splitlines()[-1].startswith("b1: not retried: fleet_in_flight")
    assert len(posts(api)) == 2
    assert set(targets(config)) == set(TEAMS)
