"""The first commands of somebody who has a key and no configuration."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.fakes.processes import cli, emulator, free_port
from watchdog.files.places import CONFIG_NAME

MODELS = [
    {"id": "aaaa1111", "name": "llama", "team": "chat", "deploys": [["BUILD_FAILED"]]},
    {"id": "bbbb1111", "name": "sdxl", "team": "images", "deploys": [["ACTIVE"]]},
    {"id": "cccc1111", "name": "whisper", "team": "chat", "deploys": [["ACTIVE"]]},
]


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with emulator(tmp_path_factory.mktemp("api"), MODELS) as url:
        yield url


@pytest.fixture(autouse=True)
def _beginner(api: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In an empty folder, with nothing but a key and the emulator's address."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BASETEN_WATCHDOG_BASETEN__BASE_URL", api)


def watched(file: Path) -> list[tuple[str, str]]:
    return [(each["id"], each["name"]) for each in yaml.safe_load(file.read_text())["models"]]


def test_models_lists_the_workspace_where_nothing_is_configured() -> None:
    listed = cli("models", "--json")
    assert listed.exit_code == 0
    assert json.loads(listed.stdout)["models"][0] == {
        "model_id": "aaaa1111",
        "model_name": "llama",
        "team": "chat",
        "development": True,
        "status": "BUILD_FAILED",
    }
    assert "init" in cli("models").stdout


@pytest.mark.parametrize(
    ("arguments", "ids"),
    [
        (("--all",), ["aaaa1111", "cccc1111", "bbbb1111"]),
        (("--all", "--yes"), ["aaaa1111", "cccc1111", "bbbb1111"]),
        (("1",), ["aaaa1111"]),
        (("sdxl",), ["bbbb1111"]),
        (("cccc1111", "sdxl"), ["cccc1111", "bbbb1111"]),
        (("chat/*",), ["aaaa1111", "cccc1111"]),
        (("*a*", "sd*"), ["aaaa1111", "bbbb1111"]),
    ],
)
def test_init_writes_what_was_chosen(arguments: tuple[str, ...], ids: list[str]) -> None:
    written = cli("init", *arguments)
    assert written.exit_code == 0, written.stderr
    assert [model_id for model_id, _ in watched(Path(CONFIG_NAME))] == ids
    # The file is found by every command that follows, and is valid.
    assert cli("config", "check").stdout == f"{CONFIG_NAME}: ok\n"
    shown = json.loads(cli("models", "--json").stdout)["models"]
    assert [row["model_id"] for row in shown if row["watched"]] == ids


def test_init_asks_a_person_who_named_nothing() -> None:
    from typer.testing import CliRunner

    from tests.fakes.processes import KEY
    from watchdog.cli.program import app

    runner = CliRunner(env={"BASETEN_API_KEY": KEY})
    written = runner.invoke(app, ["init"], input="1, sdxl\ny\n", catch_exceptions=False)
    assert written.exit_code == 0
    assert watched(Path(CONFIG_NAME)) == [("aaaa1111", "llama"), ("bbbb1111", "sdxl")]
    refused = runner.invoke(app, ["init", "-o", "b.yaml"], input="all\nn\n", catch_exceptions=False)
    assert refused.exit_code == 1
    assert not Path("b.yaml").exists()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--yes",), "--yes needs to know what to watch"),
        (("lama",), "'lama' is no number, id, name or pattern of a model in the list"),
        (("chat*",), "'chat*' is no number, id, name or pattern of a model in the list"),
        (("4",), "'4' is no number, id, name or pattern of a model in the list"),
        (("--all", "-o", "no/such/folder.yaml"), "no/such/folder.yaml: cannot be written"),
    ],
)
def test_init_refuses_in_one_line(arguments: tuple[str, ...], says: str) -> None:
    refused = cli("init", *arguments)
    assert refused.exit_code == 2
    assert says in refused.stderr
    assert refused.stderr.count("\n") == 1
    assert not Path(CONFIG_NAME).exists()


def test_init_overwrites_nothing() -> None:
    Path(CONFIG_NAME).write_text("models: []\n")
    refused = cli("init", "--all")
    assert (refused.exit_code, "exists" in refused.stderr) == (2, True)
    assert Path(CONFIG_NAME).read_text() == "models: []\n"


@pytest.mark.parametrize("command", [("models",), ("init", "--all"), ("check", "-m", "aaaa1111")])
def test_a_refused_key_is_one_line(command: tuple[str, ...]) -> None:
    refused = cli(*command, BASETEN_API_KEY="wrong")
    assert refused.exit_code == 2
    assert refused.stderr.startswith("error: the API refuses the key: HTTP 403")
    assert refused.stderr.count("\n") == 1
    assert refused.stdout == ""


@pytest.mark.parametrize("named", ["sdxl", "bbbb1111"])
def test_check_takes_names_without_a_configuration(named: str) -> None:
    told = cli("check", "--model", named, "--json")
    assert told.exit_code == 0, told.stderr
    assert [row["model_id"] for row in json.loads(told.stdout)["targets"]] == ["bbbb1111"]


def test_check_takes_configured_names_without_a_question_to_the_api() -> None:
    Path(CONFIG_NAME).write_text("models: [{id: bbbb1111, name: my-own}, {id: aaaa1111}]\n")
    told = cli("check", "--model", "my-own", "--json")
    assert told.exit_code == 0, told.stderr
    assert [row["model_name"] for row in json.loads(told.stdout)["targets"]] == ["my-own"]


@pytest.mark.parametrize(
    ("named", "says"),
    [
        ("lama", "there is no model 'lama': did you mean llama?"),
        ("zzzzzzzz", "there is no model 'zzzzzzzz': `models` lists those that the key sees"),
    ],
)
def test_check_of_a_model_that_is_not_there_is_one_line(named: str, says: str) -> None:
    refused = cli("check", "--model", named)
    assert (refused.exit_code, refused.stderr, refused.stdout) == (2, f"error: {says}\n", "")


@pytest.mark.parametrize(
    ("word", "says"),
    [
        ("lama", "did you mean llama?"),
        ("bbbb1112", "did you mean bbbb1111?"),
    ],
)
def test_init_says_what_a_mistyped_word_may_mean(word: str, says: str) -> None:
    refused = cli("init", word)
    assert refused.exit_code == 2
    assert refused.stderr.endswith(f"model in the list: {says}\n")


def test_an_api_that_does_not_answer_is_one_line() -> None:
    url = f"http://127.0.0.1:{free_port()}"
    failed = cli("models", BASETEN_WATCHDOG_BASETEN__BASE_URL=url)
    assert failed.exit_code == 3
    assert failed.stderr.count("\n") == 1


def test_a_configuration_is_found_in_the_working_directory_then_in_the_users(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    users = tmp_path / "users" / "baseten-watchdog"
    users.mkdir(parents=True)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(users.parent))
    missing = cli("config", "check")
    assert (missing.exit_code, missing.stderr.count("\n")) == (2, 1)
    (users / CONFIG_NAME).write_text("models: [{id: users111}]\n")
    assert cli("config", "check").stdout == f"{users / CONFIG_NAME}: ok\n"
    Path(CONFIG_NAME).write_text("models: [{id: here1111}]\n")
    assert cli("config", "check").stdout == f"{CONFIG_NAME}: ok\n"
    named = tmp_path / "named.yaml"
    named.write_text("models: [{id: named111}]\n")
    assert cli("config", "check", BASETEN_WATCHDOG_CONFIG=str(named)).stdout == f"{named}: ok\n"


def test_a_user_without_a_home_directory_needs_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CONFIG_HOME")
    monkeypatch.delenv("HOME", raising=False)

    def no_such_user(_: int) -> None:
        raise KeyError("getpwuid(): uid not found: 65532")

    monkeypatch.setattr("pwd.getpwuid", no_such_user)
    missing = cli("config", "check")
    assert (missing.exit_code, missing.stderr.count("\n")) == (2, 1)
    Path(CONFIG_NAME).write_text("models: [{id: here1111}]\n")
    assert cli("config", "check").stdout == f"{CONFIG_NAME}: ok\n"
