"""The `emulator` command as a person runs it: a process, its output and its exit code."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

PROGRAM = "import typer; from watchdog.cli.emulator import emulator; typer.run(emulator)"
PATIENCE = 30
"""Seconds; only a hanging process takes them."""


@asynccontextmanager
async def command(*arguments: str, key: str | None = "secret-key") -> AsyncIterator[Process]:
    environment = {name: v for name, v in os.environ.items() if name != "BASETEN_API_KEY"}
    if key is not None:
        environment["BASETEN_API_KEY"] = key
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PROGRAM, *arguments, stdout=PIPE, stderr=PIPE, env=environment
    )
    try:
        async with asyncio.timeout(PATIENCE):
            yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def url_of(process: Process, lines: list[str]) -> str:
    assert process.stdout is not None
    async for line in process.stdout:
        lines.append(line.decode())
        if "export " in lines[-1]:
            return lines[-1].strip().removeprefix("export BASETEN_WATCHDOG_BASETEN__BASE_URL=")
    raise AssertionError(f"ended without an address: {lines}")


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
async def test_serves_until_it_is_told_to_stop(signum: int) -> None:
    lines: list[str] = []
    async with command("--port", "0", "--time-scale", "60") as process:
        url = await url_of(process, lines)
        async with httpx.AsyncClient(base_url=url, trust_env=False) as client:
            headers = {"Authorization": "Api-Key secret-key"}
            answer = await client.get("/v1/models", headers=headers)
            assert len(answer.json()["models"]) == 5
            process.send_signal(signum)
            assert await process.wait() == 0
        assert process.stderr is not None
        assert await process.stderr.read() == b""
    printed = "".join(lines)
    assert "llama-dev" in printed
    assert "refused: " in printed
    assert "secret-key" not in printed


async def test_listens_where_it_is_told_to() -> None:
    lines: list[str] = []
    async with command("--host", "127.0.0.2", "--port", "0") as process:
        url = await url_of(process, lines)
        assert url.startswith("http://127.0.0.2:")
        async with httpx.AsyncClient(base_url=url, trust_env=False) as client:
            headers = {"Authorization": "Api-Key secret-key"}
            assert (await client.get("/v1/models", headers=headers)).status_code == 200


async def test_a_taken_port_is_one_line_and_exit_2() -> None:
    async with command("--port", "0") as first:
        url = await url_of(first, [])
        port = str(httpx.URL(url).port)
        async with command("--port", port) as second:
            _, errors = await second.communicate()
    assert second.returncode == 2
    assert errors.decode().splitlines() == [
        f"error: cannot listen on {url}: Address already in use; choose another --port or --host"
    ]


@pytest.mark.parametrize(
    ("arguments", "key", "message"),
    [
        pytest.param((), None, "no API key: set BASETEN_API_KEY", id="no-key"),
        pytest.param((), " ", "no API key: set BASETEN_API_KEY", id="blank-key"),
        pytest.param(("--time-scale", "0"), "k", "--time-scale: ", id="no-time"),
        pytest.param(("--scenario", "none.yaml"), "k", "none.yaml: No such file", id="no-file"),
    ],
)
async def test_a_mistake_is_one_line_and_exit_2(
    arguments: tuple[str, ...], key: str | None, message: str
) -> None:
    async with command(*arguments, key=key) as process:
        output, errors = await process.communicate()
    assert (process.returncode, output) == (2, b"")
    (line,) = errors.decode().splitlines()
    assert line.startswith(f"error: {message}")


async def test_serves_the_scenario_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "scenario.yaml"
    path.write_text("models: [{id: abc123, name: '[red]mine', deploys: []}]", encoding="utf-8")
    lines: list[str] = []
    async with command("--port", "0", "--api-key", "k", "--scenario", str(path)) as process:
        await url_of(process, lines)
    assert lines[1].split() == ["abc123", "[red]mine", "none"]
