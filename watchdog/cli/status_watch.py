"""`status --watch`: the table, written anew each second, which arrow keys scroll."""

import asyncio
import os
import select
import sys
import termios
import time
import tty
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from watchdog.cli.console import fail
from watchdog.cli.output import folded, table
from watchdog.cli.shown import Shown, shown
from watchdog.cli.status_table import COLUMNS, cells
from watchdog.engine.fleet.overview import Watched

if TYPE_CHECKING:
    from watchdog.config import Config

_REFRESH_SECONDS = 1.0
_READ_BYTES = 64
_END = "q"
_LINES = {"\x1b[A": -1, "\x1bOA": -1, "k": -1, "\x1b[B": 1, "\x1bOB": 1, "j": 1}
_PAGES = {"\x1b[5~": -1, "\x1b[6~": 1, " ": 1}
"""The arrow keys, and those that scroll by a page; k, j and space as in less."""


def watch_status(
    settings: "Config", words: Sequence[str], pick: Callable[[Shown], list[Watched]]
) -> None:
    console = Console(highlight=False)
    if not sys.stdout.isatty():
        fail("--watch needs a terminal: leave it out, or repeat `status --json`")
    screen = Screen()
    with (
        _keys() as read_key,
        # Rich's stand-in for standard output does not know its encoding.
        Live(console=console, auto_refresh=False, screen=True, redirect_stdout=False) as live,
    ):
        try:
            while True:
                seen = _read(settings, words)
                until = time.monotonic() + _REFRESH_SECONDS
                while (left := until - time.monotonic()) > 0:
                    width, height = console.size
                    live.update(screen.draw(seen, pick, width, height), refresh=True)
                    key = read_key(left)
                    if key == _END:
                        return
                    screen.scroll(key)
        except KeyboardInterrupt:
            return


def _read(settings: "Config", words: Sequence[str]) -> Shown | str:
    """What the ledger says, or why it cannot be read now."""
    from watchdog.app.ledger import read_ledger
    from watchdog.app.setup import SetupError

    try:
        return asyncio.run(read_ledger(settings, lambda tx: shown(tx, settings, words)))
    except SetupError as error:
        return str(error)


class Screen:
    """Which rows are shown: `first` is the first of them, `page` how many there is room for."""

    def __init__(self) -> None:
        self.first = 0
        self._page = 1

    def scroll(self, key: str) -> None:
        self.first += _LINES.get(key, 0) + _PAGES.get(key, 0) * self._page

    def draw(
        self,
        seen: Shown | str,
        pick: Callable[[Shown], list[Watched]],
        width: int,
        height: int,
    ) -> Group:
        """Exactly what fits the terminal, with the numbers of rows above and below."""
        if isinstance(seen, str):
            return Group(*(Text(line, style="red") for line in folded(seen, width)))
        picked = pick(seen)
        above = _lines([seen.summary()], width, height // 3)
        below = _lines(list(seen.notes()), width, height // 3)
        # The heading of the table, and the last line.
        self._page = max(1, height - len(above) - len(below) - 2)
        self.first = max(0, min(self.first, len(picked) - self._page))
        shown_rows = picked[self.first : self.first + self._page]
        hidden = len(picked) - self.first - len(shown_rows)
        hint = "q ends"
        if self.first or hidden:
            hint = f"{self.first} rows above, {hidden} below: arrow keys scroll; {hint}"
        return Group(
            *map(Text, above),
            table(COLUMNS, [cells(each, seen.now) for each in shown_rows], width),
            *map(Text, below),
            Text(hint, style="dim", no_wrap=True, overflow="ellipsis"),
        )


def _lines(texts: Sequence[str], width: int, most: int) -> list[str]:
    """The folded lines of sentences, of which the last says how many lines are left out."""
    lines = [line for text in texts for line in folded(text, width)]
    if len(lines) <= most:
        return lines
    return [*lines[: most - 1], f"{len(lines) - most + 1} more lines: see `status`"]


@contextmanager
def _keys() -> Iterator[Callable[[float], str]]:
    """Reads a key, or nothing after so many seconds. Where standard input is no terminal there are
    no keys."""
    if not sys.stdin.isatty():
        yield _wait
        return
    number = sys.stdin.fileno()
    before = termios.tcgetattr(number)

    def read_key(seconds: float) -> str:
        ready, _, _ = select.select([number], [], [], seconds)
        return os.read(number, _READ_BYTES).decode(errors="replace") if ready else ""

    try:
        tty.setcbreak(number)
        yield read_key
    finally:
        termios.tcsetattr(number, termios.TCSADRAIN, before)


def _wait(seconds: float) -> str:
    time.sleep(seconds)
    return ""
