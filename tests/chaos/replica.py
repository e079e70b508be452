"""One of the daemons: a real process, started again each time it ends, and what applies to it."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.fakes.processes import PATIENCE_SECONDS, environment

_ROOT = Path(__file__).parents[2]
_DAEMON = (sys.executable, "-m", "tests.chaos.shortened")

_LOOK_SECONDS = 0.05
"""How often the supervisor checks whether a process is still running."""

_RESTART_SECONDS = 1.0
"""How soon it restarts a process that ended by itself."""

_ENDS_WELL = (0, 2, -signal.SIGKILL, -signal.SIGTERM)
"""2: it cannot start while its database is away."""

Span = tuple[float, float]


@dataclass(slots=True)
class Life:
    """One process, from its start to its end. `frozen` are the spans in which it was stopped by a
    signal."""

    name: str
    log: Path
    started: float
    ended: float | None = None
    killed: bool = False
    code: int | None = None
    frozen: list[Span] = field(default_factory=list)

    def lines(self) -> Iterator[dict[str, Any]]:
        """What it logged. After a kill the last line may be incomplete."""
        for line in self.log.read_text(errors="replace").splitlines():
            try:
                found = json.loads(line)
            except ValueError:
                continue
            if isinstance(found, dict):
                yield found

    def said(self, event: str) -> list[dict[str, Any]]:
        return [line for line in self.lines() if line.get("event") == event]

    @property
    def owner(self) -> str | None:
        """The owner that it writes into its attempts; None if it was killed before it reported
        that."""
        return next((str(line["replica"]) for line in self.said("started")), None)

    def problems(self) -> Iterator[str]:
        """What must not happen to a process whatever applies to it."""
        written = self.log.read_text(errors="replace")
        # One that is asked to reload while it ends no longer has a handler for that.
        was_ending = "\nerror: " in written or bool(self.said("stopped"))
        if self.code not in _ENDS_WELL and not (self.code == -signal.SIGHUP and was_ending):
            yield f"{self.name} ended with {self.code}: {self.log}"
        for line in self.said("internal_error"):
            yield f"{self.name}: {line['error']}, for {line.get('model_id')}: {self.log}"
        if "\nTraceback (most recent call last)" in written:
            yield f"{self.name} wrote a traceback: {self.log}"


class Replica:
    """A place for processes, one after the other, with one configuration file."""

    def __init__(self, number: int, folder: Path, clock: Callable[[], float]) -> None:
        self.number = number
        self.config = folder / f"config-{number}.yaml"
        self.lives: list[Life] = []
        self._folder = folder
        self._clock = clock
        self._process: subprocess.Popen[bytes] | None = None
        self._frozen_at: float | None = None
        self._downtime = _RESTART_SECONDS
        self._finished = False

    @property
    def running(self) -> bool:
        """Running: neither ended nor stopped by a signal."""
        return self._alive and self._frozen_at is None

    @property
    def _alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def life(self) -> Life:
        return self.lives[-1]

    async def supervise(self) -> None:
        """Run processes until told to finish."""
        while not self._finished:
            process = self._start()
            try:
                while process.poll() is None:  # noqa: ASYNC110 - it can only be asked
                    await asyncio.sleep(_LOOK_SECONDS)
            finally:
                if process.poll() is None:
                    process.kill()
                self._gone(process.wait())
            downtime, self._downtime = self._downtime, _RESTART_SECONDS
            if not self._finished:
                await asyncio.sleep(downtime)

    def _start(self) -> subprocess.Popen[bytes]:
        name = f"daemon-{self.number}.{len(self.lives) + 1}"
        log = self._folder / f"{name}.log"
        self.lives.append(Life(name, log, self._clock()))
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                [*_DAEMON, "run", "--config", str(self.config)],
                cwd=_ROOT,
                env=environment(BASETEN_API_KEY=name),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        return self._process

    def _gone(self, code: int) -> None:
        self.life.code = code
        if self.life.ended is None:
            self.life.ended = self._clock()
        self._thawed()

    def kill(self, downtime: float) -> None:
        self._downtime = downtime
        self.life.killed = True
        self._signal(signal.SIGKILL)
        self.life.ended = self._clock()

    def terminate(self, downtime: float) -> None:
        self._downtime = downtime
        self._signal(signal.SIGTERM)

    def reload(self) -> None:
        # Before it has set up its handlers the signal would end it.
        if self.running and self.life.log.stat().st_size:
            self._signal(signal.SIGHUP)

    def freeze(self) -> None:
        self._frozen_at = self._clock()
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._thawed()
        self._signal(signal.SIGCONT)

    def _thawed(self) -> None:
        if self._frozen_at is not None:
            self.life.frozen.append((self._frozen_at, self._clock()))
            self._frozen_at = None

    async def finish(self) -> None:
        """Stop the last process gracefully; it is killed if that takes too long."""
        self._finished = True
        deadline = self._clock() + PATIENCE_SECONDS
        self._signal(signal.SIGTERM)
        while self._alive:
            if self._clock() > deadline:
                self._signal(signal.SIGKILL)
            await asyncio.sleep(_LOOK_SECONDS)

    def _signal(self, number: int) -> None:
        if self._process is not None and self._process.poll() is None:
            os.kill(self._process.pid, number)
