"""How the daemon starts, and how it treats the processes before it and beside it."""

import signal
import sqlite3
from contextlib import closing
from pathlib import Path

from tests.fakes.processes import (
    Process,
    cli,
    command,
    config_file,
    daemon,
    emulator,
    environment,
    free_port,
    get,
    posts,
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
