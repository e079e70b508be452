"""What commands print: tables and JSON, for a person or for a pipe."""

import json
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from watchdog.domain.untrusted import clean

_PIPE_WIDTH = 100_000
"""Wide enough that nothing wraps: a line of a table is one record to `grep` and `awk`."""

_MARK_LENGTH = 6
"""Enough to tell processes of one host apart."""

_STATE_STYLES = {
    "healthy": "green",
    "in_progress": "cyan",
    "recovering": "cyan",
    "waiting": "yellow",
    "exhausted": "bold red",
    "stuck": "bold red",
    "missing": "red",
    "error": "red",
}


def print_json(value: object) -> None:
    """One indented JSON document; datetimes in ISO 8601, durations in seconds."""
    sys.stdout.write(json.dumps(value, indent=2, default=_plain) + "\n")


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table for a terminal; for a pipe the same columns, aligned, without styles or wrapping."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=_PIPE_WIDTH)
    with console.capture() as capture:
        console.print(table(columns, rows))
    sys.stdout.write("".join(f"{line.rstrip()}\n" for line in capture.get().splitlines()))


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    """Nothing in a cell is read as markup, or as an instruction to the terminal."""
    made = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="bold")
    for column in columns:
        made.add_column(column.upper(), overflow="fold")
    for row in rows:
        made.add_row(*(Text(clean(cell), style=_STATE_STYLES.get(cell, "")) for cell in row))
    return made


def ago(moment: datetime | None, now: datetime) -> str:
    """How long ago, as `kubectl` gives ages; `-` for never."""
    return "-" if moment is None else f"{age(now - moment)} ago"


def ahead(moment: datetime | None, now: datetime) -> str:
    """How far ahead; `-` where there is no time."""
    if moment is None:
        return "-"
    return f"in {age(moment - now)}" if moment > now else "now"


def age(duration: timedelta) -> str:
    """A duration in its two largest units: `45s`, `4m12s`, `3h5m`, `2d4h`."""
    seconds = max(0, round(duration.total_seconds()))
    parts = [
        (seconds // 86_400, "d"),
        (seconds // 3_600 % 24, "h"),
        (seconds // 60 % 60, "m"),
        (seconds % 60, "s"),
    ]
    while len(parts) > 1 and parts[0][0] == 0:
        parts.pop(0)
    return "".join(f"{count}{unit}" for count, unit in parts[:2] if count) or "0s"


def clock_time(moment: datetime | None) -> str:
    """A moment to the second, in UTC as in the logs; `-` for none."""
    return "-" if moment is None else f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def signature(owner: str) -> str:
    """Who signed a reservation, in short: `host/5f3a2c`, and `command@host/5f3a2c` for a command
    that a person ran."""
    role, _, process = owner.partition(":")
    host, _, mark = process.rpartition(":")
    name = "/".join(filter(None, (host, mark[:_MARK_LENGTH])))
    return name if role == "daemon" else f"{role}@{name}"


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"cannot print a {type(value).__name__} as JSON")
