"""How results become tables of a document."""

from pathlib import Path

import pytest

from tests.bench.figures import merged, with_figures
from tests.bench.measure import Row, measured, ratio
from tests.bench.results import Result, now, read, write


def result(benchmark: str, row: Row, day: str = "2026-01-01") -> Result:
    return Result(benchmark, day, "2 cores, Python 3.11.2", short=False, row=row)


STARTED = result("start", measured(9, "from the start", (0.5, 0.6, 0.58), "s CPU", at_most=1))
GET = result("check", ratio(1, "CPU of a GET, beside curl", (2, 4), (4, 8), at_most=0.4))


@pytest.mark.parametrize(
    ("runs", "said"),
    [
        ((1.0, 1.1, 1.2), "1 to 1.2 in 3 runs"),
        ((1.0, 1.1, 1.4), "1 to 1.4 in 3 runs: unsteady"),
        ((1200.0, 1234.4), "1,200 to 1,234 in 2 runs"),
        ((1.0,), ""),
    ],
)
def test_runs_that_differ_much_are_called_unsteady(runs: tuple[float, ...], said: str) -> None:
    assert measured(1, "a check", runs, "ms").spread == said


def test_a_ratio_is_that_of_the_medians_and_its_runs_are_those_of_each_turn() -> None:
    row = ratio(1, "a check, beside another", (2, 3, 5), (4, 5, 5), at_most=1)
    assert (row.figure, row.parts, row.runs) == ("0.6 x", "3 ms / 5 ms", (0.5, 0.6, 1.0))


def test_results_are_read_as_they_were_written(tmp_path: Path) -> None:
    path, results = tmp_path / "results.json", [STARTED, now("check", GET.row, short=True)]
    write(path, results)
    assert read(path) == results
    assert len(path.read_text().splitlines()) == 2 + len(results)


def test_a_benchmark_that_ran_again_replaces_its_own_rows_and_no_others() -> None:
    again = result("start", Row(9, "another row", 1, "s", ""), day="2026-02-02")
    gone = result("no such benchmark", STARTED.row)
    assert merged([STARTED, STARTED, GET, gone], [again]) == [GET, again]


def marked(*names: str) -> str:
    marks = "<!-- {0}: made by `make figures` -->\nold\n<!-- end of {0} -->\n"
    return "\n".join(marks.format(name) for name in names)


def test_a_table_has_a_line_for_each_row_and_says_which_goal_is_not_reached() -> None:
    imports = [
        result("libraries", measured(9, f"`httpx`: {kind}", runs, unit))
        for kind, unit, runs in (("CPU", "ms", (1, 2)), ("memory", "MB", (1.5, 1.5)))
    ]
    document = with_figures(marked("figures", "libraries", "machines"), [GET, STARTED, *imports])
    check = "| `check` | CPU of a GET, beside curl | 0.5 x | <= 0.4 x, **not reached** "
    start = "| `start` | from the start | 0.58 s CPU | <= 1 s CPU | 0.5 to 0.6 in 3 runs |  |"
    library = "| `httpx` | 1.5 ms (1 to 2 in 2 runs: unsteady) | 1.5 MB | the requests to the"
    machine = "- 2026-01-01, 2 cores, Python 3.11.2: `check`, `start`, `libraries`"
    for line in (check, start, library, machine):
        assert f"\n{line}" in document
    assert "old" not in document
    assert "not measured yet: `workers`" in document
