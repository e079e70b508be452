"""A real daemon between a real emulator and its clients: every row is run on it."""

import json
import signal
import sqlite3
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any

from tests.fakes.processes import KEY, PATIENCE_SECONDS, command, config_file, environment, get
from tests.hostile.emulated import Emulated, hold_port

_LOOK_AGAIN_SECONDS = 0.25
_TAIL = 30


class Daemon:
    """A process whose log is read as it comes, where the test reads it at all."""

    def __init__(
        self,
        arguments: Sequence[str],
        env: Mapping[str, str],
        *,
        stderr: int | IO[Any] = subprocess.PIPE,
        stdin: int | IO[Any] | None = None,
        stdout: int | IO[Any] | None = subprocess.DEVNULL,
    ) -> None:
        self.lines: list[str] = []
        self.events: list[dict[str, Any]] = []
        self._process = subprocess.Popen(
            arguments, env=env, stdin=stdin, stdout=stdout, stderr=stderr, text=True
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def ended(self) -> bool:
        return self._process.poll() is not None

    def _read(self) -> None:
        if self._process.stderr is not None:
            self.read_from(self._process.stderr)

    def read_from(self, log: IO[str]) -> None:
        """Take what comes from there for this daemon's log, and close it in the end."""
        with log:
            for line in log:
                self.lines.append(line)
                try:
                    self.events.append(json.loads(line))
                except ValueError:
                    self.events.append({"event": "", "text": line})

    def signal(self, number: int) -> None:
        self._process.send_signal(number)

    def stop(self) -> int:
        """End it as a service manager does; its exit status."""
        self.signal(signal.SIGTERM)
        return self.wait()

    def wait(self) -> int:
        status = self._process.wait(PATIENCE_SECONDS)
        self._reader.join(PATIENCE_SECONDS)
        return status

    def kill(self) -> None:
        if not self.ended:
            self._process.kill()
        self.wait()


class Stage:
    """A folder, an emulator, a configuration and a daemon.

    Used in a `with` statement, which kills every daemon in the end.
    """

    def __init__(self, folder: Path, api: Emulated, port: int, config: Path) -> None:
        self.folder = folder
        self.api = api
        self.port = port
        self.config = config
        self.ledger = folder / "ledger.db"
        self.daemons: list[Daemon] = []
        self.closing = ExitStack()
        self.since_mark: dict[str, int] = {}
        self._mark = 0

    def __enter__(self) -> "Stage":
        return self

    def __exit__(self, *_: object) -> None:
        for daemon in self.daemons:
            daemon.kill()
        self.closing.close()

    @property
    def daemon(self) -> Daemon:
        return self.daemons[-1]

    def run(self, *arguments: str, launcher: Sequence[str] = (), **how: Any) -> Daemon:
        """Start the daemon through the command line, or through a launcher that ends up there."""
        line = [*launcher, *arguments] if launcher else command("run", "--config", self.config)
        self.daemons.append(Daemon(line, environment(**how.pop("env", {})), **how))
        self.mark()
        return self.daemon

    def mark(self) -> None:
        """From here on, only what is logged later counts."""
        self._mark = len(self.daemon.events)
        self.since_mark.clear()

    def events(self) -> list[dict[str, Any]]:
        return self.daemon.events[self._mark :]

    def get(self, path: str) -> str:
        """What the daemon answers, or nothing while it does not listen."""
        try:
            return get(f"http://127.0.0.1:{self.port}{path}")[1]
        except OSError:
            return ""

    def metrics(self) -> dict[str, float]:
        """Each series of ours, without the prefix."""
        found = {}
        for line in self.get("/metrics").splitlines():
            series, _, value = line.rpartition(" ")
            if series.startswith("baseten_watchdog_"):
                found[series.removeprefix("baseten_watchdog_")] = float(value)
        return found

    def outcomes(self, model_id: str) -> tuple[str, ...]:
        """Those of all attempts on record, oldest first."""
        connection = sqlite3.connect(f"file:{self.ledger}?mode=ro", uri=True)
        try:
            rows = connection.execute(
                "SELECT outcome FROM attempts WHERE model_id = ? ORDER BY reserved_at",
                (model_id,),
            )
            return tuple(outcome for (outcome,) in rows)
        finally:
            connection.close()

    def until(self, seen: Callable[[], str | None], *, every: float = _LOOK_AGAIN_SECONDS) -> None:
        """Wait until `seen`, which is asked once in so many seconds, finds nothing missing."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while (missing := seen()) is not None:
            if time.monotonic() > deadline or (self.daemons and self.daemon.ended):
                tail = "".join(self.daemon.lines[-_TAIL:])
                raise AssertionError(f"never seen: {missing}\n{tail}")
            time.sleep(every)

    def logs(self) -> str:
        return "".join(line for daemon in self.daemons for line in daemon.lines)

    def kept(self) -> bytes:
        """All that is in the ledger's files, deleted or not."""
        return b"".join(file.read_bytes() for file in self.folder.glob("ledger.db*"))


def make_stage(folder: Path, api: Emulated, model_ids: Sequence[str], **sections: Any) -> Stage:
    """A configuration with a fast pace, whose limits no row reaches unless it says so."""
    holder, port = hold_port()
    settings: dict[str, dict[str, Any]] = {
        "baseten": {"timeout": "2s"},
        "policy": {
            "backoff": "100ms",
            "healthy_reset": "5s",
            "max_attempts": 1000,
            "max_attempts_per_window": 1000,
        },
        # As many in a minute as the API allows: a warning for each row would hide what it is about.
        "fleet": {"max_retries_per_minute": 10, "max_attempts_per_window": 1000},
        "server": {"port": port},
    }
    for name, section in sections.items():
        settings[name] = {**settings[name], **section} if name in settings else section
    stage = Stage(folder, api, port, config_file(folder, api.url, model_ids, **settings))
    stage.closing.callback(holder.close)
    return stage


def is_safe_to_read(text: str) -> bool:
    """Without the API key, and without what a terminal would obey."""
    return KEY not in text and "\x1b" not in text
