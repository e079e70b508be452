"""Real processes: the daemon and the emulator, as a user starts them, and commands."""

import json
import os
import queue
import random
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from typer.testing import CliRunner, Result

from watchdog.cli.program import app

KEY = "test-key-5f3a"
PATIENCE_SECONDS = 300
"""A limit for a very busy machine, in seconds; no test that passes waits this long."""

_LOOK_AGAIN_SECONDS = 0.05

Model = Mapping[str, Any]


def environment(**more: str) -> dict[str, str]:
    """This process's environment, with a key."""
    return {**os.environ, "BASETEN_API_KEY": KEY, "PYTHONUNBUFFERED": "1", **more}


def command(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-m", "watchdog", *map(str, arguments)]


def cli(*arguments: str | Path, **env: str) -> Result:
    """Run one command to its end in this process: a new process takes most of a second for its
    imports."""
    runner = CliRunner(env={"BASETEN_API_KEY": KEY, **env})
    return runner.invoke(app, list(map(str, arguments)), catch_exceptions=False)


def run(*arguments: str | Path, **env: str) -> subprocess.CompletedProcess[str]:
    """Run one command to its end in a separate process."""
    return subprocess.run(
        command(*arguments),
        env=environment(**env),
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )


class Process:
    """A process whose output is read while it runs."""

    def __init__(
        self, arguments: Sequence[str], env: Mapping[str, str], *, cwd: Path | None = None
    ) -> None:
        self.lines: list[str] = []
        self._queue: queue.Queue[str | None] = queue.Queue()
        self._process = subprocess.Popen(
            arguments, env=env, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        return self._process.pid

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._queue.put(line)
        self._queue.put(None)

    def until(self, text: str) -> str:
        """Wait for the next line that contains this text."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            left = max(0.0, deadline - time.monotonic())
            try:
                line = self._queue.get(timeout=left)
            except queue.Empty:
                raise AssertionError(f"no {text!r} in:\n{''.join(self.lines)}") from None
            if line is None:
                self._queue.put(None)
                raise AssertionError(f"ended without {text!r}:\n{''.join(self.lines)}")
            self.lines.append(line)
            if text in line:
                return line

    def event(self, name: str) -> dict[str, Any]:
        """Wait for the next log line of this event."""
        found: dict[str, Any] = json.loads(self.until(f'"event": "{name}"'))
        return found

    def said(self, name: str, model_id: str) -> dict[str, Any]:
        """The log line of this event about this model, which may already have been read."""
        for line in self.lines:
            if f'"event": "{name}"' in line and f'"model_id": "{model_id}"' in line:
                found: dict[str, Any] = json.loads(line)
                return found
        while (found := self.event(name))["model_id"] != model_id:
            pass
        return found

    def signal(self, number: int) -> None:
        self._process.send_signal(number)

    def wait(self) -> int:
        """Wait until it ends, read all its output, and return the exit status."""
        status = self._process.wait(PATIENCE_SECONDS)
        self._reader.join(PATIENCE_SECONDS)
        while (line := self._queue.get_nowait()) is not None:
            self.lines.append(line)
        assert self._process.stdout is not None
        self._process.stdout.close()
        return status

    def stop(self) -> None:
        """End it by SIGTERM, and check that it exits with 0."""
        self.signal(signal.SIGTERM)
        assert self.wait() == 0, "".join(self.lines)

    def kill(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self.wait()


def eventually(holds: Callable[[], object]) -> None:
    """Call `holds` again until it returns something true."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (found := holds()):
        assert time.monotonic() < deadline, f"it still is {found!r}"
        time.sleep(_LOOK_AGAIN_SECONDS)


def free_port() -> int:
    """A port on which no process listens now, outside the range from which the system assigns ports
    to connections."""
    while True:
        port = random.randrange(15_000, 30_000)
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port


def get(url: str) -> tuple[int, str]:
    """The HTTP status and the text of the answer."""
    try:
        with urllib.request.urlopen(url, timeout=PATIENCE_SECONDS) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


@contextmanager
def running(process: Process) -> Iterator[Process]:
    try:
        yield process
    finally:
        process.kill()


@contextmanager
def emulator(folder: Path, models: Sequence[Model], *, time_scale: float = 1) -> Iterator[str]:
    """An emulator with these models; yields its URL. It has no rate limits, because a 429 would
    hide that the watchdog does not keep its own."""
    scenario = folder / "scenario.yaml"
    limits = {"requests_per_second": None, "retries_per_minute": None}
    scenario.write_text(json.dumps({"models": models, "limits": limits}))
    arguments = command(
        "emulator", "--port", "0", "--scenario", scenario, "--time-scale", str(time_scale)
    )
    with running(Process(arguments, environment())) as process:
        yield process.until("export ").strip().rpartition("=")[2]


def requests(url: str) -> list[dict[str, Any]]:
    """The emulator's request log."""
    with urllib.request.urlopen(f"{url}/_emulator/requests", timeout=PATIENCE_SECONDS) as answer:
        log: list[dict[str, Any]] = json.load(answer)["requests"]
        return log


def put_faults(url: str, faults: Sequence[Mapping[str, Any]]) -> None:
    """Set the faults that the emulator injects from now on, in place of the previous ones."""
    _send(f"{url}/_emulator/faults", "PUT", faults)


def set_status(url: str, model_id: str, status: str) -> None:
    """Set the status of a model's deployment, until the next push or retry."""
    _send(f"{url}/_emulator/models/{model_id}/status", "POST", {"status": status})


def _send(url: str, method: str, body: object) -> None:
    request = urllib.request.Request(url, json.dumps(body).encode(), method=method)
    urllib.request.urlopen(request, timeout=PATIENCE_SECONDS).close()


def posts(url: str) -> list[dict[str, Any]]:
    """The retry requests that the emulator received."""
    return [request for request in requests(url) if request["operation"] == "retry"]


def until_looked(url: str, model_id: str, times: int = 3, *, finds: str | None = None) -> None:
    """Wait until the model was looked at so many times more, with this status if one is given."""
    begun = len(requests(url))

    def looked() -> bool:
        looks = [
            each
            for each in requests(url)[begun:]
            if each["operation"] == "get_deployment"
            and each["model_id"] == model_id
            and finds in (None, each["status"])
        ]
        return len(looks) >= times

    eventually(looked)


def config_file(folder: Path, url: str, model_ids: Sequence[str], **sections: Any) -> Path:
    """Write a configuration with short times. The file is replaced in one step, and is written as
    JSON, which is valid YAML."""
    settings = {
        "baseten": {"base_url": url, "timeout": "20s"},
        "watch": {"interval": "1s", "recovery_interval": "1s"},
        "policy": {
            "first_delay": "0s",
            "backoff": "1s",
            "backoff_factor": 1,
            "jitter": 0,
            "max_attempts": 2,
            "healthy_reset": "1h",
            "stuck_after": "1h",
            "settle": "5s",
        },
        "fleet": {"max_retries_per_minute": 10},
        "models": [{"id": model_id} for model_id in model_ids],
        "store": {"url": f"sqlite:///{folder}/ledger.db"},
        "server": {"port": 0},
        "logging": {"format": "json"},
    }
    for name, section in sections.items():
        old = settings.get(name)
        settings[name] = {**old, **section} if isinstance(old, dict) else section
    path = folder / "config.yaml"
    new = path.with_suffix(".new")
    new.write_text(json.dumps(settings))
    new.replace(path)
    return path


def daemon(config: Path, **env: str) -> Process:
    return Process(command("run", "--config", config), environment(**env))


def targets(config: Path) -> dict[str, dict[str, Any]]:
    """What `status` shows of each target, by its id."""
    shown = json.loads(cli("status", "--json", "--config", config).stdout)
    return {target["model_id"]: target for target in shown["targets"]}
