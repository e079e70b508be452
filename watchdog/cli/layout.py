"""How a table fits a terminal: which columns stay, and how wide each is. No cell is folded, and no
word is broken."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from rich.cells import cell_len, set_cell_size

GAP = 2
"""Spaces between two columns."""

_WIDEST_APART = 32
"""The widest that a column becomes to tell similar names apart at the cost of other columns."""

Shorten = Callable[[str, int, str], str]
"""Makes a text fit into that many cells of the terminal, with a mark for what it left out."""


def shorten_middle(text: str, width: int, mark: str) -> str:
    """For names, whose beginning and end tell them apart."""
    if cell_len(text) <= width:
        return text
    room = max(0, width - cell_len(mark))
    tail = room // 2
    end = _cut(text[::-1], tail)[::-1]
    return f"{_cut(text, room - tail)}{mark}{end}"[: max(width, 0)]


def shorten_end(text: str, width: int, mark: str) -> str:
    """For sentences: cut between two words where possible."""
    if cell_len(text) <= width:
        return text
    whole = _cut(text, max(0, width - cell_len(mark)))
    words = whole.rpartition(" ")[0] if text[len(whole) : len(whole) + 1] != " " else whole
    kept = words if cell_len(words) > width // 2 else whole
    return f"{kept.rstrip()}{mark}"[: max(width, 0)]


def _cut(text: str, width: int) -> str:
    """The beginning of a text, at most so many cells wide. A character is two cells wide in some
    scripts, and is not cut in half."""
    return text if cell_len(text) <= width else set_cell_size(text, width).rstrip(" ")


@dataclass(frozen=True, slots=True)
class Column:
    """`rank`: if there is too little room, the columns with the highest rank are left out first,
    and those of rank 0 stay. `shorten` makes a cell narrower, but not narrower than `least`
    characters, which are enough to recognise a name. A column without `shorten` keeps its width."""

    heading: str
    rank: int = 0
    shorten: Shorten | None = None
    least: int = 20


def fit(
    columns: Sequence[Column], rows: Sequence[Sequence[str]], width: int
) -> list[tuple[int, int]]:
    """The columns that are shown in so many cells of a terminal, each by its place in `columns`
    with its width."""
    natural = [max((cell_len(row[at]) for row in rows), default=0) for at in range(len(columns))]
    natural = [
        max(cell_len(column.heading), found) for column, found in zip(columns, natural, strict=True)
    ]
    least = [
        min(found, max(column.least, cell_len(column.heading))) if column.shorten else found
        for column, found in zip(columns, natural, strict=True)
    ]
    apart = [
        _apart([row[at] for row in rows], least[at], found)
        if column.shorten is shorten_middle
        else least[at]
        for at, (column, found) in enumerate(zip(columns, natural, strict=True))
    ]
    always = [at for at, column in enumerate(columns) if column.rank == 0]
    if sum(apart[at] for at in always) + GAP * (len(always) - 1) <= width:
        least = apart
    shown = _that_stay(columns, least, width)
    left = width - GAP * (len(shown) - 1) - sum(least[at] for at in shown)
    widths = {}
    # What one column does not need of its share goes to those that need more.
    by_need = sorted(shown, key=lambda at: natural[at] - least[at])
    for place, at in enumerate(by_need):
        share = max(0, left) // (len(by_need) - place)
        more = min(share, natural[at] - least[at])
        widths[at], left = least[at] + more, left - more
    return [(at, widths[at]) for at in shown]


def _apart(cells: Iterable[str], least: int, natural: int) -> int:
    """The width from `least` on in which different names stay different; `least` if there is none
    up to `_WIDEST_APART`. Names of one family differ in a few characters only."""
    names = set(cells)
    for width in range(least, min(natural, _WIDEST_APART) + 1):
        if len({shorten_middle(name, width, "…") for name in names}) == len(names):
            return width
    return least


def _that_stay(columns: Sequence[Column], least: Sequence[int], width: int) -> list[int]:
    shown = list(range(len(columns)))
    while sum(least[at] for at in shown) + GAP * (len(shown) - 1) > width:
        goes = max(shown, key=lambda at: (columns[at].rank, at))
        if columns[goes].rank == 0:
            break
        shown.remove(goes)
    return shown
