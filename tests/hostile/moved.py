"""The real daemon, on a machine whose clocks and whose database a test moves.

Run as a program: `moved.py CONFIG FOLDER`. In the folder, `clock.json` has the seconds by which the
wall clock and the monotonic one are ahead, and `pragmas.json` what SQLite is given before each
transaction. Both are read whenever they matter, and need not be there.
"""

import asyncio
import datetime as datetimes
import json
import os
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Any, Self

import apscheduler.schedulers.base
from sqlalchemy import Engine, event

import watchdog.app.ticking
from watchdog.app.daemon import Daemon
from watchdog.cli.daemon import until_signalled
from watchdog.clock import SystemClock
from watchdog.config import load_config

CLOCK = "clock.json"
PRAGMAS = "pragmas.json"


def _read(path: Path, default: Any) -> Any:
    """A file that is replaced as a whole, never half written."""
    try:
        return json.loads(path.read_text())
    except FileNotFoundError:
        return default


def make_wall(folder: Path) -> Callable[[], datetime]:
    def wall() -> datetime:
        ahead = _read(folder / CLOCK, {}).get("wall", 0)
        return datetime.now(UTC) + timedelta(seconds=ahead)

    return wall


def make_steady(folder: Path) -> Callable[[], float]:
    def steady() -> float:
        return monotonic() + float(_read(folder / CLOCK, {}).get("steady", 0))

    return steady


def move_what_the_scheduler_reads(wall: Callable[[], datetime]) -> None:
    """APScheduler reads the machine's wall clock itself, and so does who minds it."""

    class Moved(datetimes.datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Self:
            return wall().astimezone(tz)  # type: ignore[return-value]

    for module in (apscheduler.schedulers.base, watchdog.app.ticking):
        vars(module)["datetime"] = Moved


def give_pragmas(path: Path) -> None:
    @event.listens_for(Engine, "checkout", named=True)
    def checkout(dbapi_connection: Any, **_: Any) -> None:
        for pragma in _read(path, []):
            dbapi_connection.execute(f"PRAGMA {pragma}")


def main(config: Path, folder: Path) -> None:
    wall, steady = make_wall(folder), make_steady(folder)
    move_what_the_scheduler_reads(wall)
    give_pragmas(folder / PRAGMAS)
    daemon = Daemon(
        load_config(config).config,
        os.environ,
        make_clock=partial(SystemClock, wall=wall, steady=steady),
    )
    asyncio.run(until_signalled(daemon))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
