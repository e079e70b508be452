"""What clients of its web server can do to the daemon."""

import http.client
import socket
from contextlib import ExitStack
from pathlib import Path

from tests.fakes.processes import (
    Process,
    command,
    config_file,
    emulator,
    environment,
    eventually,
    free_port,
    get,
    posts,
    running,
    set_status,
    until_looked,
)

MODEL = {"id": "abc12345", "name": "crowded", "deploys": [["ACTIVE"]]}
_DESCRIPTORS = 256


def test_idle_connections_stop_neither_checks_nor_retries_nor_probes(tmp_path: Path) -> None:
    port = free_port()
    with emulator(tmp_path, [MODEL]) as url, ExitStack() as opened:
        config = config_file(tmp_path, url, ["abc12345"], server={"port": port})
        limited = f'ulimit -n {_DESCRIPTORS}; exec "$@"'
        arguments = ["bash", "-c", limited, "bash", *command("run", "--config", config)]
        daemon = opened.enter_context(running(Process(arguments, environment())))
        daemon.event("started")
        until_looked(url, "abc12345", 1)
        for _ in range(_DESCRIPTORS):
            opened.enter_context(socket.create_connection(("127.0.0.1", port)))
        until_looked(url, "abc12345", 3)
        set_status(url, "abc12345", "BUILD_FAILED")
        eventually(lambda: posts(url))
        assert get(f"http://127.0.0.1:{port}/healthz") == (200, "ok\n")
        assert len(list(Path(f"/proc/{daemon.pid}/fd").iterdir())) < _DESCRIPTORS / 2
        daemon.stop()
        assert "system resource" not in "".join(daemon.lines)


def test_the_page_is_read_by_the_names_of_the_configuration_only(tmp_path: Path) -> None:
    port = free_port()
    server = {"port": port, "allowed_hosts": ["watchdog.example.com"]}
    config = config_file(tmp_path, "http://127.0.0.1:1", ["abc12345"], server=server)
    with running(Process(command("run", "--config", config), environment())) as daemon:
        daemon.event("started")
        found = {}
        for host in ("watchdog.example.com", "other.example.com"):
            client = http.client.HTTPConnection("127.0.0.1", port)
            client.request("GET", "/", headers={"Host": host})
            found[host] = client.getresponse().status
            client.close()
        assert found == {"watchdog.example.com": 200, "other.example.com": 421}
        daemon.stop()
