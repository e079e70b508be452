"""The daemon as a user runs it: a real process, a real port, a real ledger."""

import json
import signal
import stat
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.processes import (
    KEY,
    Process,
    command,
    config_file,
    daemon,
    emulator,
    environment,
    free_port,
    get,
    posts,
    run,
    running,
)

RECOVERS: dict[str, Any] = {
    "id": "recov3rs",
    "name": "recovers",
    "deploys": [["BUILD_FAILED"], [{"BUILDING": "1s"}, {"LOADING_MODEL": "1s"}, "ACTIVE"]],
}
REFUSES: dict[str, Any] = {
    "id": "refus3sx",
    "name": "refuses",
    "deploys": [["DEPLOY_FAILED"]],
    "refuses": f"no\n\x1b[31m source for {KEY}",
}
HEALTHY: dict[str, Any] = {"id": "h3althyx", "name": "healthy", "deploys": [["ACTIVE"]]}


def test_it_retries_what_fails_and_says_so_everywhere(tmp_path: Path) -> None:
    port = free_port()
    models = [RECOVERS, REFUSES, HEALTHY]
    with emulator(tmp_path, models) as url:
        config = config_file(
            tmp_path,
            url,
            [],
            models=[{"id": model["id"], "name": model["name"]} for model in models],
            server={"port": port},
        )
        with running(daemon(config)) as process:
            started = process.event("started")
            assert (started["mode"], started["targets"]) == ("retry", 3)
            assert process.event("gave_up")["model_name"] == "refuses"
            assert process.event("recovered")["model_id"] == "recov3rs"

            assert get(f"http://127.0.0.1:{port}/healthz") == (200, "ok\n")
            assert get(f"http://127.0.0.1:{port}/readyz") == (200, "ok\n")
            assert run("health", "--config", config).returncode == 0
            _, metrics = get(f"http://127.0.0.1:{port}/metrics")
            for line in (
                'baseten_watchdog_target_state{model_id="refus3sx",state="exhausted"} 1',
                'baseten_watchdog_deployment_status{model_id="recov3rs",status="ACTIVE"} 1',
                'baseten_watchdog_retry_attempts_total{model_id="refus3sx",outcome="refused"} 2',
                'baseten_watchdog_episodes_total{result="recovered"} 1.0',
                'baseten_watchdog_mode_info{mode="retry"} 1.0',
            ):
                assert line in metrics

            code, page = get(f"http://127.0.0.1:{port}/?q=refuses")
            assert (code, "1 model needs a person" in page) == (200, True)
            assert "The API refused two retries in a row" in page
            _, page_of_one = get(f"http://127.0.0.1:{port}/targets/refus3sx")
            assert "source for ***" in page_of_one

            targets = status_of(config)
            assert targets["refus3sx"]["state"] == "exhausted"
            assert targets["refus3sx"]["decision_reason"] == "refused_twice"
            assert targets["recov3rs"]["attempts_used"] == 1

            second = run("run", "--config", config)
            assert second.returncode == 2
            assert f"pid {process.pid}" in second.stderr
            assert len(second.stderr.splitlines()) == 1

            process.signal(signal.SIGTERM)
            assert process.wait() == 0
        assert run("health", "--config", config).returncode == 1
        history = run("history", "refuses", "--config", config)
        assert history.stdout.count("refused") >= 2
        assert len(posts(url)) == 3
    output = "".join(process.lines) + history.stdout + metrics + second.stderr
    output += page + page_of_one
    assert KEY not in output
    assert "\x1b" not in output
    assert stat.S_IMODE((tmp_path / "ledger.db").stat().st_mode) == 0o600


def status_of(config: Path) -> dict[str, Any]:
    shown = json.loads(run("status", "--json", "--config", config).stdout)
    return {target["model_id"]: target for target in shown["targets"]}


def test_no_file_is_needed(tmp_path: Path) -> None:
    with emulator(tmp_path, [HEALTHY]) as url:
        env = environment(
            BASETEN_WATCHDOG_BASETEN__BASE_URL=url,
            BASETEN_WATCHDOG_SERVER__PORT="0",
            XDG_STATE_HOME=str(tmp_path / "state"),
        )
        with running(Process(command("run", "--model", "h3althyx"), env)) as process:
            assert process.event("ledger_created")
            assert process.event("started")["targets"] == 1
            process.signal(signal.SIGINT)
            assert process.wait() == 0
    assert (tmp_path / "state/baseten-watchdog/ledger.db").exists()


def test_a_dry_run_sends_nothing(tmp_path: Path) -> None:
    with emulator(tmp_path, [RECOVERS]) as url:
        config = config_file(tmp_path, url, ["recov3rs"])
        arguments = command("run", "--dry-run", "--config", config)
        with running(Process(arguments, environment())) as process:
            assert process.event("started")["mode"] == "observe"
            process.event("retry_dry_run")
            process.event("gave_up")
            process.signal(signal.SIGTERM)
            assert process.wait() == 0
        assert posts(url) == []


def test_a_restart_goes_on_where_it_stopped(tmp_path: Path) -> None:
    with emulator(tmp_path, [REFUSES]) as url:
        config = config_file(tmp_path, url, ["refus3sx"])
        for expected in ("gave_up", "started"):
            with running(daemon(config)) as process:
                process.event(expected)
                process.signal(signal.SIGTERM)
                assert process.wait() == 0
        assert len(posts(url)) == 2
        assert not any("ledger_created" in line for line in process.lines)


@pytest.mark.parametrize(
    ("statuses", "code"),
    [
        pytest.param(["ACTIVE", "SCALED_TO_ZERO"], 0, id="healthy"),
        pytest.param(["ACTIVE", "BUILDING"], 0, id="on-its-way"),
        pytest.param(["ACTIVE", "BUILD_FAILED"], 1, id="failing"),
        pytest.param(["ACTIVE", "UNHEALTHY"], 1, id="not-well-and-not-retryable"),
    ],
)
def test_check_tells_by_its_exit_status(statuses: list[str], code: int, tmp_path: Path) -> None:
    models: list[dict[str, Any]] = [
        {"id": f"model{number}", "name": f"m{number}", "deploys": [[status]]}
        for number, status in enumerate(statuses)
    ]
    with emulator(tmp_path, models) as url:
        config = config_file(tmp_path, url, [model["id"] for model in models])
        checked = run("check", "--json", "--config", config)
    assert checked.returncode == code, checked.stderr
    rows = json.loads(checked.stdout)["targets"]
    assert [row["status"] for row in rows] == statuses
    assert not (tmp_path / "ledger.db").exists()


def test_check_says_when_the_api_cannot_be_asked(tmp_path: Path) -> None:
    config = config_file(tmp_path, f"http://127.0.0.1:{free_port()}", ["abc123"])
    checked = run("check", "--config", config)
    assert checked.returncode == 3
    assert "no connection" in checked.stdout


def test_check_retry_works_alone_and_beside_a_daemon_under_the_same_limits(tmp_path: Path) -> None:
    with emulator(tmp_path, [REFUSES]) as url:
        config = config_file(tmp_path, url, ["refus3sx"], policy={"backoff": "1ms"})
        first = run("check", "--retry", "--config", config)
        assert (first.returncode, len(posts(url))) == (1, 1)
        with running(daemon(config)) as process:
            process.event("gave_up")
            third = run("check", "--retry", "--config", config)
            assert third.returncode == 1
            assert "refused_twice" in third.stdout
            process.signal(signal.SIGTERM)
            assert process.wait() == 0
        assert len(posts(url)) == 2


def test_history_of_an_unknown_model_names_the_near_ones(tmp_path: Path) -> None:
    with emulator(tmp_path, [HEALTHY]) as url:
        config = config_file(tmp_path, url, ["h3althyx"])
        run("check", "--retry", "--config", config)
        found = run("history", "h3altyx", "--config", config)
    assert found.returncode == 2
    assert "did you mean h3althyx?" in found.stderr


@pytest.mark.parametrize(
    ("arguments", "env", "says"),
    [
        pytest.param(["run"], {}, "no models to watch", id="no-models"),
        pytest.param(["check"], {}, "no models to check", id="nothing-to-check"),
        pytest.param(["run", "--model", "m"], {"BASETEN_API_KEY": ""}, "no API key", id="no-key"),
        pytest.param(["run", "--model", "../x"], {}, "models[0].id", id="bad-id"),
        pytest.param(["run", "--config", "nowhere.yaml"], {}, "nowhere.yaml", id="no-file"),
        pytest.param(["status"], {}, "there is no ledger", id="no-ledger"),
        pytest.param(
            ["run", "--model", "m"], {"SSL_CERT_FILE": "/nowhere.pem"}, "SSL_CERT", id="bad-ca"
        ),
        pytest.param(
            ["run", "--model", "m"],
            {"BASETEN_WATCHDOG_STORE__URL": "sqlite:////proc/nowhere/x.db"},
            "/proc/nowhere/x.db cannot be used",
            id="no-place-for-a-ledger",
        ),
        pytest.param(
            ["run", "--model", "m"],
            {"BASETEN_WATCHDOG_SERVER__HOST": "192.0.2.1"},
            "cannot listen on 192.0.2.1",
            id="no-such-address",
        ),
        pytest.param(["emulator"], {"BASETEN_API_KEY": ""}, "no API key", id="emulator-no-key"),
    ],
)
def test_a_users_mistake_is_one_line_and_exit_status_2(
    arguments: list[str], env: dict[str, str], says: str, tmp_path: Path
) -> None:
    done = run(*arguments, XDG_STATE_HOME=str(tmp_path), **env)
    assert done.returncode == 2
    assert says in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert done.stdout == ""


def test_version_and_help() -> None:
    assert run("--version").stdout.startswith("baseten-watchdog ")
    shown = run("--help").stdout
    for name in ("run", "check", "status", "history", "health", "emulator", "demo", "config"):
        assert name in shown
