"""`make mutants`: changes the rules in domain/ and text/ with mutmut, and compares the changes that
survive the tests with the list of those that may survive."""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
LIST = Path(__file__).with_name("survivors.toml")

_CAUGHT = frozenset({"killed", "timeout"})
_NUMBER = re.compile(r"__mutmut_[0-9]+$")


@dataclass(frozen=True, order=True)
class Survivor:
    """A change that no test notices. Without its number, which changes with every edit: the
    function, the line as it is, and the line instead."""

    function: str
    line: str
    instead: str

    def __str__(self) -> str:
        rows = [f"{name} = {json.dumps(value)}" for name, value in vars(self).items()]
        return "\n".join(["[[survivor]]", *rows, 'reason = ""'])


def main() -> int:
    shutil.rmtree(ROOT / "mutants", ignore_errors=True)  # mutmut would reuse earlier results.
    _mutmut("run", "--max-children", str(os.cpu_count() or 1))
    found = {_survivor(name) for name in _names(_output("results"))}
    allowed = read(LIST.read_text())
    for survivor in sorted(found - allowed.keys()):
        say(f"not caught, and not listed in {LIST.relative_to(ROOT)}:\n{survivor}\n")
    for survivor in sorted(allowed.keys() - found):
        say(f"listed, but caught or gone:\n{survivor}\n")
    say(f"{len(found)} survive, {len(found & allowed.keys())} of them with a reason")
    return int(found != allowed.keys())


def read(text: str) -> Mapping[Survivor, str]:
    """The reasons. ValueError where there is none."""
    listed = tomllib.loads(text)["survivor"]
    reasons = {
        Survivor(row["function"], row["line"], instead): row["reason"]
        for row in listed
        for instead in ([row["instead"]] if isinstance(row["instead"], str) else row["instead"])
    }
    for survivor, reason in reasons.items():
        if not reason:
            raise ValueError(f"no reason:\n{survivor}")
    return reasons


def _names(results: str) -> Iterator[str]:
    for line in results.splitlines():
        name, _, status = line.strip().partition(": ")
        if status not in _CAUGHT:
            yield name


def _survivor(name: str) -> Survivor:
    module, _, function = _NUMBER.sub("", name).rpartition(".")
    lines = _output("show", name).splitlines()
    return Survivor(
        f"{module}.{function.removeprefix('x_').removeprefix('xǁ').replace('ǁ', '.')}",
        _joined(lines, "-"),
        _joined(lines, "+"),
    )


def _joined(lines: list[str], sign: str) -> str:
    changed = [line[1:].strip() for line in lines if line.startswith(sign)]
    return " ".join(line for line in changed if not line.startswith(sign * 2))


def _mutmut(*arguments: str) -> None:
    subprocess.run(_command(*arguments), cwd=ROOT, env=os.environ | {"CI": "1"}, check=True)


def _output(*arguments: str) -> str:
    run = subprocess.run(
        _command(*arguments), cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True
    )
    return run.stdout


def _command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "mutmut", *arguments]


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


if __name__ == "__main__":
    sys.exit(main())
