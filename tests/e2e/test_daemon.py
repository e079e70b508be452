"""How the daemon starts, and how it treats the processes before it and beside it."""

import json
import signal
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.fakes.processes import (
    Process,
    cli,
    command,
    config_file,
    daemon,
    emulator,
    environment,
    eventually,
    free_port,
    get,
    posts,
    run,
    running,
    until_looked,
)

REFUSES = {"id": "refus3sx", "name": "refuses", "deploys": [["DEPLOY_FAILED"]], "refuses": "no"}


def test_a_dry_run_needs_no_file_and_sends_nothing(tmp_path: Path) -> None:
    with emulator(tmp_path, [REFUSES]) as api:
        env = environment(
            BASETEN_WATCHDOG_BASETEN__BASE_URL=api,
            BASETEN_WATCHDOG_SERVER__PORT="0",
            BASETEN_WATCHDOG_POLICY__FIRST_DELAY="0s",
            BASETEN_WATCHDOG_WATCH__RECOVERY_INTERVAL="1s",
            XDG_STATE_HOME=str(tmp_path / "state"),
        )
        with running(Process(command("run", "--dry-run", "--model", "refus3sx"), env)) as process:
            assert process.event("ledger_created")
            started = process.event("started")
            assert (started["mode"], started["targets"]) == ("observe", 1)
            process.event("retry_dry_run")
            until_looked(api, "refus3sx")
            process.signal(signal.SIGINT)
            assert process.wait() == 0
        assert posts(api) == []
    assert (tmp_path / "state/baseten-watchdog/ledger.db").exists()


@pytest.mark.parametrize("word", ["refuses", "refus3sx"])
def test_a_model_is_named_by_its_id_or_name(tmp_path: Path, word: str) -> None:
    with emulator(tmp_path, [REFUSES]) as api:
        config = config_file(tmp_path, api, [])
        with running(Process(command("run", "--config", config, "-m", word), environment())) as own:
            until_looked(api, "refus3sx", 1)
            own.stop()


def test_a_model_that_is_not_there_does_not_keep_the_daemon_from_watching_the_others(
    tmp_path: Path,
) -> None:
    with emulator(tmp_path, [REFUSES]) as api:
        config = config_file(tmp_path, api, [])
        arguments = command("run", "--config", config, "-m", "refuse", "-m", "refuses")
        with running(Process(arguments, environment())) as process:
            doubt = "--model: there is no model 'refuse': did you mean refuses or refus3sx?"
            assert process.event("config_warning")["warning"] == doubt
            assert process.event("started")["targets"] == 2
            until_looked(api, "refus3sx", 1)
            process.stop()


def test_a_model_is_watched_by_its_id_while_the_api_is_away(tmp_path: Path) -> None:
    config = config_file(tmp_path, "http://127.0.0.1:1", [])
    arguments = command("run", "--config", config, "--model", "refus3sx")
    with running(Process(arguments, environment())) as process:
        doubt = process.event("config_warning")["warning"]
        assert doubt.startswith("--model: names cannot be looked up, ids are expected: ")
        assert process.event("started")["targets"] == 1
        process.stop()


def test_a_configured_name_is_known_while_the_api_is_away(tmp_path: Path) -> None:
    config = config_file(
        tmp_path, "http://127.0.0.1:1", [], models=[{"id": "refus3sx", "name": "refuses"}]
    )
    words = ["-m", "refuses", "-m", "other4ab"]
    with running(Process(command("run", "--config", config, *words), environment())) as process:
        page = process.event("started")["page"]

        def both_are_watched() -> bool:
            watched = json.loads(get(f"{page}api/v1/targets")[1])["targets"]
            return {each["model_id"] for each in watched} == {"other4ab", "refus3sx"}

        eventually(both_are_watched)
        process.stop()


def test_a_name_that_cannot_be_looked_up_is_refused(tmp_path: Path) -> None:
    config = config_file(tmp_path, "http://127.0.0.1:1", [])
    refused = cli("run", "--config", config, "--model", "my model")
    assert refused.exit_code == 2
    assert refused.stderr.startswith(
        "error: --model: 'my model' is no id, and names cannot be looked up: "
    )


def test_the_page_is_shown_while_something_else_holds_the_ledger(tmp_path: Path) -> None:
    port = free_port()
    with emulator(tmp_path, [REFUSES]) as api:
        config = config_file(tmp_path, api, ["refus3sx"], server={"port": port})
        with running(daemon(config)) as process:
            process.event("gave_up")
            other = sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)
            with closing(other):
                other.execute("BEGIN IMMEDIATE")
                process.event("ledger_unavailable")
                for path in ("/", "/targets/refus3sx"):
                    status, page = get(f"http://127.0.0.1:{port}{path}")
                    assert (status, "refus3sx" in page) == (200, True)


def test_limits_hold_for_a_command_beside_a_daemon_and_for_the_next_daemon(tmp_path: Path) -> None:
    with emulator(tmp_path, [REFUSES]) as api:
        config = config_file(tmp_path, api, ["refus3sx"], policy={"backoff": "1ms"})
        first = cli("check", "--retry", "--config", config)
        assert (first.exit_code, len(posts(api))) == (1, 1)
        with running(daemon(config)) as process:
            process.event("gave_up")
            third = cli("check", "--retry", "--config", config)
            assert third.exit_code == 1
            assert "refused_twice" in third.stdout
            process.stop()
        with running(daemon(config)) as process:
            process.event("started")
            until_looked(api, "refus3sx")
            process.stop()
        assert not any("ledger_created" in line for line in process.lines)
        assert len(posts(api)) == 2


def test_a_daemon_does_not_load_what_it_does_not_use(tmp_path: Path) -> None:
    """Each of these takes memory all day and time at each start."""
    with emulator(tmp_path, [REFUSES]) as api:
        webhook = {"name": "ops", "url": "http://127.0.0.1:9/hook"}
        config = config_file(tmp_path, api, ["refus3sx"], notify=[webhook])
        python, *arguments = command("run", "--config", config)
        timed = [python, "-X", "importtime", *arguments]
        with running(Process(timed, environment())) as process:
            process.event("gave_up")
            process.stop()
    imported = {line.rpartition("|")[2].strip() for line in process.lines if "|" in line}
    assert imported >= {"httpx", "sqlalchemy", "structlog", "watchdog.app.daemon"}
    unused = {
        "alembic",
        "apprise",
        "jinja2",
        "psycopg",
        "pygments",
        "rich.console",
        "sqlalchemy.dialects.postgresql",
        "typer",
    }
    assert imported & unused == set()


def test_a_wrong_file_gives_the_same_error_however_it_is_named(tmp_path: Path) -> None:
    """`run` has a short way for the options that a container or a service gives it."""
    file = tmp_path / "wrong.yaml"
    file.write_text("policy: {jitter: 5}\nwatch: {interval: 5}\n")
    ended = [
        run("run", "--config", file),
        run("run", "-c", file),
        run("run", f"--config={file}"),
        run("run", "--dry-run", "--config", file),
        run("run", BASETEN_WATCHDOG_CONFIG=str(file)),
    ]
    (told,) = {(each.returncode, each.stdout, each.stderr) for each in ended}
    assert told[0] == 2
    assert [line.partition(": ")[0] for line in told[2].splitlines()] == ["error", "error"]
