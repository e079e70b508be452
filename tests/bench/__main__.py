"""All benchmarks: `python -m tests.bench`. Prints a table and writes it as JSON. The exit status is
1 when a bound is broken that does not depend on how fast the machine is."""

import argparse
import dataclasses
import json
import sys
from collections.abc import Callable
from pathlib import Path

from tests.bench import cost, far, growth, pace, start, takeover
from tests.bench.measure import Row, Scale
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
    "week": growth.over_a_week,
    "start": start.of_the_daemon,
    "takeover": takeover.of_the_watch,
    "far": far.of_the_watch_list,
}
_RESULTS = Path("bench.json")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("only", nargs="*", choices=[[], *BENCHMARKS], help="all, unless named")
    parser.add_argument("--short", action="store_true", help="see that all of it works")
    parser.add_argument("--json", type=Path, default=_RESULTS, metavar="FILE")
    given = parser.parse_args()
    rows: list[Row] = []
    for name in given.only or BENCHMARKS:
        sys.stderr.write(f"{name} ...\n")
        rows += BENCHMARKS[name](Scale(short=given.short))
    print_table(
        ("goal", "what", "measured", "bound", "kept", "from"), [_cells(row) for row in rows]
    )
    found = [dataclasses.asdict(row) | {"good": row.good} for row in rows]
    given.json.write_text(json.dumps({"short": given.short, "rows": found}, indent=2) + "\n")
    sys.exit(any(row.sure and not row.good for row in rows))


def _cells(row: Row) -> tuple[str, ...]:
    bound = ""
    if row.at_most is not None:
        bound = f"<= {row.at_most:.4g} {row.unit}"
    elif row.at_least is not None:
        bound = f">= {row.at_least:.4g} {row.unit}"
    kept = {None: "", True: "yes", False: "no"}[row.good]
    return str(row.goal), row.what, f"{row.value:.3g} {row.unit}", bound, kept, row.parts


if __name__ == "__main__":
    main()
