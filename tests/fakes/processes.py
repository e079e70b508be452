"""Real processes: the daemon and the emulator, as a user starts them."""

import json
import os
import queue
import random
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

KEY = "test-key-5f3a"
PATIENCE_SECONDS = 300
"""A bound for a machine that is very busy; nothing waits so long when all is well."""

Model = Mapping[str, Any]


def environment(**more: str) -> dict[str, str]:
    """This process's environment, with a key."""
    return {**os.environ, "BASETEN_API_KEY": KEY, "PYTHONUNBUFFERED": "1", **more}


def command(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-m", "watchdog", *map(str, arguments)]


def run(*arguments: str | Path, **env: str) -> subprocess.CompletedProcess[str]:
    """Run one command to its end."""
    return subprocess.run(
        command(*arguments),
        env=environment(**env),
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )


class Process:
    """A process whose output is read as it comes."""

    def __init__(self, arguments: Sequence[str], env: Mapping[str, str]) -> None:
        self.lines: list[str] = []
        self._queue: queue.Queue[str | None] = queue.Queue()
        self._process = subprocess.Popen(
            arguments, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
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
        """The next line with this text in it."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            left = max(0.0, deadline - time.monotonic())
            try:
                line = self._queue.get(timeout=left)
            except queue.Empty:
                raise AssertionError(f"no {text!r} in:\n{''.join(self.lines)}") from None
            if line is None:
                raise AssertionError(f"ended without {text!r}:\n{''.join(self.lines)}")
            self.lines.append(line)
            if text in line:
                return line

    def event(self, name: str) -> dict[str, Any]:
        """The next log line of this event."""
        found: dict[str, Any] = json.loads(self.until(f'"event": "{name}"'))
        return found

    def signal(self, number: int) -> None:
        self._process.send_signal(number)

    def wait(self) -> int:
        """The exit status, once it ends and all its output is read."""
        status = self._process.wait(PATIENCE_SECONDS)
        self._reader.join(PATIENCE_SECONDS)
        while (line := self._queue.get_nowait()) is not None:
            self.lines.append(line)
        assert self._process.stdout is not None
        self._process.stdout.close()
        return status

    def kill(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self.wait()


def free_port() -> int:
    """One that nobody listens on at this moment, and that no connection is given by itself."""
    while True:
        port = random.randrange(15_000, 30_000)
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port


def get(url: str) -> tuple[int, str]:
    """The status and the text of what is there."""
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
    """An emulator with these models; its URL."""
    scenario = folder / "scenario.yaml"
    scenario.write_text(json.dumps({"models": models}))
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
    """Let these befall the emulator's requests from now on, in place of those before."""
    body = json.dumps(faults).encode()
    asked = urllib.request.Request(f"{url}/_emulator/faults", body, method="PUT")
    urllib.request.urlopen(asked, timeout=PATIENCE_SECONDS).close()


def posts(url: str) -> list[dict[str, Any]]:
    """The retries that the emulator was asked for."""
    return [request for request in requests(url) if request["operation"] == "retry_development"]


def config_file(folder: Path, url: str, model_ids: Sequence[str], **sections: Any) -> Path:
    """A configuration with a fast pace; JSON is YAML."""
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
    path.write_text(json.dumps(settings))
    return path


def daemon(config: Path, **env: str) -> Process:
    return Process(command("run", "--config", config), environment(**env))
