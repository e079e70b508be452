"""What a piece of work took."""

import json
import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_PAGE_BYTES = resource.getpagesize()


@dataclass
class Usage:
    """CPU time of this process and of its children that have ended."""

    cpu_seconds: float = 0.0
    wall_seconds: float = 0.0


@contextmanager
def used() -> Iterator[Usage]:
    usage = Usage()
    cpu, wall = cpu_seconds(), time.monotonic()
    try:
        yield usage
    finally:
        usage.cpu_seconds = cpu_seconds() - cpu
        usage.wall_seconds = time.monotonic() - wall


def cpu_seconds() -> float:
    total = 0.0
    for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN):
        found = resource.getrusage(who)
        total += found.ru_utime + found.ru_stime
    return total


def resident_bytes(pid: int | str = "self") -> int:
    """Of a process, now, and not at the most."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE_BYTES


def tell(**figures: Any) -> None:
    """Report the measurements to the parent process."""
    sys.stdout.write(json.dumps(figures) + "\n")
    sys.stdout.flush()
