"""What commands print: tables and JSON, for a person or for a pipe."""

import os
import shutil
import sys
import textwrap
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import typer
from rich.cells import cell_len

from watchdog.cli.console import NARROWEST
from watchdog.cli.layout import GAP, Column, fit
from watchdog.text.json_text import json_text
from watchdog.text.phrases import clock_time
from watchdog.text.untrusted import clean

if TYPE_CHECKING:
    from rich.table import Table

_PIPE_WIDTH = 100_000
"""So wide that nothing is left out: each record is one line for `grep` and `awk`."""

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
    sys.stdout.write(json_text(value))


def print_table(
    columns: Sequence[Column],
    rows: Sequence[Sequence[str]],
    *,
    empty: str,
    wide: bool = False,
) -> None:
    """A table that fits the terminal; for a pipe, or with `wide`, all columns unshortened, each row
    one line. Without rows it prints the sentence `empty`."""
    if not rows:
        say(empty)
        return
    lines = _plain(columns, rows) if _is_plain() else _drawn(columns, rows, wide=wide)
    sys.stdout.write("".join(f"{line.rstrip()}\n" for line in lines))


def _is_plain() -> bool:
    """Whether Rich would add no style: standard output is no terminal, and nothing says that it is
    to be taken for one."""
    return not sys.stdout.isatty() and not {"FORCE_COLOR", "TTY_COMPATIBLE"} & os.environ.keys()


def _plain(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """What `_drawn` makes for a pipe, in a tenth of the time that Rich takes to be imported and to
    draw."""
    widths, texts = _fitted(columns, rows, _PIPE_WIDTH)
    headings = [columns[at].heading.upper() for at in widths]
    for line in (headings, *texts):
        yield "".join(
            f"{text}{' ' * (GAP + width - cell_len(text))}"
            for text, width in zip(line, widths.values(), strict=True)
        )


def _drawn(
    columns: Sequence[Column], rows: Sequence[Sequence[str]], *, wide: bool
) -> Sequence[str]:
    from rich.console import Console

    # FORCE_COLOR makes rich take a pipe for a terminal, of 80 columns.
    terminal = sys.stdout.isatty()
    width = max(shutil.get_terminal_size().columns, NARROWEST)
    console = Console(highlight=False, width=width if terminal and not wide else _PIPE_WIDTH)
    with console.capture() as capture:
        console.print(table(columns, rows, console.width))
    return capture.get().splitlines()


def table(columns: Sequence[Column], rows: Sequence[Sequence[str]], width: int) -> "Table":
    """A table at most so wide. A cell's text is printed literally: it contains no markup and no
    control sequences for the terminal."""
    from rich.table import Table
    from rich.text import Text

    made = Table(
        box=None, pad_edge=False, padding=(0, GAP, 0, 0), header_style="bold", collapse_padding=True
    )
    widths, texts = _fitted(columns, rows, width)
    for at, wide in widths.items():
        made.add_column(columns[at].heading.upper(), width=wide, no_wrap=True, overflow="ellipsis")
    for row, shown in zip(rows, texts, strict=True):
        styles = (_STATE_STYLES.get(row[at], "") for at in widths)
        made.add_row(*map(Text, shown, styles))
    return made


def _fitted(
    columns: Sequence[Column], rows: Sequence[Sequence[str]], width: int
) -> tuple[dict[int, int], list[list[str]]]:
    """The columns that are shown in so many cells of a terminal, each by its place in `columns`
    with its width, and the texts of the rows in them."""
    cells = [[clean(cell) for cell in row] for row in rows]
    widths = dict(fit(columns, cells, width))
    mark = drawn("…", "~")
    texts = [
        [
            shorten(row[at], wide, mark) if (shorten := columns[at].shorten) else row[at]
            for at, wide in widths.items()
        ]
        for row in cells
    ]
    return widths, texts


def say(text: str, *, indent: int = 2) -> None:
    """Print a sentence: on a terminal folded between words, and indented from the second line on;
    for a pipe in one line."""
    typer.echo("\n".join(said(text, indent=indent)))


def said(text: str, *, indent: int = 2) -> list[str]:
    """The lines that `say` prints."""
    if not sys.stdout.isatty():
        return [text]
    return folded(text, shutil.get_terminal_size().columns, indent=indent) or [text]


def folded(text: str, width: int, *, indent: int = 2) -> list[str]:
    """The lines of a sentence that fit so many columns."""
    return textwrap.wrap(
        text,
        width,
        subsequent_indent=" " * indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


def drawn(sign: str, instead: str) -> str:
    """The sign where standard output's encoding has it, else the other text."""
    try:
        sign.encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        return instead
    return sign


def when(moment: datetime | None) -> str:
    """A moment to the second: on a terminal in the reader's time zone, which `zone` names, and for
    a pipe in ISO 8601; `-` for none."""
    if moment is None or not sys.stdout.isatty():
        return clock_time(moment)
    this_year = moment.astimezone().year == datetime.now().astimezone().year
    return f"{moment.astimezone():{'%b %d' if this_year else '%Y-%m-%d'} %H:%M:%S}"


def when_in_zone(moment: datetime | None) -> str:
    """As `when`, with the time zone: for a sentence."""
    if moment is None or not sys.stdout.isatty():
        return clock_time(moment)
    return f"{when(moment)} {zone_name(moment)}"


def zone() -> str:
    """The heading of a column of moments."""
    return f"time ({zone_name(datetime.now(UTC))})" if sys.stdout.isatty() else "time"


def zone_name(moment: datetime) -> str:
    """The name of the reader's time zone at that moment. The system takes a zone that it does not
    know for UTC, under the unknown name."""
    there = moment.astimezone()
    return f"{there:%Z}" if there.utcoffset() else "UTC"
