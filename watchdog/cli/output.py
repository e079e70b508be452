"""What commands print: tables and JSON, for a person or for a pipe."""

import json
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from watchdog.text.untrusted import clean

_PIPE_WIDTH = 100_000
"""So wide that nothing wraps: each record is one line for `grep` and `awk`."""

_STATE_STYLES = {
    "healthy": "green",
    "in_progress": "cyan",
    "recovering": "cyan",
    "waiting": "yellow",
    "exhausted": "bold red",
    "stuck": "bold red",
    "broken": "bold red",
    "missing": "bold red",
    "error": "red",
}


def print_json(value: object) -> None:
    """One indented JSON document; datetimes in ISO 8601, durations in seconds."""
    sys.stdout.write(json.dumps(value, indent=2, default=_plain) + "\n")


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table for a terminal; for a pipe the same columns, aligned, without styles or wrapping."""
    # FORCE_COLOR makes rich take a pipe for a terminal, of 80 columns.
    console = Console(highlight=False, width=None if sys.stdout.isatty() else _PIPE_WIDTH)
    with console.capture() as capture:
        console.print(table(columns, rows))
    sys.stdout.write("".join(f"{line.rstrip()}\n" for line in capture.get().splitlines()))


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    """A cell's text is printed literally: it contains no markup and no control sequences for the
    terminal."""
    made = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="bold")
    for column in columns:
        made.add_column(column.upper(), overflow="fold")
    for row in rows:
        made.add_row(*(Text(clean(cell), style=_STATE_STYLES.get(cell, "")) for cell in row))
    return made


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"cannot print a {type(value).__name__} as JSON")
