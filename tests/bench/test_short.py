"""A short run of every benchmark: it works, and keeps the bounds that hold on every machine."""

import os
import re
import shutil

import pytest

from tests.bench.__main__ import BENCHMARKS
from tests.bench.measure import Row, Scale
from tests.bench.results import KEPT, read

_NEEDS = {"check": ("bash", "curl", "jq"), "workers": ("hey",)}


@pytest.mark.parametrize("name", BENCHMARKS)
def test_it_runs_keeps_what_does_not_depend_on_speed_and_has_the_rows_of_the_document(
    name: str,
) -> None:
    missing = [each for each in _NEEDS.get(name, ()) if shutil.which(each) is None]
    if missing:
        # CI skips nothing.
        leave = pytest.fail if "CI" in os.environ else pytest.skip
        leave(f"needs {', '.join(missing)}: install Debian's packages of these names")
    rows = BENCHMARKS[name](Scale(short=True))
    assert rows
    assert [row.what for row in rows if row.sure and not row.good] == []
    kept = [each.row for each in read(KEPT) if each.benchmark == name]
    if kept:
        again = f"measure it anew: make bench ONLY={name} && make figures"
        assert list(map(_text, kept)) == list(map(_text, rows)), again


def _text(row: Row) -> str:
    """Without numbers: a short run has others."""
    return re.sub(r"[\d.,]*\d", "N", f"{row.what}, {row.unit}")
