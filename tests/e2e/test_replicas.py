"""Several real daemons on one PostgreSQL ledger."""

import json
import signal
import socket
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from tests.fakes.postgres import Postgres, shared
from tests.fakes.processes import (
    Process,
    config_file,
    daemon,
    emulator,
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


@contextmanager
def replicas(config: Path, ports: list[int]) -> Iterator[list[Process]]:
    with ExitStack() as stack:
        yield [
            stack.enter_context(running(daemon(config, BASETEN_WATCHDOG_SERVER__PORT=str(port))))
            for port in ports
        ]


def get(port: int, path: str) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
        text: str = answer.read().decode()
        return text


def attempts(config: Path) -> list[dict[str, Any]]:
    shown = run("history", "--json", "--config", config)
    assert shown.returncode == 0, shown.stderr
    found: list[dict[str, Any]] = json.loads(shown.stdout)["attempts"]
    return found


def free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def test_a_standby_takes_over_from_a_killed_replica_and_the_limits_hold(tmp_path: Path) -> None:
    url = shared().new_schema()
    with emulator(tmp_path, [FAILS_LATER, HEALTHY]) as api:
        ids = [str(FAILS_LATER["id"]), str(HEALTHY["id"])]
        config = config_file(tmp_path, api, ids, store={"url": url})
        first_port, second_port = free_ports(2)
        with replicas(config, [first_port]) as [first]:
            first.event("replica_active")
            first.event("retry_accepted")
            with replicas(config, [second_port]) as [second]:
                second.event("replica_standby")
                assert get(second_port, "/readyz")
                assert get(second_port, "/healthz")
                standby, active = get(second_port, "/metrics"), get(first_port, "/metrics")
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
            [port] = free_ports(1)
            with replicas(config, [port]) as [only]:
                only.event("retry_accepted")
                server.stop()
                only.event("ledger_unavailable")
                assert unready(port)
                assert "baseten_watchdog_ledger_up 0.0" in get(port, "/metrics")
                server.start()
                only.event("ledger_available")
                only.signal(signal.SIGTERM)
                assert only.wait() == 0
    finally:
        server.remove()


def unready(port: int) -> bool:
    try:
        get(port, "/readyz")
    except urllib.error.HTTPError as error:
        with error:
            return error.code == 503
    return False


def samples(text: str) -> set[str]:
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    return {line.partition("{")[0].partition(" ")[0] for line in lines}
