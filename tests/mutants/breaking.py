"""Breaks one rule on a copy of the tree, and runs the tests that must catch it."""

import multiprocessing
import os
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from enum import IntEnum
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.mutants import trees
from tests.mutants.rules import Rule

_TIMEOUT = 300.0
"""Seconds: whatever is this slow has been stopped from stopping."""


class Exit(IntEnum):
    """How a run ends: what pytest returns and 100, as any process that breaks ends with a 1."""

    PASSED = 100 + pytest.ExitCode.OK
    FAILED = 100 + pytest.ExitCode.TESTS_FAILED


# Each run is forked from a process that has imported all of this and nothing of ours: most of the
# second that it would take is spent on imports.
_PROCESSES = multiprocessing.get_context("forkserver")
_PROCESSES.set_forkserver_preload(
    ["pytest", "pytest_asyncio.plugin", "hypothesis.stateful", "looptime", "httpx", "sqlalchemy"]
)


class Breaker:
    """Has a copy of the tests, and makes one of the code for each rule."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._tests = trees.copy(directory / "tests", "tests", "config", "pyproject.toml")
        self._numbers = count()

    def problem_with(self, rule: Rule) -> str | None:
        """Why the tests do not catch the rule's breach; None if they do."""
        tree = trees.copy(self._directory / f"{next(self._numbers)}", "watchdog")
        output = tree / "output"
        try:
            rule.apply(tree)
        except ValueError as error:
            return str(error)
        run = _PROCESSES.Process(target=_run, args=(self._tests, tree, rule.tests, output))
        run.start()
        run.join(_TIMEOUT)
        if run.is_alive():
            run.kill()
            return None
        match run.exitcode:
            case Exit.FAILED:
                return None
            case Exit.PASSED:
                return f"not caught by {' '.join(rule.tests)}"
            case code:
                said = output.read_text() if output.exists() else ""
                return f"the tests do not run (exit code {code})\n{said}"


@contextmanager
def a_breaker() -> Iterator[Breaker]:
    with TemporaryDirectory(prefix="mutants-") as directory:
        yield Breaker(Path(directory))


def break_all(rules: Sequence[Rule]) -> Iterator[tuple[Rule, str | None]]:
    """Each rule with the problem there is with it, two at a time, in their order."""
    with a_breaker() as breaker, ThreadPoolExecutor(max_workers=2) as pool:
        yield from zip(rules, pool.map(breaker.problem_with, rules), strict=True)


def _run(tests: Path, tree: Path, names: Sequence[str], output: Path) -> None:
    """In a process of its own: exit with what pytest returns."""
    os.chdir(tests)
    sys.path[:0] = [str(tree), str(tests)]
    options = ["-x", "-q", "--tb=short", "--assert=plain", "-p", "tests.mutants.plugin"]
    options += [f"-pno:{plugin}" for plugin in ("cacheprovider", "xdist", "cov")]
    with output.open("w") as file, redirect_stdout(file), redirect_stderr(file):
        sys.exit(100 + pytest.main([*options, *names]))
