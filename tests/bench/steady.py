"""What the daemon costs while nothing happens: the processor, and the disk."""

import os
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from tests.bench.measure import Figures, Row, Scale, ids, measured, server, values, workplace
from tests.bench.seeded import seed
from tests.fakes.processes import Process, daemon, environment, running

_TARGETS = 30
_INTERVAL = timedelta(minutes=1)
_ON_DISK = "/var/tmp"
_MEGABYTE = 1_000_000
_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
"""The units in which /proc counts the CPU of a process, in a second."""

_IDLE = "import httpx, prometheus_client, time; print('idle', flush=True); time.sleep(1e6)"
"""The floor: a process with the same HTTP client and metrics library that does nothing."""

_WITH_ALL = {
    "notify": [{"name": "ops", "url": "json://127.0.0.1:9"}],
    "policy": {"causes": {"user_code": "never", "capacity_backoff": {"backoff": "15m"}}},
    "causes": [{"match": "quota of team", "cause": "capacity"}],
}
_KINDS: Mapping[str, Mapping[str, Any]] = {
    f"{_TARGETS} healthy models": {},
    f"{_TARGETS} healthy models, with a receiver and causes": _WITH_ALL,
}


_FIGURES = (
    ("CPU of a core", "%", "cpu_percent", 0.25),
    ("written in an hour", "MB", "megabytes_per_hour", 2),
)


@dataclass(frozen=True, slots=True)
class _Counted:
    """What a process has used since it began."""

    cpu_seconds: float
    written_bytes: int


def of_the_daemon(scale: Scale) -> list[Row]:
    """All processes at once, over the same span: each uses too little to delay another. Work that
    is done once an hour is rarely measured: the deletion of old rows, and a write of the plan."""
    warm_up, span = (timedelta(seconds=2),) * 2 if scale.short else (_INTERVAL, 3 * _INTERVAL)
    with ExitStack() as stack:
        url = stack.enter_context(server())
        started = {
            name: [stack.enter_context(_daemon(url, sections)) for _ in range(scale.times)]
            for name, sections in _KINDS.items()
        }
        idle = Process([sys.executable, "-c", _IDLE], environment())
        started["idle"] = [stack.enter_context(running(idle))]
        idle.until("idle")
        time.sleep(warm_up.total_seconds())
        found = _over(span, started)
    floor = found.pop("idle")
    rows = []
    beside = "an idle process with httpx and prometheus_client"
    for name, figures in found.items():
        for said, unit, figure, bound in _FIGURES:
            what, parts = f"steady, {name}, interval 1 m: {said}", f"{floor[0][figure]:.2g} {unit}"
            runs = values(figures, figure)
            rows.append(measured(9, what, runs, unit, f"{parts} of {beside}", at_most=bound))
    return rows


@contextmanager
def _daemon(url: str, sections: Mapping[str, Any]) -> Iterator[Process]:
    watch = {"interval": f"{_INTERVAL.total_seconds():.0f}s", "recovery_interval": "15s"}
    with (
        tempfile.TemporaryDirectory(prefix="watchdog-bench-", dir=_ON_DISK) as folder,
        workplace(
            url,
            ids(_TARGETS),
            watch=watch,
            store={"url": f"sqlite:///{folder}/ledger.db"},
            **sections,
        ) as config,
    ):
        seed(config, ids(_TARGETS), spread=_INTERVAL)
        with running(daemon(config)) as process:
            process.event("started")
            yield process


def _over(span: timedelta, started: Mapping[str, list[Process]]) -> dict[str, list[Figures]]:
    before = {name: [_counted(each.pid) for each in own] for name, own in started.items()}
    began = time.monotonic()
    time.sleep(span.total_seconds())
    seconds = time.monotonic() - began
    return {
        name: [
            _rates(was, _counted(each.pid), seconds)
            for was, each in zip(before[name], own, strict=True)
        ]
        for name, own in started.items()
    }


def _rates(was: _Counted, now: _Counted, seconds: float) -> Figures:
    return {
        "cpu_percent": (now.cpu_seconds - was.cpu_seconds) / seconds * 100,
        "megabytes_per_hour": (now.written_bytes - was.written_bytes)
        / _MEGABYTE
        / (seconds / timedelta(hours=1).total_seconds()),
    }


def _counted(pid: int) -> _Counted:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    written = dict(
        line.split(": ") for line in Path(f"/proc/{pid}/io").read_text().splitlines() if line
    )
    return _Counted(
        (int(fields[11]) + int(fields[12])) / _TICKS_PER_SECOND, int(written["write_bytes"])
    )
