"""`demo`: the real daemon beside an emulated Baseten, in one process, for a minute."""

import asyncio
import io
import os
import signal
import sys
import tempfile
from collections import Counter, deque
from datetime import UTC, datetime
from importlib.resources import as_file, files
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console, Group
from rich.live import Live
from rich.rule import Rule
from rich.text import Text

from watchdog.cli.output import table
from watchdog.domain.limits import episode_used
from watchdog.domain.records import Outcome, Target
from watchdog.domain.status import state_of
from watchdog.engine.events import Event, Recovered, RetryAnswered, TargetChanged
from watchdog.text.phrases import ahead

if TYPE_CHECKING:
    from watchdog.config import Config

_KEY = "demo-key"
_TIME_SCALE = 30
"""Two minutes of a build pass in four seconds."""

_SECONDS = 45
_EVENTS_SHOWN = 10
_PICTURE_WIDTH = 110
_REFRESHES_PER_SECOND = 4


def demo(
    svg: Annotated[
        Path | None, typer.Option(hidden=True, help="Write a picture of the screen at half-time.")
    ] = None,
) -> None:
    """Watch it work: an emulated Baseten and the real daemon, for under a minute."""
    # A proxy that the environment names cannot reach the loopback of this machine.
    os.environ["NO_PROXY"] = "127.0.0.1"
    console = Console(highlight=False, force_terminal=True if svg else None)
    with tempfile.TemporaryDirectory(prefix="baseten-watchdog-demo-") as folder:
        asyncio.run(_play(console, Path(folder), svg))


async def _play(console: Console, folder: Path, svg: Path | None) -> None:
    from watchdog.app.daemon import Daemon
    from watchdog.emulator import Emulator, load_scenario

    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with Emulator(load_scenario(), api_key=_KEY, time_scale=_TIME_SCALE) as emulator:
        screen = _Screen()
        stream = screen if console.is_terminal else sys.stdout
        daemon = Daemon(
            _config(emulator.url, folder),
            {"BASETEN_API_KEY": _KEY},
            listeners=[screen.listen],
            log_stream=stream,
        )
        running = asyncio.create_task(daemon.run(stop))
        await daemon.started.wait()
        screen.metrics_url = daemon.metrics_url
        if svg is not None:
            asyncio.get_running_loop().call_later(_SECONDS / 2, _write_picture, screen, svg)
        if console.is_terminal:
            await _show(console, screen, stop)
        else:
            console.print(f"metrics: {screen.metrics_url}", soft_wrap=True)
            await _pause(stop, _SECONDS)
        stop.set()
        await running
    console.print(screen.summary(), soft_wrap=True)


def _config(url: str, folder: Path) -> "Config":
    from watchdog.config import load_config

    overrides = {
        "baseten": {"base_url": url},
        "store": {"url": f"sqlite:///{folder / 'ledger.db'}"},
        "server": {"port": 0},
        "logging": {"format": "console"},
    }
    with as_file(files("watchdog.cli") / "demo.yaml") as path:
        return load_config(path, overrides=overrides).config


async def _show(console: Console, screen: "_Screen", stop: asyncio.Event) -> None:
    with Live(screen.picture(), console=console, auto_refresh=False) as live:
        for _ in range(_SECONDS * _REFRESHES_PER_SECOND):
            await _pause(stop, 1 / _REFRESHES_PER_SECOND)
            live.update(screen.picture(), refresh=True)
            if stop.is_set():
                return


def _write_picture(screen: "_Screen", svg: Path) -> None:
    camera = Console(record=True, highlight=False, width=_PICTURE_WIDTH, file=io.StringIO())
    camera.print(screen.picture())
    svg.write_text(camera.export_svg(title="baseten-watchdog demo"))


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(stop.wait(), seconds)
    except TimeoutError:
        return


class _Screen(io.StringIO):
    """What the demo knows of the targets, and the log lines it shows below them."""

    def __init__(self) -> None:
        super().__init__()
        self.metrics_url = ""
        self._targets: dict[str, Target] = {}
        self._used: dict[str, str] = {}
        self._lines: deque[str] = deque(maxlen=_EVENTS_SHOWN)
        self._outcomes: Counter[Outcome] = Counter()
        self._recoveries = 0

    def isatty(self) -> bool:
        return True

    def write(self, text: str) -> int:
        self._lines.extend(line for line in text.splitlines() if line)
        return len(text)

    def listen(self, event: Event) -> None:
        match event:
            case TargetChanged():
                self._targets[event.target.model_id] = event.target
                used = episode_used(event.target, event.attempts)
                self._used[event.target.model_id] = f"{used} of {event.policy.max_attempts}"
            case RetryAnswered():
                self._outcomes[event.attempt.outcome] += 1
            case Recovered():
                self._recoveries += 1

    def picture(self) -> Group:
        now = datetime.now(UTC)
        lines = [Text.from_ansi(line, no_wrap=True, overflow="ellipsis") for line in self._lines]
        return Group(
            Text(f"metrics: {self.metrics_url}\n"),
            table(
                ("model", "state", "status", "attempts", "next attempt", "why"),
                [self._cells(target, now) for target in self._targets.values()],
            ),
            Rule(style="dim"),
            *lines,
        )

    def _cells(self, target: Target, now: datetime) -> tuple[str, ...]:
        decision = target.decision
        return (
            target.name or target.model_id,
            state_of(target).value,
            target.status or "-",
            self._used[target.model_id],
            ahead(decision.until, now),
            decision.reason.value if decision.reason else "-",
        )

    def summary(self) -> str:
        sent = ", ".join(f"{count} {outcome}" for outcome, count in self._outcomes.items())
        states = Counter(state_of(target) for target in self._targets.values())
        now = ", ".join(f"{count} {state}" for state, count in states.items())
        return (
            f"{self._outcomes.total()} retries ({sent or 'none'}), "
            f"{self._recoveries} recoveries; at the end: {now}."
        )
