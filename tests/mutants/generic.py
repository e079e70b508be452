"""Every small change of the rules that a machine can think of, by mutmut, on a copy of the tree.

What is left over is compared with `survivors.toml`: a survivor that is not listed there fails the
run, and so does one that is listed and was caught. `python -m tests.mutants.generic`, perhaps with
some patterns of mutmut's: `watchdog.domain.*`.
"""

import os
import re
import shutil
import subprocess
import sys
import time
import tomllib
from collections import Counter, deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.mutants import trees

HERE = Path(__file__).parent
SURVIVORS = HERE / "survivors.toml"

_FILES = ("watchdog", "tests", "config", "pyproject.toml")
_CAUGHT = frozenset({"killed", "timeout", "caught by type check"})
_AT_ONCE = 2
_EVERY = 100
_TOLD_OF_A_FAILURE = 60


@dataclass(frozen=True)
class Change:
    """A change of one function. Numbers are no names: any edit of the function moves them."""

    function: str
    was: str
    now: str

    def __str__(self) -> str:
        lines = [f"in {self.function}"]
        lines += [f"  - {line}" for line in self.was.splitlines()]
        lines += [f"  + {line}" for line in self.now.splitlines()]
        return "\n".join(lines)


@dataclass
class Outcome:
    """How many mutants ended in which way, and those that were not caught."""

    counts: Counter[str] = field(default_factory=Counter)
    survivors: set[Change] = field(default_factory=set)

    def problems(self, accepted: set[Change], *, whole: bool) -> list[str]:
        """What the list of survivors and the survivors do not agree on. A part of the mutants
        cannot show that a listed one is gone."""
        problems = [f"not caught, and not listed: {each}" for each in self.survivors - accepted]
        if whole:
            problems += ["mutmut did not check all of them"] * bool(self.counts["not checked"])
            gone = accepted - self.survivors
            problems += [f"listed, but caught or no longer there: {each}" for each in gone]
        return sorted(problems)


def accepted_survivors() -> set[Change]:
    listed = tomllib.loads(SURVIVORS.read_text())["survivor"]
    for each in listed:
        if not each["because"].strip():
            raise ValueError(f"a survivor without a reason: {each}")
    return {Change(each["in"], each["was"], each["now"]) for each in listed}


def mutate(patterns: Sequence[str]) -> Outcome:
    """Run mutmut on all that its configuration names, or on the mutants that match a pattern."""
    with TemporaryDirectory(prefix="mutants-") as directory:
        tree = trees.copy(Path(directory), *_FILES)
        shutil.copy2(HERE / "mutmut.cfg", tree / "setup.cfg")
        _run(tree, patterns)
        return _outcome(tree)


def _run(tree: Path, patterns: Sequence[str]) -> None:
    told = 0
    said: deque[str] = deque(maxlen=_TOLD_OF_A_FAILURE)
    command = [*_command("run", "--max-children", str(_AT_ONCE)), *patterns]
    with subprocess.Popen(
        command,
        cwd=tree,
        env=_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as run:
        assert run.stdout is not None
        for line in run.stdout:
            progress = re.match(r"\S (\d+)/(\d+) ", line)
            if progress is None:
                said.append(line)
            elif int(progress[1]) >= told + _EVERY:
                told = int(progress[1])
                _say(f"{told} of {progress[2]} mutants")
    if run.returncode:
        raise RuntimeError(f"mutmut ended with {run.returncode}:\n{''.join(said)}")


def _outcome(tree: Path) -> Outcome:
    outcome = Outcome()
    survivors = []
    for line in _ask(tree, "results", "--all", "true").splitlines():
        name, _, status = line.strip().partition(": ")
        outcome.counts[status] += 1
        if status not in _CAUGHT | {"not checked"}:
            survivors.append(name)
    with ThreadPoolExecutor(max_workers=_AT_ONCE) as pool:
        diffs = pool.map(lambda name: _ask(tree, "show", name), survivors)
        outcome.survivors = {
            _change(name, diff) for name, diff in zip(survivors, diffs, strict=True)
        }
    return outcome


def _change(name: str, diff: str) -> Change:
    """From mutmut's name, as in `watchdog.domain.backoff.x_due__mutmut_3`, and its diff."""
    function = re.sub(r"__mutmut_\d+$", "", name)
    function = re.sub(r"\.x_", ".", function.replace(".x\u01c1", ".").replace("\u01c1", "."))
    body = [line for line in diff.splitlines() if not line.startswith(("---", "+++", "#"))]
    was, now = (
        "\n".join(line[1:].strip() for line in body if line.startswith(sign)) for sign in "-+"
    )
    return Change(function, was, now)


def _ask(tree: Path, *arguments: str) -> str:
    done = subprocess.run(
        _command(*arguments),
        cwd=tree,
        env=_environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def _command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "mutmut", *arguments]


def _environment() -> dict[str, str]:
    """The same each time; with the mypy of this environment, which mutmut starts by its name."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return os.environ | {"PATH": path, "PYTHONHASHSEED": "0", "COLUMNS": "200"}


def main(patterns: list[str]) -> int:
    started, accepted = time.monotonic(), accepted_survivors()
    outcome = mutate(patterns)
    problems = outcome.problems(accepted, whole=not patterns)
    for problem in problems:
        _say(problem)
    counts = outcome.counts
    _say(
        f"{counts.total() - counts['not checked']} mutants: {counts['killed']} killed,"
        f" {counts['timeout']} timed out, {counts['caught by type check']} refused by mypy,"
        f" {len(outcome.survivors & accepted)} changes equivalent as listed,"
        f" {len(problems)} problems, in {time.monotonic() - started:.0f} s"
    )
    return int(bool(problems))


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
