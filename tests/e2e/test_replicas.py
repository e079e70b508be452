"""Several real daemons on one PostgreSQL ledger."""

import json
import signal
import time
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from tests.fakes.postgres import Postgres, shared
from tests.fakes.processes import (
    PATIENCE_SECONDS,
    Process,
    config_file,
    daemon,
    emulator,
    free_port,
    get,
    posts,
    run,
    running,
)
from watchdog.domain.phrases import signature

HEALTHY = {"id": "healthy1", "name": "healthy", "deploys": [["ACTIVE"]]}
FAILS_LATER = {
    "id": "fails4vr",
    "name": "fails",
    "deploys": [["BUILD_FAILED"], [{"BUILDING": "5s"}, "BUILD_FAILED"]],
}


def replica(config: Path, port: int) -> AbstractContextManager[Process]:
    return running(daemon(config, BASETEN_WATCHDOG_SERVER__PORT=str(port)))


def at(port: int, path: str) -> str:
    return f"http://127.0.0.1:{port}{path}"


def until_replicas(config: Path, wanted: set[str]) -> None:
    """Look until `status` says so."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        shown = run("status", "--config", config).stdout.splitlines()
        found = [line.split()[1:3] for line in shown if line.startswith("replica ")]
        if {" ".join(words).rstrip(":") for words in found} == wanted:
            return
        assert time.monotonic() < deadline, shown


def attempts(config: Path) -> list[dict[str, Any]]:
    shown = run("history", "--json", "--config", config)
    assert shown.returncode == 0, shown.stderr
    found: list[dict[str, Any]] = json.loads(shown.stdout)["attempts"]
    return found


def test_a_standby_takes_over_from_a_killed_replica_and_the_limits_hold(tmp_path: Path) -> None:
    url = shared().new_schema()
    with emulator(tmp_path, [FAILS_LATER, HEALTHY]) as api:
        ids = [str(FAILS_LATER["id"]), str(HEALTHY["id"])]
        config = config_file(tmp_path, api, ids, store={"url": url})
        first_port, second_port = free_port(), free_port()
        with replica(config, first_port) as first:
            one = signature(first.event("started")["replica"])
            first.event("replica_active")
            first.event("retry_accepted")
            with replica(config, second_port) as second:
                other = signature(second.event("started")["replica"])
                second.event("replica_standby")
                assert get(at(second_port, "/readyz")) == (200, "ok\n")
                assert get(at(second_port, "/healthz")) == (200, "ok\n")
                _, standby = get(at(second_port, "/metrics"))
                _, active = get(at(first_port, "/metrics"))
                assert "baseten_watchdog_active 0.0" in standby
                assert "baseten_watchdog_target_state" not in samples(standby)
                assert "baseten_watchdog_active 1.0" in active
                assert "baseten_watchdog_target_state" in samples(active)
                until_replicas(config, {f"{one} active", f"{other} standby"})
                first.kill()
                second.event("replica_active")
                second.event("gave_up")
                until_replicas(config, {f"{one} standby", f"{other} active"})
                assert len(posts(api)) == 2
                assert [each["outcome"] for each in attempts(config)] == ["accepted"] * 2
                history = run("history", "--config", config).stdout.splitlines()
                acted = [line.split() for line in history if " attempt " in line]
                assert [words[5] for words in acted] == [other, one]
                second.signal(signal.SIGTERM)
                assert second.wait() == 0


def test_a_changed_configuration_goes_round_and_only_the_last_one_drops_a_model(
    tmp_path: Path,
) -> None:
    url, ids = shared().new_schema(), ["healthy1", "fails4vr"]
    folders = [tmp_path / name for name in ("first", "second")]
    with emulator(tmp_path, [FAILS_LATER, HEALTHY]) as api:
        for folder in folders:
            folder.mkdir()
        configs = [config_file(each, api, ids, store={"url": url}) for each in folders]
        with running(daemon(configs[0])) as first:
            first.event("gave_up")
            with running(daemon(configs[1])) as second:
                second.event("replica_standby")
                for folder, process in zip(folders, (first, second), strict=True):
                    config_file(folder, api, ids[:1], store={"url": url})
                    assert process.event("config_reloaded")["targets"] == 1
                    if process is first:
                        assert watched(configs[1]) == set(ids)
                first.event("target_removed")
                assert watched(configs[1]) == {"healthy1"}


def watched(config: Path) -> set[str]:
    shown = run("status", "--json", "--config", config)
    return {each["model_id"] for each in json.loads(shown.stdout)["targets"] if each["watched"]}


def test_the_database_gone_is_an_outage_and_everything_resumes(tmp_path: Path) -> None:
    server = Postgres()
    try:
        with emulator(tmp_path, [FAILS_LATER]) as api:
            config = config_file(tmp_path, api, ["fails4vr"], store={"url": server.url()})
            port = free_port()
            with replica(config, port) as only:
                only.event("retry_accepted")
                server.stop()
                only.event("ledger_unavailable")
                assert get(at(port, "/readyz"))[0] == 503
                assert "baseten_watchdog_ledger_up 0.0" in get(at(port, "/metrics"))[1]
                server.start()
                only.event("ledger_available")
                only.signal(signal.SIGTERM)
                assert only.wait() == 0
    finally:
        server.remove()


def samples(text: str) -> set[str]:
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    return {line.partition("{")[0].partition(" ")[0] for line in lines}
