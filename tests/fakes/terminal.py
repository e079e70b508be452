"""A terminal in which a command runs, and the screen that its user sees."""

import fcntl
import os
import pty
import struct
import subprocess
import termios
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pyte

from tests.fakes.processes import PATIENCE_SECONDS, command, environment, eventually

_READ_BYTES = 65_536
_HISTORY_LINES = 10_000


class Terminal:
    """`written` is what the command wrote, and `lines` what is seen of it, with what was scrolled
    out of the screen."""

    def __init__(self, arguments: list[str], *, columns: int, rows: int, **env: str) -> None:
        self._screen = pyte.HistoryScreen(columns, rows, history=_HISTORY_LINES, ratio=0.5)
        self._stream = pyte.ByteStream(self._screen)
        self._lock = threading.Lock()
        self.written = b""
        self._ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self._process = subprocess.Popen(
            arguments,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env=environment(**{"TERM": "xterm-256color", "TZ": "CET-1", **env}),
            start_new_session=True,
        )
        os.close(theirs)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        with suppress(OSError):  # The kernel's answer once the other end is closed.
            while read := os.read(self._ours, _READ_BYTES):
                with self._lock:
                    self._stream.feed(read)
                    self.written += read

    @property
    def screen(self) -> list[str]:
        """The lines of the screen, without the empty ones at its end."""
        with self._lock:
            shown = [line.rstrip() for line in self._screen.display]
        while shown and not shown[-1]:
            shown.pop()
        return shown

    @property
    def lines(self) -> list[str]:
        """All lines that were printed."""
        with self._lock:
            gone = [
                "".join(line[at].data for at in range(self._screen.columns)).rstrip()
                for line in self._screen.history.top
            ]
        return gone + self.screen

    def until(self, text: str) -> list[str]:
        """The screen, once it shows this text."""
        eventually(lambda: any(text in line for line in self.screen))
        return self.screen

    def type(self, text: str) -> None:
        os.write(self._ours, text.encode())

    def wait(self) -> int:
        """The exit status, once it has ended and all its output is read."""
        status = self._process.wait(PATIENCE_SECONDS)
        self._reader.join(PATIENCE_SECONDS)
        return status

    def close(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait(PATIENCE_SECONDS)
        self._reader.join(PATIENCE_SECONDS)
        os.close(self._ours)


@contextmanager
def terminal(
    *arguments: str | Path, columns: int = 80, rows: int = 24, **env: str
) -> Iterator[Terminal]:
    """One command in a terminal of its own."""
    opened = Terminal(command(*arguments), columns=columns, rows=rows, **env)
    try:
        yield opened
    finally:
        opened.close()


def printed(*arguments: str | Path, columns: int = 80) -> list[str]:
    """The lines that a command printed to a terminal before it ended with 0."""
    with terminal(*arguments, columns=columns) as opened:
        status = opened.wait()
        lines = opened.lines
    assert status == 0, lines
    return lines
