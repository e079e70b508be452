"""Writes log lines without ever waiting for the reader of the stream."""

import os
import threading
from collections import deque
from collections.abc import Callable
from typing import TextIO

_MOST_WAITING_BYTES = 128 * 1024
"""About six hundred lines: if more are waiting for the reader, lines are dropped."""

_DRAIN_SECONDS = 2.0
"""Seconds that the process waits at its end for a reader that does not read."""


class LogWriter:
    """The file-like object to which logging writes, in place of the stream.

    A separate thread writes, so that a full pipe, a stopped terminal or a slow disk does not block
    the program. Lines that cannot be written, or for which there is no room, are dropped; `on_drop`
    is called for each, from any thread.

    The thread writes directly to the stream's file descriptor, and not through the stream's buffer:
    a buffer that could not be flushed would fail again when the process ends, and change the exit
    status. A stream in memory, which has no descriptor, is written at once.
    """

    def __init__(self, stream: TextIO, on_drop: Callable[[], None] = lambda: None) -> None:
        self._stream = stream
        self._on_drop = on_drop
        self._waiting: deque[bytes] = deque()
        self._waiting_bytes = 0
        self._changed = threading.Condition()
        self._torn = False
        self._descriptor = _descriptor(stream)
        if self._descriptor is not None:
            # A daemon thread: if it is blocked in a write, the process can still end.
            thread = threading.Thread(
                target=self._work, args=[self._descriptor], name="log", daemon=True
            )
            thread.start()

    def isatty(self) -> bool:
        return self._stream.isatty()

    def flush(self) -> None:
        """Nothing to do: each line is written as soon as possible."""

    def write(self, line: str) -> int:
        """Take a whole line. Never blocks, and never raises because of the stream."""
        if self._descriptor is None:
            self._write_now(line)
        elif not self._queued(line.encode(errors="backslashreplace")):
            self._on_drop()
        return len(line)

    def drain(self) -> None:
        """Wait until all lines are written, at most `_DRAIN_SECONDS`."""
        with self._changed:
            self._changed.wait_for(lambda: not self._waiting_bytes, _DRAIN_SECONDS)

    def _write_now(self, line: str) -> None:
        try:
            self._stream.write(line)
            self._stream.flush()
        except (OSError, ValueError):
            self._on_drop()

    def _queued(self, line: bytes) -> bool:
        with self._changed:
            if self._waiting_bytes + len(line) > _MOST_WAITING_BYTES:
                return False
            self._waiting.append(line)
            self._waiting_bytes += len(line)
            self._changed.notify_all()
            return True

    def _work(self, descriptor: int) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting)
                lines = list(self._waiting)
                self._waiting.clear()
            # In one write: between two writes this thread would have to wait for the interpreter
            # lock.
            self._put(descriptor, lines)
            with self._changed:
                self._waiting_bytes -= sum(map(len, lines))
                self._changed.notify_all()

    def _put(self, descriptor: int, lines: list[bytes]) -> None:
        # If the last line was written only in part, the next one must not continue it.
        left = b"\n" * self._torn + b"".join(lines)
        whole = len(left)
        try:
            while left:
                left = left[os.write(descriptor, left) :]
            self._torn = False
        except OSError:
            self._torn = self._torn or len(left) < whole
            for _ in lines:
                self._on_drop()


def _descriptor(stream: TextIO) -> int | None:
    try:
        return stream.fileno()
    except (OSError, ValueError):
        return None
