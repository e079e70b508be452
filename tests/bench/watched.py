"""The whole daemon, as `run` starts it, except that it may exceed the limits that a configuration
must keep because of the API. Reports what the checks between two marks took, and ends."""

import argparse
import asyncio
import os
import time
from dataclasses import fields
from pathlib import Path

from tests.bench.usage import cpu_seconds, resident_bytes, tell
from watchdog.app.daemon import Daemon
from watchdog.config import Config, load_config
from watchdog.domain.records import FleetLimits
from watchdog.engine.events import CheckDone, CheckStarted, Event

_NO_LIMIT = 1_000_000


class Marks:
    """Listens to the checks, and counts so many of them after the first ones."""

    def __init__(self, first: int, count: int, stop: asyncio.Event) -> None:
        self._first = first
        self._last = first + count
        self._stop = stop
        self._done = 0
        self._began = (0.0, 0.0)
        self._late: list[float] = []

    def __call__(self, event: Event) -> None:
        if isinstance(event, CheckStarted):
            if not event.model_id.startswith("hang") and self._done >= self._first:
                self._late.append(event.lateness.total_seconds())
            return
        if not isinstance(event, CheckDone):
            return
        self._done += 1
        if self._done == self._first:
            self._began = (cpu_seconds(), time.monotonic())
        if self._done == self._last:
            tell(
                cpu_seconds=cpu_seconds() - self._began[0],
                wall_seconds=time.monotonic() - self._began[1],
                checks=self._last - self._first,
                resident_bytes=resident_bytes(),
                late_seconds=sorted(self._late),
            )
            self._stop.set()


def freed(config: Config, rate: float | None) -> Config:
    """Without the limits on retries, which would be spent after the first ten, and at another pace
    if there is one."""
    baseten, fleet = config.baseten, config.fleet
    if rate is not None:
        baseten = baseten.model_copy(update={"max_requests_per_second": rate})
    breaker = fleet.breaker.model_copy(update={"min_failures": _NO_LIMIT})
    limits = [each.name for each in fields(FleetLimits)]
    fleet = fleet.model_copy(update={**dict.fromkeys(limits, _NO_LIMIT), "breaker": breaker})
    return config.model_copy(update={"baseten": baseten, "fleet": fleet})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("config", type=Path)
    parser.add_argument("--rate", type=float, help="requests a second, in place of the setting")
    parser.add_argument("--first", type=int, required=True)
    parser.add_argument("--count", type=int, required=True)
    given = parser.parse_args()
    config = freed(load_config(given.config).config, given.rate)

    async def run() -> None:
        stop = asyncio.Event()
        await Daemon(config, os.environ, listeners=[Marks(given.first, given.count, stop)]).run(
            stop
        )

    asyncio.run(run())


if __name__ == "__main__":
    main()
