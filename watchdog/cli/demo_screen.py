"""What `demo` runs and shows: the real daemon beside an emulated Baseten, in one process."""

import asyncio
import io
import signal
import tempfile
from collections import Counter, deque
from datetime import UTC, datetime
from importlib.resources import as_file, files
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.console import Console, Group
from rich.live import Live
from rich.rule import Rule
from rich.text import Text

from watchdog.cli.layout import Column, shorten_middle
from watchdog.cli.output import folded, table
from watchdog.domain.limits import episode_used
from watchdog.domain.records import Outcome, Target
from watchdog.domain.status import state_of
from watchdog.engine.events import Event, Level, Recovered, RetryAnswered, TargetChanged
from watchdog.engine.meanings import MEANINGS
from watchdog.text.phrases import ahead

if TYPE_CHECKING:
    from watchdog.config import Config

_COLUMNS = (
    Column("model", 0, shorten_middle),
    Column("state"),
    Column("status", 2),
    Column("attempts", 3),
    Column("next", 1),
    Column("why"),
)
_KEY = "demo-key"
_TIME_SCALE = 30
"""Two minutes of a build pass in four seconds."""

_SECONDS = 45
_EVENTS_SHOWN = 10
_NAME_WIDTH = 14
_INDENT = 24
_ABOVE = 5
"""The lines of the picture that are neither a model's nor an event's."""

_PICTURE_WIDTH = 110
_PICTURE_HEIGHT = 30
_REFRESHES_PER_SECOND = 4


def play(svg: Path | None, *, keep: bool) -> None:
    """Run the demo to its end or until a signal; with `keep`, only until a signal."""
    console = Console(highlight=False, force_terminal=True if svg else None)
    with tempfile.TemporaryDirectory(prefix="baseten-watchdog-demo-") as folder:
        asyncio.run(_play(console, Path(folder), svg, None if keep else _SECONDS))


async def _play(console: Console, folder: Path, svg: Path | None, seconds: float | None) -> None:
    """`seconds` None: until a signal."""
    from watchdog.app.daemon import Daemon
    from watchdog.emulator import Emulator, load_scenario

    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with Emulator(load_scenario(), api_key=_KEY, time_scale=_TIME_SCALE) as emulator:
        screen = _Screen(live=console.is_terminal)
        daemon = Daemon(
            _config(emulator.url, folder),
            {"BASETEN_API_KEY": _KEY},
            listeners=[screen.listen],
            log_stream=io.StringIO(),
        )
        running = asyncio.create_task(daemon.run(stop))
        await daemon.started.wait()
        screen.url = daemon.url
        if svg is not None:
            asyncio.get_running_loop().call_later(_SECONDS / 2, _write_picture, screen, svg)
        if console.is_terminal:
            await _show(console, screen, stop, seconds)
        else:
            console.print(f"page: {screen.url}/\nmetrics: {screen.url}/metrics", soft_wrap=True)
            await _pause(stop, seconds)
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


async def _show(
    console: Console, screen: "_Screen", stop: asyncio.Event, seconds: float | None
) -> None:
    pictures = count() if seconds is None else range(int(seconds * _REFRESHES_PER_SECOND))
    with Live(screen.picture(*console.size), console=console, auto_refresh=False) as live:
        for _ in pictures:
            await _pause(stop, 1 / _REFRESHES_PER_SECOND)
            live.update(screen.picture(*console.size), refresh=True)
            if stop.is_set():
                return


def _write_picture(screen: "_Screen", svg: Path) -> None:
    camera = Console(record=True, highlight=False, width=_PICTURE_WIDTH, file=io.StringIO())
    camera.print(screen.picture(_PICTURE_WIDTH, _PICTURE_HEIGHT))
    svg.write_text(camera.export_svg(title="baseten-watchdog demo"))


async def _pause(stop: asyncio.Event, seconds: float | None) -> None:
    try:
        await asyncio.wait_for(stop.wait(), seconds)
    except TimeoutError:
        return


class _Screen:
    """What the demo knows of the targets, and below them the latest events, each with what it
    means. Where standard output is no terminal, each event is printed at once."""

    def __init__(self, *, live: bool) -> None:
        self.url = ""
        self._live = live
        self._targets: dict[str, Target] = {}
        self._used: dict[str, str] = {}
        self._lines: deque[str] = deque(maxlen=_EVENTS_SHOWN)
        self._outcomes: Counter[Outcome] = Counter()
        self._recoveries = 0

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
        name, level = event.logged_as()
        if name is not None and level is not Level.DEBUG:
            self._say(name, getattr(event, "target", None))

    def _say(self, name: str, target: Target | None) -> None:
        whom = (target.name or target.model_id) if target is not None else ""
        time = datetime.now().astimezone()
        line = f"{time:%H:%M:%S} {whom:<{_NAME_WIDTH}} {name}: {MEANINGS[name]}"
        self._lines.append(line)
        if not self._live:
            typer.echo(line)

    def picture(self, width: int, height: int) -> Group:
        now = datetime.now(UTC)
        folds = (folded(line, width, indent=_INDENT) for line in self._lines)
        lines = [line for fold in folds for line in fold]
        room = max(1, height - len(self._targets) - _ABOVE)
        return Group(
            Text(f"page: {self.url}/   metrics: {self.url}/metrics\n"),
            table(
                _COLUMNS,
                [self._cells(target, now) for target in self._targets.values()],
                width,
            ),
            Rule(style="dim"),
            *map(Text, lines[-room:]),
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
