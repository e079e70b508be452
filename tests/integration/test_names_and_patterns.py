"""Which models a word on the command line means: an id, a name or a pattern."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.fakes.processes import cli, config_file, emulator, free_port, requests
from watchdog.cli.selection import Named, select

AMBIGUOUS = [
    Named("L1", "plain", "t"),
    Named("L2", "a/b", "t"),
    Named("L3", "L1", "t"),
    Named("L4", "*", "t"),
    Named("L5", "b", "a"),
    Named("L6", "[gpu] one", "t"),
    Named("L7", None, None),
]


@pytest.mark.parametrize(
    ("word", "ids"),
    [
        pytest.param("L1", ["L1"], id="an id goes before a name"),
        pytest.param("a/b", ["L2"], id="a whole name goes before team/name"),
        pytest.param("a/*", ["L5"], id="a pattern is compared with team/name"),
        pytest.param("t/a/b", ["L2"], id="a name with a slash has its team before it"),
        pytest.param("plain", ["L1"], id="a name"),
        pytest.param("*", [f"L{number}" for number in range(1, 8)], id="a name may be a pattern"),
        pytest.param("[gpu] one", ["L6"], id="a name that is a pattern selects itself"),
        pytest.param("L7", ["L7"], id="a model without a name"),
    ],
)
def test_one_rule_says_what_a_word_selects(word: str, ids: list[str]) -> None:
    assert select([word], AMBIGUOUS) == ids


MODELS: list[dict[str, Any]] = [
    {"id": "L0000001", "name": "plain", "team": "t", "deploys": [["ACTIVE"]]},
    {"id": "L0000002", "name": "a/b", "team": "t", "deploys": [["ACTIVE"]]},
    {"id": "L0000003", "name": "L0000001", "team": "t", "deploys": [["ACTIVE"]]},
    {"id": "L0000004", "name": "b1", "team": "u", "deploys": [["ACTIVE"]]},
    {"id": "L0000005", "name": "b2", "team": "t", "deploys": [["ACTIVE"]]},
    {"id": "L0000006", "name": "b3", "team": "t", "deploys": []},
]


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with emulator(tmp_path_factory.mktemp("api"), MODELS) as url:
        yield url


@pytest.mark.parametrize(
    ("word", "ids"),
    [
        ("a/b", ["L0000002"]),
        ("L0000001", ["L0000001"]),
        ("t/b*", ["L0000005"]),
        ("1", ["L0000003"]),
    ],
)
def test_init_goes_by_the_same_rule(word: str, ids: list[str], api: str, tmp_path: Path) -> None:
    file = tmp_path / "new.yaml"
    done = cli("init", word, "--yes", "--output", file, BASETEN_WATCHDOG_BASETEN__BASE_URL=api)
    assert done.exit_code == 0, done.stderr
    assert [each["id"] for each in yaml.safe_load(file.read_text())["models"]] == ids


def checked(config: Path, *words: str, **env: str) -> list[str]:
    options = [option for word in words for option in ("--model", word)]
    done = cli("check", *options, "--json", "--config", config, **env)
    assert done.exit_code == 0, done.stderr
    return [row["model_id"] for row in json.loads(done.stdout)["targets"]]


def test_check_takes_patterns(api: str, tmp_path: Path) -> None:
    nothing = config_file(tmp_path, api, [])
    assert checked(nothing, "b*") == ["L0000004", "L0000005"]
    assert checked(nothing, "t/b*", "plain") == ["L0000001", "L0000005"]
    assert checked(nothing, "a/b", "b2", "b*") == ["L0000005", "L0000002", "L0000004"]


def test_a_pattern_of_check_selects_among_what_is_watched(api: str, tmp_path: Path) -> None:
    models = [{"id": "L0000004", "name": "b-one"}, {"id": "L0000001", "name": "other"}]
    config = config_file(tmp_path, api, [], models=models)
    before = sum(each["operation"] == "list_models" for each in requests(api))
    assert checked(config, "b*") == ["L0000004"]
    assert sum(each["operation"] == "list_models" for each in requests(api)) == before
    assert checked(config, "u/*") == ["L0000004"]
    found = config_file(tmp_path, api, [], models=models, discovery={"include": ["t/b*"]})
    assert checked(found, "b*") == ["L0000004", "L0000005"]


@pytest.mark.parametrize("word", ["c*", "t9/*"])
def test_a_pattern_that_selects_nothing_is_one_line(word: str, api: str, tmp_path: Path) -> None:
    refused = cli("check", "--model", word, "--config", config_file(tmp_path, api, []))
    assert refused.exit_code == 2
    says = f"error: no model matches '{word}': `models` lists those that the key sees\n"
    assert refused.stderr == says


def test_a_pattern_cannot_be_compared_while_the_api_is_away(tmp_path: Path) -> None:
    config = config_file(tmp_path, f"http://127.0.0.1:{free_port()}", [])
    refused = cli("check", "--model", "b*", "--config", config)
    assert refused.exit_code == 3
    assert refused.stderr.startswith("error: the models cannot be listed: ")


def test_run_takes_no_pattern(api: str, tmp_path: Path) -> None:
    refused = cli("run", "--model", "b*", "--config", config_file(tmp_path, api, []))
    assert refused.exit_code == 2
    assert refused.stderr == "error: there is no model 'b*': this takes one model, and no pattern\n"
