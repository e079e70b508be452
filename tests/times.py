"""A plug-in of pytest that prints what each folder of tests costs: `make test-times`.

CPU is what the tests used, and the processes that they waited for: one that outlives the last test
is not counted.
"""

import os
from collections.abc import Generator

import pytest

_BEGAN = pytest.StashKey[list[float]]()

_costs: dict[str, list[float]] = {}
"""Tests, CPU seconds and seconds, by folder."""


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None]:
    item.stash[_BEGAN] = _clocks()
    yield


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None]:
    try:
        yield
    finally:
        began = item.stash[_BEGAN]
        spent = [now - then for now, then in zip(_clocks(), began, strict=True)]
        item.user_properties.append(("spent", spent))


def _clocks() -> list[float]:
    """CPU and time in seconds, by clocks that no test replaces."""
    times = os.times()
    return [sum(times[:4]), times.elapsed]


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    for _, spent in (each for each in report.user_properties if each[0] == "spent"):
        cost = _costs.setdefault(report.nodeid.split("/")[1], [0, 0, 0])
        cost[:] = [was + more for was, more in zip(cost, [1, *spent], strict=True)]  # type: ignore[misc]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    total = [sum(column) for column in zip(*_costs.values(), strict=True)]
    terminalreporter.section("what the tests cost")
    terminalreporter.line(f"{'folder':<14}{'tests':>7}{'CPU s':>8}{'s':>8}")
    for folder, (tests, cpu, seconds) in [*sorted(_costs.items()), ("all", total)]:
        terminalreporter.line(f"{folder:<14}{tests:>7.0f}{cpu:>8.1f}{seconds:>8.1f}")
