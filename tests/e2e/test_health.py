"""`health` finds the daemon, at whichever address it listens."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.fakes.processes import (
    Process,
    cli,
    command,
    config_file,
    daemon,
    environment,
    free_port,
    run,
    running,
)


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", "::", "localhost"])
def test_health_without_the_daemons_configuration_asks_where_the_daemon_says(
    host: str, tmp_path: Path
) -> None:
    state, port = str(tmp_path / "state"), free_port()
    server = {"host": host, "port": port}
    config = config_file(tmp_path, f"http://127.0.0.1:{free_port()}", ["abc123"], server=server)
    with running(daemon(config, XDG_STATE_HOME=state)) as process:
        process.event("started")
        assert cli("health", XDG_STATE_HOME=state).exit_code == 0
        assert cli("health", "--config", config).exit_code == 0
        elsewhere = cli(
            "health", XDG_STATE_HOME=state, BASETEN_WATCHDOG_SERVER__PORT=str(free_port())
        )
        assert elsewhere.exit_code == 1
        process.stop()
    assert cli("health", XDG_STATE_HOME=state).exit_code == 1
    assert list((tmp_path / "state").rglob("address")) == []


def test_a_container_asks_without_reading_the_configuration(tmp_path: Path) -> None:
    """It asks every half minute: the libraries of the other commands would cost ten times as much
    as the question."""
    config = config_file(
        tmp_path, f"http://127.0.0.1:{free_port()}", ["abc123"], server={"port": free_port()}
    )
    env = environment(XDG_STATE_HOME=str(tmp_path / "state"), BASETEN_WATCHDOG_CONFIG=str(config))
    with running(Process(command("run"), env)) as process:
        process.until("started")
        asked = subprocess.run(
            [sys.executable, "-X", "importtime", "-m", "watchdog", "health"],
            env=env,
            capture_output=True,
            text=True,
            check=False,
        )
        assert (asked.returncode, asked.stdout) == (0, "ok\n")
        imported = {line.rpartition("|")[2].strip() for line in asked.stderr.splitlines()}
        assert "watchdog.app.health" in imported
        assert not imported & {"pydantic", "typer", "rich", "sqlalchemy", "yaml", "httpx", "ssl"}
        process.stop()


def test_a_daemon_of_another_configuration_is_not_asked(tmp_path: Path) -> None:
    state, address = str(tmp_path / "state"), f"http://127.0.0.1:{free_port()}"
    (tmp_path / "other").mkdir()
    config = config_file(tmp_path, address, ["abc123"], server={"port": free_port()})
    other = config_file(tmp_path / "other", address, ["abc123"], server={"port": free_port()})
    with running(daemon(config, XDG_STATE_HOME=state)) as process:
        process.event("started")
        assert (
            run("health", XDG_STATE_HOME=state, BASETEN_WATCHDOG_CONFIG=str(config)).returncode == 0
        )
        missed = run("health", XDG_STATE_HOME=state, BASETEN_WATCHDOG_CONFIG=str(other))
        assert (missed.returncode, len(missed.stderr.splitlines())) == (1, 1)
        process.stop()


def test_a_daemon_runs_though_its_address_cannot_be_noted(tmp_path: Path) -> None:
    state, port = tmp_path / "state", free_port()
    state.write_text("no folder")
    config = config_file(
        tmp_path, f"http://127.0.0.1:{free_port()}", ["abc123"], server={"port": port}
    )
    with running(daemon(config, XDG_STATE_HOME=str(state))) as process:
        process.event("started")
        assert cli("health", "--config", config, XDG_STATE_HOME=str(state)).exit_code == 0
        process.stop()
