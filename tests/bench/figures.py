"""Writes the tables of docs/benchmarks.md anew: `make figures`.

Every table is made of the results that are kept in `docs/benchmarks.json`. If `bench.json` has
newer results of a benchmark, they replace all kept results of it.
"""

import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby

from tests.bench import libraries
from tests.bench.__main__ import BENCHMARKS
from tests.bench.measure import Row
from tests.bench.results import KEPT, LAST_RUN, Result, read, write
from tests.generated import with_part

_DOCS = KEPT.parent
DOCUMENT = _DOCS / "benchmarks.md"
LIBRARIES = "libraries"


def with_figures(document: str, kept: Sequence[Result]) -> str:
    """The document, with the tables of these results."""
    others = [each for each in kept if each.benchmark != LIBRARIES]
    imports = [each for each in kept if each.benchmark == LIBRARIES]
    parts = {
        "figures": _table(others),
        LIBRARIES: _of_libraries(imports, _reasons((_DOCS / "architecture.md").read_text())),
        "machines": _machines(kept),
    }
    for name, content in parts.items():
        document = with_part(document, name, content, made_by="make figures")
    return document


def merged(kept: Iterable[Result], newer: Iterable[Result]) -> list[Result]:
    """The kept results, but for each benchmark that was measured again the newer ones; in the order
    of the benchmarks."""
    by_name = {name: list(rows) for name, rows in groupby(kept, lambda each: each.benchmark)}
    by_name |= {name: list(rows) for name, rows in groupby(newer, lambda each: each.benchmark)}
    return [each for name in BENCHMARKS for each in by_name.get(name, ())]


def _table(results: Iterable[Result]) -> str:
    lines = ["| `ONLY=` | what | figure | goal | spread | from |", "|---|---|---|---|---|---|"]
    for each in results:
        row = each.row
        goal = f"{row.bound}, **not reached**" if row.good is False else row.bound
        cells = (f"`{each.benchmark}`", row.what, row.figure, goal, row.spread, row.parts)
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _of_libraries(results: Sequence[Result], reasons: Mapping[str, str]) -> str:
    lines = ["| imported | CPU | memory | what it is there for |", "|---|---|---|---|"]
    for label, pair in groupby(results, lambda each: libraries.label_of(each.row)):
        figures = [_with_a_warning(each.row) for each in pair]
        lines.append(f"| {' | '.join((label, *figures, reasons.get(label, '')))} |")
    return "\n".join(lines)


def _with_a_warning(row: Row) -> str:
    return f"{row.figure} ({row.spread})" if row.unsteady else row.figure


def _reasons(architecture: str) -> dict[str, str]:
    """By the packages, as they stand in its table of dependencies."""
    section = architecture.partition("## The dependencies")[2]
    return dict(re.findall(r"(?m)^\| (`[a-z0-9-]+`) \| (.+) \|$", section))


def _machines(results: Sequence[Result]) -> str:
    """When and where each benchmark was run, and which ones never were."""
    found: dict[tuple[str, str], list[str]] = {}
    for name, rows in groupby(results, lambda each: each.benchmark):
        first = next(rows)
        found.setdefault((first.day, first.machine), []).append(f"`{name}`")
    lines = [f"- {day}, {machine}: {', '.join(names)}" for (day, machine), names in found.items()]
    measured = {each.benchmark for each in results}
    if missing := [f"`{name}`" for name in BENCHMARKS if name not in measured]:
        lines.append(f"- not measured yet: {', '.join(missing)}")
    return "\n".join(lines)


def main() -> None:
    newer = read(LAST_RUN)
    if any(each.short for each in newer):
        sys.exit(f"error: {LAST_RUN.name} is of a short run, whose figures mean nothing")
    write(KEPT, merged(read(KEPT), newer))
    DOCUMENT.write_text(with_figures(DOCUMENT.read_text(), read(KEPT)))


if __name__ == "__main__":
    main()
