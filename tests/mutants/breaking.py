"""Runs broken watchdogs, one at a time, and checks whether the tests notice.

pytest collects the tests of all of them once. Then each runs in its own child process, forked from
that one, which is changed permanently and ends with the first failing test.
"""

import os
import signal
import sys
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from enum import IntEnum
from pathlib import Path
from tempfile import TemporaryDirectory
from traceback import format_exception

import pytest
from _pytest.runner import runtestprotocol

from tests.mutants.mutant import Mutant

_SECONDS = 600
"""Patience with one mutant: one that never ends its test has not been caught."""


class _Exit(IntEnum):
    """The exit statuses of a child: none of them occurs by accident."""

    CAUGHT = 100
    SURVIVED = 101
    USELESS = 102


class Breaking:
    """A pytest plugin: in place of running the tests it fills `problems`, by the mutant's name."""

    def __init__(self, mutants: Sequence[Mutant]) -> None:
        self._mutants = mutants
        self.problems: dict[str, str] = {}

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool | None:
        if session.testsfailed:
            return None  # They could not be collected, which pytest itself tells.
        with TemporaryDirectory(prefix="mutants-") as directory:
            for mutant in self._mutants:
                items = [item for item in session.items if _is_of(item.nodeid, mutant.test)]
                problem = "no test of that name"
                if items:
                    problem = _problem_with(mutant, items, Path(directory) / "output")
                if problem:
                    self.problems[mutant.name] = problem
        return True


def break_all(mutants: Sequence[Mutant]) -> dict[str, str]:
    """Why the tests do not catch a mutant, by its name, for each that they do not. Exits when the
    tests cannot be collected."""
    # By file, for pytest to collect what there is: a test that is gone is that mutant's problem.
    files = sorted({mutant.test.partition("::")[0] for mutant in mutants})
    options = ["-q", "--no-header", "--no-summary", "--assert=plain", "-p", "tests.mutants.plugin"]
    options += [f"-pno:{plugin}" for plugin in ("cacheprovider", "xdist", "cov")]
    breaking = Breaking(mutants)
    code = pytest.main([*options, *files], plugins=[breaking])
    if code is not pytest.ExitCode.OK:
        sys.exit(int(code))
    return breaking.problems


def _is_of(node_id: str, test: str) -> bool:
    return node_id == test or node_id.startswith((f"{test}[", f"{test}:"))


def _problem_with(mutant: Mutant, items: Sequence[pytest.Item], output: Path) -> str:
    """Empty if the tests catch it."""
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        _end_as(mutant, items, output)
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    said = output.read_text() if output.exists() else ""
    match code:
        case _Exit.CAUGHT:
            return ""
        case _Exit.SURVIVED:
            return f"not caught by {mutant.test}"
        case _Exit.USELESS:
            return said
        case killed if killed == -signal.SIGALRM:
            return f"still running after {_SECONDS} s"
        case _:
            return f"its process ended with {code}\n{said}"


def _end_as(mutant: Mutant, items: Sequence[pytest.Item], output: Path) -> None:
    """Run the tests of a mutant, in the child, and end."""
    code = 1
    signal.alarm(_SECONDS)
    try:
        with output.open("w") as file, redirect_stdout(file), redirect_stderr(file):
            code, said = _fate(mutant, items)
            file.write(said)
    except BaseException as error:  # noqa: BLE001 - the parent is told, whatever it is
        output.write_text("".join(format_exception(error)))
    finally:
        os._exit(code)


def _fate(mutant: Mutant, items: Sequence[pytest.Item]) -> tuple[_Exit, str]:
    traces = [change.make() for change in mutant.changes]
    caught = any(_fails(item) for item in items)
    for trace in traces:
        if trace.crash is not None:
            crash = "".join(format_exception(trace.crash, limit=-3))
            return _Exit.USELESS, f"it is broken in another way than it should be:\n{crash}"
        if not trace.calls:
            return _Exit.USELESS, "a part that is broken is never used by its tests"
    return (_Exit.CAUGHT, "") if caught else (_Exit.SURVIVED, "")


def _fails(item: pytest.Item) -> bool:
    return any(report.failed for report in runtestprotocol(item, log=False))
