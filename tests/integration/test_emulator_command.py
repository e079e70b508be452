"""The `emulator` command as a person runs it: a process, its output and its exit code."""

import signal
import socket
from pathlib import Path

import pytest

from tests.fakes.http_client import client_of
from tests.fakes.processes import KEY, Process, cli, command, environment, running


@pytest.mark.parametrize(
    ("number", "host"), [(signal.SIGTERM, "127.0.0.1"), (signal.SIGINT, "127.0.0.2")]
)
async def test_serves_where_and_until_it_is_told_to(number: int, host: str) -> None:
    arguments = command("emulator", "--host", host, "--port", "0", "--time-scale", "60")
    with running(Process(arguments, environment())) as process:
        url = process.until("export ").strip().rpartition("=")[2]
        assert url.startswith(f"http://{host}:")
        async with client_of(url, headers={"Authorization": f"Api-Key {KEY}"}) as client:
            assert len((await client.get("/v1/models")).json()["models"]) == 5
            process.signal(number)
            assert process.wait() == 0
    printed = "".join(process.lines)
    assert "llama-dev" in printed
    assert "refused: " in printed
    assert KEY not in printed
    assert printed.endswith(f"BASE_URL={url}\n")


def test_a_taken_port_is_one_line_and_exit_2() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = cli("emulator", "--port", str(port))
    assert done.exit_code == 2
    assert done.stderr == (
        f"error: cannot listen on http://127.0.0.1:{port}: Address already in use; "
        "choose another --port or --host\n"
    )


@pytest.mark.parametrize(
    ("arguments", "key", "message"),
    [
        pytest.param("", "", "no API key: set BASETEN_API_KEY", id="no-key"),
        pytest.param("", " ", "no API key: set BASETEN_API_KEY", id="blank-key"),
        pytest.param("--time-scale 0", "k", "--time-scale: ", id="no-time"),
        pytest.param("--scenario none.yaml", "k", "none.yaml: cannot be read: ", id="no-file"),
    ],
)
def test_a_mistake_is_one_line_and_exit_2(arguments: str, key: str, message: str) -> None:
    done = cli("emulator", *arguments.split(), BASETEN_API_KEY=key)
    assert (done.exit_code, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"error: {message}")


def test_serves_the_scenario_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "scenario.yaml"
    path.write_text("models: [{id: abc123, name: '[red]mine', deploys: []}]", encoding="utf-8")
    arguments = command("emulator", "--port", "0", "--api-key", "k", "--scenario", path)
    with running(Process(arguments, environment())) as process:
        assert process.until("abc123").split() == ["abc123", "[red]mine", "none"]
