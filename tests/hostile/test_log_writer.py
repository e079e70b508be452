"""The writer of log lines, against streams that do not take them."""

import io
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from time import monotonic, sleep
from typing import TextIO

from tests.fakes.processes import PATIENCE_SECONDS
from watchdog.telemetry.log_writer import LogWriter

LINE = f"{'x' * 998}\n"


@contextmanager
def pipe() -> Iterator[tuple[int, TextIO]]:
    """A pipe: its reading end, and a stream into it."""
    reading, writing = os.pipe()
    with os.fdopen(writing, "w") as stream:
        yield reading, stream


def eventually(holds: Callable[[], bool]) -> None:
    until = monotonic() + PATIENCE_SECONDS
    while not holds():
        assert monotonic() < until
        sleep(0.01)


def ends_by_itself(work: Callable[[], object]) -> None:
    """Though what it could wait for never happens."""
    thread = Thread(target=work, daemon=True)
    thread.start()
    thread.join(PATIENCE_SECONDS)
    assert not thread.is_alive()


class Drops:
    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> None:
        self.count += 1


def test_lines_come_out_whole_and_in_order(tmp_path: Path) -> None:
    path, drops = tmp_path / "log", Drops()
    with path.open("w") as stream:
        writer = LogWriter(stream, drops)
        lines = [f"line {number} é \udc80\n" for number in range(1000)]
        for line in lines:
            assert writer.write(line) == len(line)
        writer.drain()
    assert path.read_text() == "".join(lines).replace("\udc80", "\\udc80")
    assert drops.count == 0


def test_a_pipe_that_nobody_reads_keeps_nobody_waiting() -> None:
    drops = Drops()
    with pipe() as (reading, stream):
        writer = LogWriter(stream, drops)
        ends_by_itself(lambda: [writer.write(LINE) for _ in range(1000)])
        # Most of them are dropped: what waits is bounded.
        assert 400 < drops.count < 1000
        taken, got = 1000 - drops.count, 0
        while got < taken * len(LINE):
            got += len(os.read(reading, 1 << 16))
        writer.drain()
        writer.write("and on\n")
        writer.drain()
        assert os.read(reading, 100) == b"and on\n"
        os.close(reading)


def test_the_wait_at_the_end_is_bounded() -> None:
    with pipe() as (reading, stream):
        writer = LogWriter(stream)
        for _ in range(200):
            writer.write(LINE)
        ends_by_itself(writer.drain)
        os.close(reading)


def test_a_broken_pipe_is_counted() -> None:
    drops = Drops()
    with pipe() as (reading, stream):
        writer = LogWriter(stream, drops)
        os.close(reading)
        writer.write(LINE)
        eventually(lambda: drops.count == 1)
        writer.write(LINE)
        eventually(lambda: drops.count == 2)


def test_a_full_disk_is_counted() -> None:
    drops = Drops()
    with Path("/dev/full").open("w") as stream:
        writer = LogWriter(stream, drops)
        writer.write(LINE)
        writer.drain()
    assert drops.count == 1


def test_a_stream_in_memory_is_written_at_once_and_closing_it_hurts_nobody() -> None:
    stream, drops = io.StringIO(), Drops()
    writer = LogWriter(stream, drops)
    writer.write("here\n")
    assert stream.getvalue() == "here\n"
    assert not writer.isatty()
    stream.close()
    writer.write("gone\n")
    assert drops.count == 1
