"""What benchmarks measured, when, and on which machine, as it is kept in a file."""

import dataclasses
import json
import os
import platform
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.bench.measure import Row

_ROOT = Path(__file__).parents[2]
LAST_RUN = _ROOT / "bench.json"
"""What the last run measured, of all benchmarks or of some; it is in no commit."""

KEPT = _ROOT / "docs" / "benchmarks.json"
"""What the document shows."""


@dataclass(frozen=True, slots=True)
class Result:
    """One row of a benchmark. A short run is to see that everything works; its figures mean
    nothing."""

    benchmark: str
    day: str
    machine: str
    short: bool
    row: Row


def now(benchmark: str, row: Row, *, short: bool) -> Result:
    """What this machine measured right now."""
    cores = len(os.sched_getaffinity(0))
    machine = f"{cores} cores, Python {platform.python_version()}"
    return Result(benchmark, datetime.now(UTC).date().isoformat(), machine, short, row)


def read(path: Path) -> list[Result]:
    """Nothing, if there is no such file."""
    if not path.exists():
        return []
    return [_result(**each) for each in json.loads(path.read_text())]


def write(path: Path, results: Iterable[Result]) -> None:
    """One line for each row, so that a changed row is one changed line."""
    lines = (json.dumps(dataclasses.asdict(each)) for each in results)
    path.write_text("[\n" + ",\n".join(lines) + "\n]\n")


def _result(**fields: Any) -> Result:
    row = fields.pop("row")
    return Result(**fields, row=Row(**row | {"runs": tuple(row["runs"])}))
