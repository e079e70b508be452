"""The command line without a daemon: its exit status, its one line, and the ledger it leaves.

The commands run in this process; the API that they ask is a real emulator's.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.processes import (
    cli,
    config_file,
    emulator,
    free_port,
    posts,
)

LOOKED_AT = ("ACTIVE", "SCALED_TO_ZERO", "BUILDING", "BUILD_FAILED", "UNHEALTHY")
FAILS: list[Any] = [["BUILD_FAILED"], [{"BUILDING": "1h"}, "ACTIVE"]]
MODELS: list[dict[str, Any]] = [
    *({"id": status, "name": status.lower(), "deploys": [[status]]} for status in LOOKED_AT),
    {
        "id": "f1xed123",
        "name": "fixed",
        "deploys": [["BUILD_FAILED"], [{"BUILDING": "1s"}, "ACTIVE"]],
    },
    {
        "id": "refus3sx",
        "name": "refuses",
        "deploys": [["DEPLOY_FAILED"]],
        "refuses": "the archive has expired",
    },
    {"id": "first123", "name": "first", "deploys": FAILS},
    {"id": "second12", "name": "second", "deploys": FAILS},
]


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with emulator(tmp_path_factory.mktemp("api"), MODELS) as url:
        yield url


def sent(api: str, *model_ids: str) -> int:
    return sum(post["model_id"] in model_ids for post in posts(api))


def config_of(folder: Path, api: str, *names: str, **sections: Any) -> Path:
    models = [{"id": m["id"], "name": m["name"]} for m in MODELS if m["name"] in names]
    return config_file(folder, api, [], models=models, **sections)


@pytest.mark.parametrize(
    ("status", "code"),
    [
        pytest.param("SCALED_TO_ZERO", 0, id="healthy"),
        pytest.param("BUILDING", 0, id="on-its-way"),
        pytest.param("BUILD_FAILED", 1, id="failing"),
        pytest.param("UNHEALTHY", 1, id="not-well-and-not-retryable"),
    ],
)
def test_check_tells_by_its_exit_status(status: str, code: int, api: str, tmp_path: Path) -> None:
    checked = cli("check", "--json", "--config", config_file(tmp_path, api, ["ACTIVE", status]))
    assert checked.exit_code == code, checked.stderr
    rows = json.loads(checked.stdout)["targets"]
    assert [row["status"] for row in rows] == ["ACTIVE", status]
    assert not (tmp_path / "ledger.db").exists()


def test_check_says_when_the_api_cannot_be_asked(tmp_path: Path) -> None:
    config = config_file(tmp_path, f"http://127.0.0.1:{free_port()}", ["abc123"])
    checked = cli("check", "--config", config)
    assert checked.exit_code == 3
    assert "no connection" in checked.stdout


@pytest.mark.parametrize(
    ("arguments", "env", "says"),
    [
        pytest.param("check", {}, "no models to check", id="nothing-to-check"),
        pytest.param("run --model m", {"BASETEN_API_KEY": ""}, "no API key", id="no-key"),
        pytest.param("run --model ../x", {}, "'../x' is no id", id="bad-id"),
        pytest.param("run --config nowhere.yaml", {}, "nowhere.yaml", id="no-file"),
        pytest.param("status", {}, "there is no ledger", id="no-ledger"),
        pytest.param(
            "run --model m", {"SSL_CERT_FILE": "/nowhere.pem"}, "SSL_CERT", id="bad-authority"
        ),
        pytest.param(
            "run",
            {
                "BASETEN_WATCHDOG_MODELS": '[{"id": "m"}]',
                "BASETEN_WATCHDOG_STORE__URL": "sqlite:////proc/nowhere/x.db",
            },
            "/proc/nowhere/x.db cannot be used",
            id="no-place-for-a-ledger",
        ),
        pytest.param(
            "run",
            {
                "BASETEN_WATCHDOG_MODELS": '[{"id": "m"}]',
                "BASETEN_WATCHDOG_SERVER__HOST": "192.0.2.1",
            },
            "cannot listen on 192.0.2.1",
            id="no-such-address",
        ),
    ],
)
def test_a_users_mistake_is_one_line_and_exit_status_2(
    arguments: str, env: dict[str, str], says: str, tmp_path: Path
) -> None:
    done = cli(*arguments.split(), XDG_STATE_HOME=str(tmp_path), **env)
    assert done.exit_code == 2
    assert says in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ("pause first", "say how long: --for 2h"),
        ("pause --for 2h", "name a MODEL, or give --state or --all"),
        ("pause first --all --for 2h", "give either MODEL or --all"),
        ("pause first --for soon", "--for: "),
        ("pause first --for 0s", "--for: must be more than 0s and at most 30d"),
        ("pause first --for 31d", "--for: must be more than 0s and at most 30d"),
        ("pause frst --for 2h", "ledger: did you mean first or first123?"),
        ("resume first", "first123: not paused"),
        ("pause --state broken --all --for 2h", "give either --state or --all"),
        ("resume", "name a MODEL, or give --state or --all"),
        ("resume first --state paused --all", "give either MODEL or --all"),
        ("reset", "name a MODEL, or give --state"),
        ("retry", "name a MODEL, or give --state"),
        ("retry frst", "in the configuration or the ledger: did you mean first or first123?"),
        ("history f*", "this takes one model, and no pattern"),
        ("replay t1/*", "this takes one model, and no pattern"),
        ("reset nobody --yes", "there is no model 'nobody'"),
        ("reset first --yes", "the ledger does not know first123 yet"),
        ("reset first", "give --yes"),
        ("retry nobody", "there is no model 'nobody'"),
        ("retry first --force", "give --yes"),
    ],
)
def test_each_wrong_use_is_one_line(arguments: str, says: str, tmp_path: Path) -> None:
    config = config_of(tmp_path, "http://127.0.0.1:9", "first")
    assert cli("pause", "--all", "--for", "1h", "--create", "--config", config).exit_code == 0
    wrong = cli(*arguments.split(), "--config", config)
    assert wrong.exit_code == 2
    assert says in wrong.stderr
    assert len(wrong.stderr.splitlines()) == 1


def test_an_operator_may_say_who_orders_it(tmp_path: Path) -> None:
    config = config_of(tmp_path, "http://127.0.0.1:9", "first")
    every = ("--all", "--config", config)
    assert cli("pause", *every, "--for", "1h", "--create", "--by", " ann\x1b ").exit_code == 0
    assert "ann\\x1b" in cli("status", "--config", config).stdout
    assert cli("resume", *every).exit_code == 0
    shown = json.loads(cli("history", "--json", "--config", config).stdout)
    assert "@" in {each["action"]: each["who"] for each in shown["actions"]}["resume"]


def test_version_and_help() -> None:
    assert cli("--version").stdout.startswith("baseten-watchdog ")
    shown = cli("--help").stdout
    for name in ("run", "check", "status", "history", "health", "emulator", "demo", "config"):
        assert name in shown


@pytest.mark.parametrize(
    "command",
    [
        "pause --all --for 1h",
        "pause nobody --for 1h",
        "resume --all",
        "reset first --yes",
        "reset first",
        "reset nobody",
        "reset --state broken",
        "retry first",
        "retry nobody",
        "status",
    ],
)
def test_a_command_makes_no_ledger_that_no_daemon_uses(
    command: str, api: str, tmp_path: Path
) -> None:
    config = config_of(tmp_path, api, "first", store={"url": "sqlite:///state/ledger.db"})
    sent_before = sent(api, "first123")
    done = cli(*command.split(), "--config", config)
    assert done.exit_code == 2
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert f"there is no ledger at {tmp_path}/state/ledger.db: " in line
    assert "--config" in line
    assert ("--create" in line) is (command != "status")
    assert not (tmp_path / "state").exists()
    assert sent(api, "first123") == sent_before


def test_a_manual_retry_that_is_waited_for(api: str, tmp_path: Path) -> None:
    names = ("fixed", "refuses", "active")
    config = config_of(tmp_path, api, *names, policy={"first_delay": "1h"})
    early = cli("retry", "fixed", "--create", "--config", config)
    assert early.exit_code == 1
    assert "not retried: first_delay, in " in early.stderr
    assert "--force ignores the model's own limits" in early.stderr
    forced = ("--force", "--yes", "--config", config)
    done = cli("retry", "fixed", "--wait", *forced)
    assert done.exit_code == 0, done.stderr
    assert done.stdout == "f1xed123: accepted\nf1xed123: recovered\n"
    refused = cli("retry", "refuses", *forced)
    assert refused.exit_code == 1
    assert refused.stdout == "refus3sx: refused: the archive has expired\n"
    well = cli("retry", "active", *forced, "--note", "to be sure")
    assert well.exit_code == 1
    assert well.stderr == "ACTIVE: not retried: healthy\n"
    told = json.loads(cli("history", "--json", "--config", config).stdout)["actions"]
    assert [(each["model_id"], each["result"], each["note"]) for each in told] == [
        ("ACTIVE", "not sent", "not retried: healthy; to be sure"),
        ("refus3sx", "refused", ""),
        ("f1xed123", "recovered", ""),
        ("f1xed123", "not sent", "not retried: first_delay"),
    ]
    assert sent(api, "f1xed123", "refus3sx", "ACTIVE") == 2


def test_no_command_exceeds_the_fleets_limits(api: str, tmp_path: Path) -> None:
    config = config_of(tmp_path, api, "first", "second", fleet={"max_in_flight": 1})
    done = cli("retry", "first", "--create", "--config", config)
    assert done.exit_code == 0, done.stderr
    over = cli("retry", "second", "--force", "--yes", "--config", config)
    assert over.exit_code == 1
    assert "fleet_in_flight" in over.stderr
    assert "--force" not in over.stderr
    assert sent(api, "first123", "second12") == 1


@pytest.mark.parametrize("command", ["history", "status", "config show"])
@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_every_text_is_printed_whatever_the_terminals_encoding(
    command: str, encoding: str, tmp_path: Path
) -> None:
    """Names and notes hold any text, and a path any bytes: what the encoding lacks is escaped."""
    named = tmp_path / "config-日本-\udcff.yaml"
    config = config_file(tmp_path, "http://127.0.0.1:1", ["abc123"])
    shutil.move(config, named)
    every = ("--all", "--create", "--for", "1h")
    assert cli("pause", *every, "--note", "日本", "-c", named).exit_code == 0
    ran = subprocess.run(
        [sys.executable, "-m", "watchdog", *command.split(), "-c", named],
        env=os.environ | {"PYTHONIOENCODING": encoding},
        capture_output=True,
        check=False,
    )
    assert (ran.returncode, ran.stderr) == (0, b"")
    assert any(text in ran.stdout for text in ("日本".encode(), rb"\u65e5\u672c"))


@pytest.mark.parametrize("command", ["doctor", "simulate --worlds 20 --models 5 --days 1"])
def test_signs_that_the_encoding_lacks_are_drawn_otherwise(
    command: str, api: str, tmp_path: Path
) -> None:
    config = config_of(tmp_path, api, "first")
    ran = subprocess.run(
        [sys.executable, "-m", "watchdog", *command.split(), "--config", config],
        env=os.environ | {"PYTHONIOENCODING": "ascii", "BASETEN_API_KEY": "some-key"},
        capture_output=True,
        check=False,
        text=True,
    )
    assert ran.stderr == ""
    assert "\\" not in ran.stdout
    assert ("+ " if command == "doctor" else "+-") in ran.stdout


@pytest.mark.parametrize(
    ("command", "sections"),
    [
        pytest.param("check", {}, id="check"),
        pytest.param("check", {"discovery": {"include": ["*"]}}, id="check-what-is-discovered"),
        pytest.param("models", {"discovery": {"include": ["*"]}}, id="models"),
        pytest.param("retry first --create", {}, id="retry"),
    ],
)
def test_a_refused_key_is_one_line_and_exit_status_2(
    command: str, sections: dict[str, Any], api: str, tmp_path: Path
) -> None:
    config = config_of(tmp_path, api, "first", **sections)
    done = cli(*command.split(), "--config", config, BASETEN_API_KEY="another-key")
    assert done.exit_code == 2, done.stderr
    assert done.stderr.startswith("error: the API refuses the key: ")
    assert len(done.stderr.splitlines()) == 1
    assert done.stdout == ""


BROKEN_FILES: dict[str, dict[str, Any]] = {
    "unknown setting": {"watchh": {}},
    "unknown value": {"mode": "off"},
    "a rule": {"policy": {"backoff": "2h", "backoff_max": "1h"}},
    "a model": {"models": [{"id": "first123", "nam": "first"}]},
    "a model's id": {"models": [{"id": "../x"}, {"id": "first123", "name": "first"}]},
    "the shape of a section": {"fleet": 3},
    "an old span": {"store": {"retention": "1s"}},
}


@pytest.mark.parametrize("wrong", BROKEN_FILES.values(), ids=list(BROKEN_FILES))
def test_the_brake_works_with_a_file_that_has_errors(wrong: dict[str, Any], tmp_path: Path) -> None:
    """The daemon goes on with the configuration that it read before."""
    config = config_of(tmp_path, "http://127.0.0.1:9", "first")
    assert cli("pause", "first", "--for", "1h", "--create", "-c", config).exit_code == 0
    good = config.read_text()
    settings = json.loads(good)
    store = settings["store"] | wrong.get("store", {})
    config.write_text(json.dumps(settings | wrong | {"store": store}))
    for arguments in ("pause --all --for 1h", "resume --all", "resume first123"):
        done = cli(*arguments.split(), "--config", config)
        assert done.exit_code == 0, done.stderr
        assert {line.partition(": ")[0] for line in done.stderr.splitlines()} == {"warning"}
        assert f"in spite of this, with the ledger at sqlite:///{tmp_path}/ledger.db" in done.stderr
    for arguments in ("reset first --yes", "retry first", "status"):
        assert cli(*arguments.split(), "--config", config).exit_code == 2
    config.write_text(good)
    assert "paused" not in cli("status", "--config", config).stdout


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(None, id="gone"),
        pytest.param("store: [", id="not YAML"),
        pytest.param("store: {url: 'mysql://x'}", id="no ledger of ours"),
        pytest.param("stor: {url: 'sqlite:///ledger.db'}", id="a mistyped section"),
        pytest.param("store: {url: }\nstor: {}", id="an empty address and a mistyped section"),
        pytest.param("store: {urll: 'sqlite:///ledger.db'}", id="a mistyped setting"),
        pytest.param(
            "store: {url: 'sqlite:///ledger.db'}\nbaseten: {base_url: x}", id="no address"
        ),
    ],
)
def test_where_the_file_does_not_say_which_ledger_the_brake_says_how_to_go_on(
    content: str | None, tmp_path: Path
) -> None:
    config = config_of(tmp_path, "http://127.0.0.1:9", "first")
    assert cli("pause", "--all", "--for", "1h", "--create", "-c", config).exit_code == 0
    config.unlink()
    if content is not None:
        config.write_text(content)
    done = cli("resume", "--all", "-c", config, XDG_STATE_HOME=str(tmp_path))
    assert done.exit_code == 2
    said = done.stderr.splitlines()
    assert said[0].startswith(f"error: {config}")
    assert "give --config /dev/null" in said[-1]
    by_variables = {
        "BASETEN_WATCHDOG_STORE__URL": f"sqlite:///{tmp_path}/ledger.db",
        "BASETEN_WATCHDOG_BASETEN__BASE_URL": "http://127.0.0.1:9",
    }
    done = cli("resume", "--all", "--config", "/dev/null", **by_variables)
    assert (done.exit_code, done.stdout) == (0, "resumed all models\n"), done.stderr


@pytest.mark.parametrize(
    ("env", "status", "says"),
    [
        pytest.param({}, 0, "", id="answered"),
        pytest.param(
            {"BASETEN_API_KEY": "another-key"}, 2, "error: the API refuses the key: ", id="refused"
        ),
        pytest.param({"BASETEN_API_KEY": ""}, 2, "error: no API key: ", id="no key"),
        pytest.param(
            {"BASETEN_WATCHDOG_BASETEN__BASE_URL": "http://127.0.0.1:9"},
            3,
            "error: the models cannot be listed, so teams are not known: no connection",
            id="away",
        ),
    ],
)
def test_models_shows_what_is_configured_and_fails_where_the_api_gives_no_list(
    env: dict[str, str], status: int, says: str, api: str, tmp_path: Path
) -> None:
    config = config_of(tmp_path, api, "first")
    for arguments in (("models",), ("models", "--json")):
        done = cli(*arguments, "--config", config, **env)
        assert done.exit_code == status, done.stderr
        assert done.stderr.startswith(says)
        assert len(done.stderr.splitlines()) == (1 if says else 0)
        assert "first123" in done.stdout
