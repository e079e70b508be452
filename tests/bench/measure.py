"""Measures in new processes, interleaved, and evaluates their figures."""

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.fakes.processes import Process, config_file, environment, running

Figures = dict[str, Any]
Run = Callable[[], Figures]
Found = Mapping[str, Sequence[Figures]]

_PATIENCE_SECONDS = 600

_MUCH = 0.25
"""As a share of the figure. If the runs are further apart, other work of the machine is in them."""


@dataclass(frozen=True, slots=True)
class Scale:
    """How much is measured. `short` only shows that everything works; its figures mean nothing."""

    short: bool

    @property
    def times(self) -> int:
        """How often each is run."""
        return 1 if self.short else 5

    def of(self, full: int) -> int:
        """A number of targets or requests."""
        return max(20, full // 200) if self.short else full


@dataclass(frozen=True, slots=True)
class Row:
    """A figure and its bound. `parts` is what it was computed from. `sure`: it does not depend on
    how fast the machine is, so no run may break the bound. `runs` is the same figure of each run
    alone, where it was measured more than once."""

    goal: int
    what: str
    value: float
    unit: str
    parts: str
    at_most: float | None = None
    at_least: float | None = None
    sure: bool = False
    runs: tuple[float, ...] = ()

    @property
    def good(self) -> bool | None:
        if self.at_most is not None:
            return self.value <= self.at_most
        if self.at_least is not None:
            return self.value >= self.at_least
        return None

    @property
    def figure(self) -> str:
        return f"{number(self.value)} {self.unit}".rstrip()

    @property
    def bound(self) -> str:
        """Empty without one."""
        if self.at_most is not None:
            return f"<= {number(self.at_most)} {self.unit}".rstrip()
        if self.at_least is not None:
            return f">= {number(self.at_least)} {self.unit}".rstrip()
        return ""

    @property
    def spread(self) -> str:
        """From the least to the most of the runs, how many there were, and a word if they differ
        much. Empty if there was one."""
        if len(self.runs) < 2:
            return ""
        least, most = min(self.runs), max(self.runs)
        text = f"{number(least)} to {number(most)} in {len(self.runs)} runs"
        return f"{text}: unsteady" if self.unsteady else text

    @property
    def unsteady(self) -> bool:
        return bool(self.runs) and max(self.runs) - min(self.runs) > _MUCH * abs(self.value)


def number(value: float) -> str:
    """With three digits, or all that stand before the point."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def interleaved(runs: Mapping[str, Run], times: int) -> dict[str, list[Figures]]:
    """Run each in turn, then all again, so that other load of the machine affects them alike."""
    found: dict[str, list[Figures]] = {name: [] for name in runs}
    for _ in range(times):
        for name, run in runs.items():
            found[name].append(run())
    return found


def at_once(runs: Mapping[str, Run], times: int) -> dict[str, list[Figures]]:
    """Run all at the same time, again and again: for what mostly waits, so that none of them delays
    another."""
    found: dict[str, list[Figures]] = {name: [] for name in runs}
    with ThreadPoolExecutor(len(runs)) as pool:
        for _ in range(times):
            started = {name: pool.submit(run) for name, run in runs.items()}
            for name, run in started.items():
                found[name].append(run.result())
    return found


def child(module: str, *arguments: object) -> Figures:
    """Run a module of this folder in its own process. Returns what it printed."""
    done = subprocess.run(
        [sys.executable, "-m", f"tests.bench.{module}", *map(str, arguments)],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=_PATIENCE_SECONDS,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{module} failed:\n{done.stderr[-3000:]}")
    told: Figures = json.loads(done.stdout.splitlines()[-1])
    return told


@contextmanager
def server(*, latency_seconds: float = 0, log: bool = False) -> Iterator[str]:
    """The API of `server`, as a process of its own; its URL."""
    arguments = [sys.executable, "-m", "tests.bench.server"]
    arguments += ["--latency-seconds", str(latency_seconds), *(["--log"] if log else [])]
    with running(Process(arguments, dict(os.environ))) as process:
        yield process.until("http://").strip()


@contextmanager
def workplace(url: str, ids: Sequence[str], **sections: Any) -> Iterator[Path]:
    """A folder with a configuration for these targets, and a fast pace where no section says
    otherwise."""
    with tempfile.TemporaryDirectory(prefix="watchdog-bench-") as name:
        policy = {"first_delay": "0s", "healthy_reset": "1h", **sections.pop("policy", {})}
        yield config_file(Path(name), url, ids, policy=policy, **sections)


def ids(count: int) -> list[str]:
    return [f"m{number:05}" for number in range(count)]


def values(
    found: Sequence[Figures], name: str, per: str | None = None, *, scale: float = 1
) -> tuple[float, ...]:
    """A figure of each run, or one figure per unit of another, multiplied by `scale`."""
    return tuple(scale * each[name] / (each[per] if per else 1) for each in found)


def median(found: Sequence[Figures], name: str, per: str | None = None) -> float:
    """The median of `values`."""
    return float(statistics.median(values(found, name, per)))


def measured(
    goal: int,
    what: str,
    runs: Sequence[float],
    unit: str,
    parts: str = "",
    *,
    at_most: float | None = None,
) -> Row:
    """The median of these runs."""
    return Row(goal, what, statistics.median(runs), unit, parts, at_most, runs=tuple(runs))


def ratio(
    goal: int,
    what: str,
    ours: Sequence[float],
    beside: Sequence[float],
    unit: str = "ms",
    *,
    at_most: float | None = None,
    at_least: float | None = None,
) -> Row:
    """The median of our runs, as a multiple of the median of those beside it. The two were run in
    turns."""
    our_median, other = statistics.median(ours), statistics.median(beside)
    parts = f"{number(our_median)} {unit} / {number(other)} {unit}"
    runs = tuple(one / another for one, another in zip(ours, beside, strict=True))
    return Row(goal, what, our_median / other, "x", parts, at_most, at_least, runs=runs)


def percentile(values: Sequence[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]
