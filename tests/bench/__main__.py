"""All benchmarks: `python -m tests.bench`. Prints a table, and writes it as JSON after each of
them. The exit status is 1 when a bound is broken that does not depend on how fast the machine
is."""

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tests.bench import (
    commands,
    cost,
    far,
    growth,
    libraries,
    pace,
    page,
    start,
    steady,
    takeover,
    virtual,
)
from tests.bench.measure import Row, Scale
from tests.bench.results import LAST_RUN, Result, now, write
from watchdog.cli.layout import Column
from watchdog.cli.output import print_table

BENCHMARKS: dict[str, Callable[[Scale], list[Row]]] = {
    "check": cost.of_a_check,
    "workers": cost.at_50_workers,
    "limit": pace.limit_of_the_api,
    "reaction": pace.reaction,
    "hanging": pace.head_of_line,
    "fleet": growth.of_the_fleet,
    "ledger": growth.of_the_ledger,
    "memory": growth.of_memory,
    "scrape": growth.of_a_scrape,
    "page": page.beside_readers,
    "week": growth.over_a_week,
    "start": start.of_the_daemon,
    "commands": commands.of_the_commands,
    "steady": steady.of_the_daemon,
    "takeover": takeover.of_the_watch,
    "far": far.of_the_watch_list,
    "simulate": virtual.of_policies,
    "libraries": libraries.of_the_imports,
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("only", nargs="*", choices=[[], *BENCHMARKS], help="all, unless named")
    parser.add_argument("--short", action="store_true", help="see that all of it works")
    parser.add_argument("--json", type=Path, default=LAST_RUN, metavar="FILE")
    given = parser.parse_args()
    found: list[Result] = []
    for name in given.only or BENCHMARKS:
        sys.stderr.write(f"{name} ...")
        sys.stderr.flush()
        began = time.monotonic()
        rows = BENCHMARKS[name](Scale(short=given.short))
        sys.stderr.write(f" {time.monotonic() - began:.0f} s\n")
        found += (now(name, row, short=given.short) for row in rows)
        write(given.json, found)
    print_table(
        [Column(each) for each in ("goal", "what", "measured", "bound", "kept", "spread", "from")],
        [_cells(each.row) for each in found],
        empty="No benchmark was run.",
        wide=True,
    )
    sys.exit(any(each.row.sure and not each.row.good for each in found))


def _cells(row: Row) -> tuple[str, ...]:
    kept = {None: "", True: "yes", False: "no"}[row.good]
    return str(row.goal), row.what, row.figure, row.bound, kept, row.spread, row.parts


if __name__ == "__main__":
    main()
