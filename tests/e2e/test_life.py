"""One life of the daemon as a user runs it: a real process, a real port, a real ledger."""

import stat
from pathlib import Path
from typing import Any

from tests.fakes.processes import (
    KEY,
    cli,
    config_file,
    daemon,
    emulator,
    free_port,
    get,
    posts,
    run,
    running,
    set_status,
    targets,
    until_looked,
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
PAUSED: dict[str, Any] = {
    "id": "paus3dxx",
    "name": "paused",
    "deploys": [["ACTIVE"], [{"BUILDING": "1h"}, "ACTIVE"]],
}


def test_it_retries_what_fails_obeys_persons_and_says_so_everywhere(tmp_path: Path) -> None:
    port, models = free_port(), [RECOVERS, REFUSES, PAUSED]
    named = [{"id": model["id"], "name": model["name"]} for model in models]
    with emulator(tmp_path, models) as api:
        config = config_file(tmp_path, api, [], models=named, server={"port": port})
        with running(daemon(config)) as process:
            started = process.event("started")
            assert (started["mode"], started["targets"]) == ("retry", 3)
            second = run("run", "--config", config)
            assert second.returncode == 2
            assert f"pid {process.pid}" in second.stderr
            assert len(second.stderr.splitlines()) == 1

            note = ("--note", "hands off")
            paused = cli("pause", "paused", "--for", "2h", *note, "--config", config)
            assert paused.stdout.startswith("paused paus3dxx until 20")
            set_status(api, "paus3dxx", "BUILD_FAILED")
            until_looked(api, "paus3dxx", finds="BUILD_FAILED")
            assert "paus3dxx" not in [post["model_id"] for post in posts(api)]
            found = targets(config)["paus3dxx"]
            assert (found["state"], found["decision_reason"]) == ("paused", "paused")
            table = cli("status", "--config", config).stdout
            assert "paused: paus3dxx until" in table
            assert table.rstrip().endswith(": hands off")
            resumed = cli("resume", "paused", "--config", config)
            assert resumed.stdout == "resumed paus3dxx\n"

            process.said("retry_accepted", "paus3dxx")
            process.said("recovered", "recov3rs")
            assert process.said("gave_up", "refus3sx")["decision_reason"] == "refused_twice"
            assert get(f"http://127.0.0.1:{port}/healthz") == (200, "ok\n")
            assert get(f"http://127.0.0.1:{port}/readyz") == (200, "ok\n")
            assert cli("health", "--config", config).exit_code == 0
            _, metrics = get(f"http://127.0.0.1:{port}/metrics")
            for line in (
                'baseten_watchdog_target_state{model_id="refus3sx",state="exhausted"} 1',
                'baseten_watchdog_deployment_status{model_id="recov3rs",status="ACTIVE"} 1',
                'baseten_watchdog_retry_attempts_total{model_id="refus3sx",outcome="refused"} 2',
                'baseten_watchdog_episodes_total{cause="unknown",result="recovered"} 1.0',
                'baseten_watchdog_mode_info{mode="retry"} 1.0',
            ):
                assert line in metrics
            code, page = get(f"http://127.0.0.1:{port}/?q=refuses")
            assert (code, "1 model needs you" in page) == (200, True)
            assert "The API refused two retries in a row" in page
            _, page_of_one = get(f"http://127.0.0.1:{port}/targets/refus3sx")
            assert "source for ***" in page_of_one
            found = targets(config)
            assert found["refus3sx"]["state"] == "exhausted"
            assert found["recov3rs"]["attempts_used"] == 1
            process.stop()
        assert cli("health", "--config", config).exit_code == 1
        history = cli("history", "--config", config).stdout
        assert history.count(" refused") >= 2
        assert history.count("hands off") == 1
        assert "resume" in history
        assert len(posts(api)) == 4
    output = "".join(process.lines) + history + table + metrics + second.stderr + page + page_of_one
    assert KEY not in output
    assert "\x1b" not in output
    assert stat.S_IMODE((tmp_path / "ledger.db").stat().st_mode) == 0o600
