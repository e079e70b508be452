"""The real daemon, killed at one exact point of its first attempt.

Run as a program: `crashing.py POINT CONFIG [POINT CONFIG ...]` runs one daemon for each point, side
by side, and prints how each ended, as JSON. They are forks of one process: most of what a start
costs is imports. The kill is the kernel's: nothing is flushed, closed or rolled back by us.
"""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tests.fakes.processes import PATIENCE_SECONDS
from watchdog.app.daemon import Daemon
from watchdog.baseten_api import HttpBasetenApi
from watchdog.baseten_api.connections import Connection
from watchdog.config import load_config
from watchdog.domain.records import Outcome
from watchdog.engine.events import Event, RetryAnswered, RetryReserved, TargetChanged
from watchdog.ledger.attempt_rows import AttemptQueries


def die(*_: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def before(owner: Any, name: str, when: Callable[..., bool] = lambda *_, **__: True) -> None:
    """Die just before a call."""
    original = getattr(owner, name)

    def call(*args: Any, **kwargs: Any) -> Any:
        if when(*args, **kwargs):
            die()
        return original(*args, **kwargs)

    setattr(owner, name, call)


def after(owner: Any, name: str, when: Callable[..., bool] = lambda *_, **__: True) -> None:
    """Die just after a call returned."""
    original = getattr(owner, name)

    def call(*args: Any, **kwargs: Any) -> Any:
        result = original(*args, **kwargs)
        if when(*args, **kwargs):
            die()
        return result

    setattr(owner, name, call)


def after_awaiting(owner: Any, name: str, when: Callable[..., bool]) -> None:
    """Die just after an awaited call returned."""
    original = getattr(owner, name)

    async def call(*args: Any, **kwargs: Any) -> Any:
        result = await original(*args, **kwargs)
        if when(*args, **kwargs):
            die()
        return result

    setattr(owner, name, call)


def urgent(*_: Any, urgent: bool = False) -> bool:
    return urgent


def of_a_post(_: Any, method: str, *__: Any) -> bool:
    return method == "POST"


def recorded(event: Event) -> bool:
    return (
        isinstance(event, TargetChanged)
        and bool(event.attempts)
        and event.attempts[-1].outcome is Outcome.ACCEPTED
    )


LISTENERS: list[Callable[[Event], None]] = []


def on(when: Callable[[Event], bool]) -> None:
    """Die when such an event is sent."""

    def listen(event: Event) -> None:
        if when(event):
            die()

    LISTENERS.append(listen)


API = HttpBasetenApi
POINTS: dict[str, Callable[[], object]] = {
    "before the reservation": lambda: before(AttemptQueries, "add"),
    "reserved, not committed": lambda: after(AttemptQueries, "add"),
    "reserved": lambda: on(lambda event: isinstance(event, RetryReserved)),
    "before looking again": lambda: before(API, "get_deployment", urgent),
    "looked again": lambda: after_awaiting(API, "get_deployment", urgent),
    "before the POST": lambda: before(API, "_retry"),
    "executed, answer on its way": lambda: after_awaiting(Connection, "exchange", of_a_post),
    "answered": lambda: on(lambda event: isinstance(event, RetryAnswered)),
    "recorded, not committed": lambda: after(AttemptQueries, "record_answer"),
    "recorded": lambda: on(recorded),
}
SENT = {
    "executed, answer on its way",
    "answered",
    "recorded, not committed",
    "recorded",
}


def main(arguments: Sequence[str]) -> None:
    pids = {}
    for point, config in zip(arguments[::2], arguments[1::2], strict=True):
        pids[point] = os.fork()
        if pids[point] == 0:
            signal.alarm(PATIENCE_SECONDS)  # Ends the process if it never reaches its point.
            _run(point, config)
    ends = {point: os.waitpid(pid, 0)[1] for point, pid in pids.items()}
    codes = {point: os.waitstatus_to_exitcode(status) for point, status in ends.items()}
    sys.stdout.write(f"ended: {json.dumps(codes)}\n")


def _run(point: str, config: str) -> None:
    POINTS[point]()
    daemon = Daemon(load_config(Path(config)).config, os.environ, listeners=LISTENERS)
    asyncio.run(daemon.run(asyncio.Event()))


if __name__ == "__main__":
    main(sys.argv[1:])
