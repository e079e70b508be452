"""Policies for groups of models, as a user of the commands meets them."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.processes import cli, emulator, free_port
from watchdog.files.places import CONFIG_NAME

MODELS = [
    {"id": "aaaa1111", "name": "llama", "team": "chat", "deploys": [["BUILD_FAILED"]]},
    {"id": "bbbb1111", "name": "sdxl", "team": "images", "deploys": [["BUILD_FAILED"]]},
]


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with emulator(tmp_path_factory.mktemp("api"), MODELS) as url:
        yield url


@pytest.fixture(autouse=True)
def _user(api: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BASETEN_WATCHDOG_BASETEN__BASE_URL", api)
    monkeypatch.setenv("BASETEN_WATCHDOG_STORE__URL", f"sqlite:///{tmp_path}/ledger.db")


def with_rule(rest: str) -> None:
    """A rule for the team `images`, whose failures may be retried at once and once."""
    policy = "{standing: retry, first_delay: 0s, max_attempts: 1}"
    Path(CONFIG_NAME).write_text(f"rules: [{{match: [images/*], policy: {policy}}}]\n{rest}\n")


def test_models_says_which_rule_applies() -> None:
    with_rule("models: [{id: aaaa1111, name: llama}, {id: bbbb1111, name: sdxl, team: images}]")
    listed = cli("models", "--json")
    rows = json.loads(listed.stdout)["models"]
    assert [(row["model_name"], row["team"], row["rule"], row["rule_pattern"]) for row in rows] == [
        ("llama", "chat", None, None),
        ("sdxl", "images", 0, "images/*"),
    ]
    assert listed.stderr == ""
    assert "rules[0] (images/*)" in cli("models").stdout


def test_models_shows_the_names_and_teams_that_the_file_does_not_give() -> None:
    with_rule("models: [{id: aaaa1111}, {id: bbbb1111, name: my-own}]")
    rows = json.loads(cli("models", "--json").stdout)["models"]
    shown = [(row["model_name"], row["team"], row["rule"]) for row in rows]
    assert shown == [("llama", "chat", None), ("my-own", "images", None)]


def test_models_says_where_the_file_leaves_out_what_a_rule_needs() -> None:
    with_rule("models: [{id: aaaa1111}, {id: bbbb1111}]")
    assert cli("models").stderr == (
        "warning: rules[0]: does not apply to bbbb1111 (images/sdxl), since `models` does not give "
        "the name or team that it matches\n"
    )


def test_models_that_the_file_names_are_listed_also_when_the_api_does_not_answer() -> None:
    with_rule("models: [{id: bbbb1111, team: images}]")
    url = f"http://127.0.0.1:{free_port()}"
    listed = cli("models", BASETEN_WATCHDOG_BASETEN__BASE_URL=url)
    assert listed.exit_code == 3
    assert "rules[0] (images/*)" in listed.stdout
    assert listed.stderr.startswith("error: the models cannot be listed, so teams are not known")


def test_retry_gives_a_discovered_model_the_policy_of_its_rule() -> None:
    with_rule('discovery: {include: ["*"]}')
    assert cli("check", "--retry", BASETEN_WATCHDOG_MODE="observe").exit_code == 1
    # Another one is left alone, since it failed before anybody watched it.
    refused = cli("retry", "aaaa1111")
    assert (refused.exit_code, "standing_failure" in refused.stderr) == (1, True)
    assert cli("retry", "bbbb1111").stdout == "bbbb1111: accepted\n"
