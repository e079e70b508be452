"""What each library costs that the watchdog imports: CPU and memory of the import alone, in a new
process, above those of a process that has imported what the watchdog needs of the standard
library."""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Sequence
from functools import partial
from importlib.metadata import packages_distributions
from pathlib import Path

from tests.bench.measure import Figures, Row, Scale, interleaved, measured, values
from tests.fakes.processes import environment

_ROOT = Path(__file__).parents[2]
_GOAL = 9
_TELL = """
import resource, time
def used():
    pages = int(open("/proc/self/statm").read().split()[1])
    return time.process_time(), pages * resource.getpagesize()
{first}
floor = {floor}
{then}
print(*(now - before for now, before in zip(used(), floor)))
"""
_KINDS = {"CPU": ("cpu_seconds", "ms", 1000), "memory": ("resident_bytes", "MB", 1 / 1024**2)}


def of_the_imports(scale: Scale) -> list[Row]:
    """Each package of `pyproject.toml`, by the statements with which the watchdog imports it."""
    standard = _imports(sys.stdlib_module_names)
    packages = {f"`{name}`": _of_package(name) for name in _packages()}
    every = [each for statements in packages.values() for each in statements]
    runs = {
        "Python alone": partial(_whole, []),
        "what the watchdog imports of the standard library": partial(_whole, standard),
        "that and all packages together": partial(_whole, [*standard, *every]),
        **{name: partial(_above, standard, each) for name, each in packages.items()},
    }
    found = interleaved(runs, scale.times)
    return [
        measured(_GOAL, f"{name}: {kind}", values(each, figure, scale=factor), unit)
        for name, each in found.items()
        for kind, (figure, unit, factor) in _KINDS.items()
    ]


def label_of(row: Row) -> str:
    """What was imported. Rows of one label follow one another: CPU, then memory."""
    return row.what.rpartition(": ")[0]


def _whole(statements: Sequence[str]) -> Figures:
    """Of a process, from its start."""
    return _run(_TELL.format(floor="(0, 0)", first="", then="\n".join(statements)))


def _above(first: Sequence[str], then: Sequence[str]) -> Figures:
    """Of the second statements, in a process that has executed the first ones."""
    return _run(_TELL.format(floor="used()", first="\n".join(first), then="\n".join(then)))


def _run(code: str) -> Figures:
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment(), capture_output=True, text=True, check=True
    )
    cpu_seconds, resident_bytes = done.stdout.split()
    return {"cpu_seconds": float(cpu_seconds), "resident_bytes": int(resident_bytes)}


def _packages() -> list[str]:
    project = tomllib.loads((_ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"].values()
    required = [*project["dependencies"], *(each for extra in extras for each in extra)]
    return sorted(re.split(r"[^a-z0-9-]", each)[0] for each in required)


def _of_package(package: str) -> list[str]:
    """The watchdog's own statements; the name alone of what only other packages import."""
    names = {
        name
        for name, distributions in packages_distributions().items()
        if package in (each.lower().replace("_", "-") for each in distributions)
    }
    return _imports(names) or [f"import {name}" for name in sorted(names)]


def _imports(names: frozenset[str] | set[str]) -> list[str]:
    """The statements of the watchdog that import one of these, wherever they stand."""
    return sorted(
        {
            statement
            for source in (_ROOT / "watchdog").rglob("*.py")
            for name, statement in _imported(ast.parse(source.read_text()))
            if name in names
        }
    )


def _imported(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """The name of each package, and the statement; but for those that only a type checker reads."""
    match tree:
        case ast.If(test=ast.Name(id="TYPE_CHECKING")):
            return
        case ast.Import():
            for each in tree.names:
                yield each.name.partition(".")[0], f"import {each.name}"
        case ast.ImportFrom(level=0, module=str(module)) if module != "__future__":
            yield module.partition(".")[0], ast.unparse(tree)
    for child in ast.iter_child_nodes(tree):
        yield from _imported(child)
