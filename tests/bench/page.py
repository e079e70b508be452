"""How much open pages and scrapers delay the checks."""

import os
import sys
from datetime import timedelta

from tests.bench.measure import (
    Figures,
    Row,
    Scale,
    ids,
    interleaved,
    measured,
    ratio,
    server,
    values,
)
from tests.bench.sweep import sweep
from tests.fakes.processes import Process, free_port, running

_RATE = 95
"""Just below the API's own limit."""

_SECONDS = 15
"""The longest interval of the readers."""


def beside_readers(scale: Scale) -> list[Row]:
    """The checks of many targets while pages are open and scrapers ask, and without them."""
    targets = scale.of(10_000)
    with server() as url:
        found = interleaved(
            {
                "alone": lambda: _sweep(url, targets, scale, free_port()),
                "read": lambda: _read(url, targets, scale),
            },
            scale.times,
        )
    readers = f"{targets:,} targets, 5 pages and 2 scrapers open"
    read, alone = (values(found[name], "checks", "wall_seconds") for name in ("read", "alone"))
    shares = [
        100 * (with_them["cpu_seconds"] - without["cpu_seconds"]) / with_them["wall_seconds"]
        for with_them, without in zip(found["read"], found["alone"], strict=True)
    ]
    return [
        ratio(7, f"checks a second, {readers}, beside none", read, alone, "/s", at_least=0.95),
        measured(7, f"share of a core that is used by them, {readers}", shares, "%"),
    ]


def _read(url: str, targets: int, scale: Scale) -> Figures:
    port = free_port()
    arguments = [sys.executable, "-m", "tests.bench.readers", f"http://127.0.0.1:{port}"]
    with running(Process(arguments, dict(os.environ))):
        return _sweep(url, targets, scale, port)


def _sweep(url: str, targets: int, scale: Scale, port: int) -> Figures:
    return sweep(
        url,
        ids(targets),
        interval=timedelta(seconds=max(1.0, targets / _RATE)),
        first=min(targets, _RATE),
        count=scale.of(_SECONDS * _RATE),
        rate=_RATE,
        server={"port": port},
    )
