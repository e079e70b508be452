"""What goes wrong with the machine: its clocks, the process, and whoever reads its output."""

import fcntl
import json
import os
import pty
import select
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.fakes.processes import command
from tests.hostile.ledgers import start_movable
from tests.hostile.moved import CLOCK
from tests.hostile.rows import VICTIM, Call, Cause, build_fails
from tests.hostile.seen import READY, holds, until, why
from tests.hostile.stage import Stage

DAY = 86_400
HOUR = 3_600


def move_clocks(stage: Stage, *, wall: float, steady: float = 0.0) -> None:
    new = stage.folder / "clock.new"
    new.write_text(json.dumps({"wall": wall, "steady": steady}))
    new.replace(stage.folder / CLOCK)


def clock_stepped(*, wall: float) -> Cause:
    """The wall clock steps there, and back."""

    @contextmanager
    def stepped(stage: Stage) -> Iterator[None]:
        move_clocks(stage, wall=wall)
        yield
        move_clocks(stage, wall=0)

    return stepped


def suspended(*, wall: float, steady: float) -> Cause:
    """The machine sleeps, and that is over when the daemon sees it."""

    @contextmanager
    def slept(stage: Stage) -> Iterator[None]:
        move_clocks(stage, wall=wall, steady=steady)
        yield

    return slept


def restarted_with_clock(*, wall: float) -> Cause:
    """The wall clock steps while the daemon is down, and back while it is down once more."""

    @contextmanager
    def restarted(stage: Stage) -> Iterator[None]:
        for ahead in (wall, 0):
            assert stage.daemon.stop() == 0
            move_clocks(stage, wall=ahead)
            start_movable(stage)
            if ahead:
                yield

    return restarted


@contextmanager
def paused_by_another_clock(stage: Stage) -> Iterator[None]:
    """The daemon started while the wall clock was an hour ahead; a person's commands go by it."""
    assert stage.daemon.stop() == 0
    move_clocks(stage, wall=HOUR)
    start_movable(stage)
    until(stage, READY)
    move_clocks(stage, wall=0)
    _ordered(stage, "pause", VICTIM, "--for", "30m")
    stage.api.set_status(VICTIM, "BUILD_FAILED")
    yield
    _ordered(stage, "resume", VICTIM)


def _ordered(stage: Stage, *arguments: str) -> None:
    done = Call([*arguments, "--config", stage.config]).run()
    assert done.returncode == 0, done.stderr


@contextmanager
def process_stopped(stage: Stage) -> Iterator[None]:
    stage.daemon.signal(signal.SIGSTOP)
    yield
    stage.daemon.signal(signal.SIGCONT)


def is_stopped(stage: Stage) -> bool:
    stat = Path(f"/proc/{stage.daemon.pid}/stat").read_text()
    return stat.rpartition(")")[2].split()[0] == "T"


_IN_A_TERMINAL = "import os, sys; os.login_tty(0); os.execv(sys.argv[1], sys.argv[1:])"


class Terminal:
    """A terminal with the daemon as the session in it."""

    def __init__(self, stage: Stage) -> None:
        self.screen = ""
        self._master, slave = pty.openpty()
        stage.run(
            *command("run", "--config", stage.config),
            launcher=[sys.executable, "-c", _IN_A_TERMINAL],
            stdin=slave,
            stdout=slave,
            stderr=slave,
        )
        os.close(slave)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._closing = threading.Event()
        self._reader.start()

    def _read(self) -> None:
        while not self._closing.is_set():
            if select.select([self._master], [], [], 0.1)[0]:
                self.screen += os.read(self._master, 1 << 16).decode(errors="replace")

    def close(self) -> None:
        """The kernel then sends SIGHUP, and what is written to the terminal fails."""
        self._closing.set()
        self._reader.join()
        os.close(self._master)


@contextmanager
def terminal_closed(stage: Stage) -> Iterator[None]:
    terminal = Terminal(stage)
    until(stage, holds("a log in the terminal", lambda _: "started" in terminal.screen))
    terminal.close()
    yield


@contextmanager
def nobody_reads(stage: Stage) -> Iterator[None]:
    """Standard error is a pipe, of the least size, that nobody reads until the cause goes."""
    reading, writing = os.pipe()
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4096)
    stage.run(stderr=writing)
    os.close(writing)
    until(stage, READY)
    good = stage.config.read_text()
    talkative = json.loads(good)
    # Each of them is worth a line: together, more than the daemon keeps for a slow reader.
    odd = [f"NO_STATUS_{number}" for number in range(2000)]
    talkative["policy"]["retry_on"] = ["BUILD_FAILED", *odd]
    stage.config.write_text(json.dumps(talkative))
    yield
    log = os.fdopen(reading, errors="replace")
    threading.Thread(target=stage.daemon.read_from, args=[log], daemon=True).start()
    stage.config.write_text(good)


@contextmanager
def nobody_ever_reads(stage: Stage) -> Iterator[None]:
    """Standard error is a pipe that was full before the daemon started, and stays so."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    with suppress(BlockingIOError):
        while True:
            os.write(writing, b"x" * 4096)
    os.set_blocking(writing, True)
    stage.run(stderr=writing)
    os.close(writing)
    stage.closing.callback(os.close, reading)
    yield


@contextmanager
def nobody_there(stage: Stage) -> Iterator[None]:
    """Standard error is a pipe whose reader has gone."""
    reading, writing = os.pipe()
    os.close(reading)
    stage.run(stderr=writing)
    os.close(writing)
    yield


@contextmanager
def full_device(stage: Stage) -> Iterator[None]:
    with Path("/dev/full").open("w") as full:
        stage.run(stderr=full, stdout=full)
        yield


_CLOSED = "import os, sys; os.closerange(0, 3); os.execv(sys.argv[1], sys.argv[1:])"


@contextmanager
def streams_closed(stage: Stage) -> Iterator[None]:
    stage.run(*command("run", "--config", stage.config), launcher=[sys.executable, "-c", _CLOSED])
    yield


@contextmanager
def hung_up(stage: Stage) -> Iterator[None]:
    stage.daemon.signal(signal.SIGHUP)
    yield


def start_with_window_spent(stage: Stage) -> None:
    """A daemon that has spent the victim's window, and must not retry it again."""
    start_movable(stage)
    build_fails(stage, VICTIM)
    until(stage, why(VICTIM, "episode_spent"))
    # Another deployment, and with it another episode.
    stage.api.set_status(VICTIM, None)
    stage.api.set_status(VICTIM, "BUILD_FAILED")
    until(stage, why(VICTIM, "window_spent"))
