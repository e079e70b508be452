"""The real daemon, killed at one exact point of a notification.

Run as a program: `notifying.py POINT CONFIG [POINT CONFIG ...]` runs one daemon for each point, as
forks of one process, and prints how each ended, as JSON. The point `none` is no point: that daemon
ends in order once nothing waits in its outbox any more.
"""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.chaos.crashing import after, after_awaiting, before
from tests.chaos.shortened import LEASE, shorten
from tests.fakes.processes import PATIENCE_SECONDS
from watchdog.app.daemon import Daemon
from watchdog.config import load_config
from watchdog.engine.events import Event, NotificationsWaiting
from watchdog.engine.fleet import outbox
from watchdog.engine.lifecycle import sender
from watchdog.ledger.notice_rows import NoticeQueries
from watchdog.notify import Receivers

POINTS: dict[str, Callable[[], object]] = {
    "state changed, notice not written": lambda: before(NoticeQueries, "put"),
    "notice written, not committed": lambda: after(NoticeQueries, "put"),
    "committed": lambda: before(outbox, "batch", lambda waiting, _: bool(waiting)),
    "claimed, not sent": lambda: before(Receivers, "send"),
    "sent": lambda: after_awaiting(Receivers, "send", lambda *_: True),
    "marked, not committed": lambda: after(sender, "note_sent"),
    "marked": lambda: LISTENERS.append(_die_once_it_is_marked()),
}
TWICE = {"sent", "marked, not committed"}
"""Only where the kill fell between the sending and the record of it."""

LISTENERS: list[Callable[[Event], None]] = []


def _once_it_is_marked(act: Callable[[], object]) -> Callable[[Event], None]:
    seen = []

    def listen(event: Event) -> None:
        if isinstance(event, NotificationsWaiting):
            seen.append(event.count)
            if any(seen) and not event.count:
                act()

    return listen


def _die_once_it_is_marked() -> Callable[[Event], None]:
    return _once_it_is_marked(lambda: os.kill(os.getpid(), signal.SIGKILL))


def main(arguments: Sequence[str]) -> None:
    pids = {}
    for point, config in zip(arguments[::2], arguments[1::2], strict=True):
        pids[config] = os.fork()
        if pids[config] == 0:
            signal.alarm(PATIENCE_SECONDS)  # Ends the process if it never reaches its point.
            _run(point, config)
            os._exit(0)
    ends = {config: os.waitpid(pid, 0)[1] for config, pid in pids.items()}
    codes = {config: os.waitstatus_to_exitcode(status) for config, status in ends.items()}
    sys.stdout.write(f"ended: {json.dumps(codes)}\n")


def _run(point: str, config: str) -> None:
    shorten()
    asyncio.run(_daemon(point, config))


async def _daemon(point: str, config: str) -> None:
    stop = asyncio.Event()
    if point == "none":
        LISTENERS.append(_stop_when_nothing_waits(stop))
    else:
        POINTS[point]()
    daemon = Daemon(load_config(Path(config)).config, os.environ, listeners=LISTENERS)
    await daemon.run(stop)


def _stop_when_nothing_waits(stop: asyncio.Event) -> Callable[[Event], None]:
    """Stop once nothing has waited for longer than a lease, so that all was sent again."""
    quiet: list[float] = []

    def listen(event: Event) -> None:
        if isinstance(event, NotificationsWaiting):
            now = asyncio.get_running_loop().time()
            quiet[:] = [] if event.count else [*quiet, now]
            if quiet and quiet[-1] - quiet[0] > 2 * LEASE.total_seconds():
                stop.set()

    return listen


if __name__ == "__main__":
    main(sys.argv[1:])
