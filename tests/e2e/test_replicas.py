"""Several real daemons on one PostgreSQL ledger."""

import json
import signal
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from tests.fakes.postgres import Postgres, shared
from tests.fakes.processes import (
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

HEALTHY = {"id": "healthy1", "name": "healthy", "deploys": [["ACTIVE"]]}
FAILS_LATER = {
    "id": "fails4vr",
    "name": "fails",
    "deploys": [["BUILD_FAILED"], [{"BUILDING": "1s"}, "BUILD_FAILED"]],
}


def replica(config: Path, port: int) -> AbstractContextManager[Process]:
    return running(daemon(config, BASETEN_WATCHDOG_SERVER__PORT=str(port)))


def at(port: int, path: str) -> str:
    return f"http://127.0.0.1:{port}{path}"


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
            first.event("replica_active")
            first.event("retry_accepted")
            with replica(config, second_port) as second:
                second.event("replica_standby")
                assert get(at(second_port, "/readyz")) == (200, "ok\n")
                assert get(at(second_port, "/healthz")) == (200, "ok\n")
                _, standby = get(at(second_port, "/metrics"))
                _, active = get(at(first_port, "/metrics"))
                assert "baseten_watchdog_active 0.0" in standby
                assert "baseten_watchdog_target_state" not in samples(standby)
                assert "baseten_watchdog_active 1.0" in active
                assert "baseten_watchdog_target_state" in samples(active)
                first.kill()
                second.event("replica_active")
                second.event("gave_up")
                assert len(posts(api)) == 2
                assert [each["outcome"] for each in attempts(config)] == ["accepted"] * 2
                second.signal(signal.SIGTERM)
                assert second.wait() == 0


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
