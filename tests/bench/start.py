"""How long a start takes: until /healthz answers, and until the first check is sent. Also how much
memory the process of a daemon needs, which `growth` measures for more sizes."""

import os
import time
import urllib.request
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from tests.bench.measure import (
    Figures,
    Row,
    Scale,
    child,
    ids,
    interleaved,
    measured,
    server,
    values,
    workplace,
)
from tests.bench.seeded import seed
from tests.bench.usage import resident_bytes
from tests.fakes.processes import Process, daemon, get, running

_TARGETS = 10
_FEW = 30
_POLL_SECONDS = 0.01
_SETTLE_SECONDS = 3
_RATE = 900
"""Requests a second, so that ten thousand targets are checked soon."""

_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
"""The units in which /proc counts the CPU of a process, in a second."""

MORE: dict[str, Any] = {
    "notify": [{"name": "ops", "url": "http://127.0.0.1:9/hook"}],
    "causes": [{"match": "no space left on device", "cause": "platform"}],
}
WITH_MORE = "with a receiver of notifications and a cause"
FLOOR = "a Python process that imports httpx and prometheus_client"


def of_the_daemon(scale: Scale) -> list[Row]:
    """Compared with the floor: the cost of only the libraries that it cannot do without."""
    with server(log=True) as url:
        runs = {
            "floor": floor,
            "first": lambda: _until_the_first_check(url),
            "known": lambda: _until_healthy(url),
            "new": lambda: _until_healthy(url, new=True),
            "more": lambda: _until_healthy(url, **MORE),
        }
        interleaved(runs, 1)  # This compiles the modules.
        found = {
            name: values(each, "cpu_seconds")
            for name, each in interleaved(runs, scale.times).items()
        }
    healthy = f"from the start to /healthz, {_FEW} targets"
    first = f"from the start to the first check sent, {_TARGETS} targets"
    return [
        measured(9, FLOOR, found["floor"], "s CPU"),
        measured(9, healthy, found["known"], "s CPU", at_most=0.6),
        measured(9, f"{healthy}, a new ledger", found["new"], "s CPU"),
        measured(9, f"{healthy}, {WITH_MORE}", found["more"], "s CPU"),
        measured(9, first, found["first"], "s CPU", at_most=1.0),
    ]


def floor() -> Figures:
    return child("floor")


def lived(url: str, targets: Sequence[str], **sections: Any) -> Figures:
    """The memory of a daemon that knows its targets and has checked each of them."""
    baseten = {"max_requests_per_second": _RATE}
    before = _asked(url)
    with workplace(url, targets, baseten=baseten, **sections) as config:
        seed(config, targets, spread=timedelta(seconds=max(1, len(targets) / _RATE)))
        with running(daemon(config)) as process:
            while _asked(url) - before < len(targets):
                time.sleep(_SETTLE_SECONDS)  # Each look at so long a log takes CPU from the daemon.
            time.sleep(_SETTLE_SECONDS)
            return {"resident_bytes": resident_bytes(process.pid)}


def _until_healthy(url: str, *, new: bool = False, **sections: Any) -> Figures:
    models = ids(_FEW)
    with workplace(url, models, **sections) as config:
        if not new:
            seed(config, models, spread=timedelta(minutes=1))
        with running(daemon(config)) as process:
            page = process.event("started")["page"]
            assert get(f"{page}healthz")[0] == 200
            return _cpu(process)


def _until_the_first_check(url: str) -> Figures:
    before = _asked(url)
    with workplace(url, ids(_TARGETS)) as config, running(daemon(config)) as process:
        while _asked(url) == before:
            time.sleep(_POLL_SECONDS)
        return _cpu(process)


def _cpu(process: Process) -> Figures:
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return {"cpu_seconds": (int(fields[11]) + int(fields[12])) / _TICKS_PER_SECOND}


def _asked(url: str) -> int:
    with urllib.request.urlopen(f"{url}/_bench/log") as answer:
        return bytes(answer.read()).count(b"GET")
