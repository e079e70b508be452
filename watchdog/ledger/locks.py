"""File locks next to a SQLite ledger: which process may send, and which process is certainly
dead."""

import fcntl
import os
import time
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from typing import IO

from watchdog.files.regular import open_own

_POLL_SECONDS = 0.1

_MOST_CHARACTERS = 1000
"""Longer than what a holder writes."""


class Role(StrEnum):
    """What a process uses the ledger for. A daemon and a command may retry, and of each there is at
    most one at a time. An operator's process writes and never retries, so that pausing works
    whatever else is running. A reader only reads."""

    DAEMON = "daemon"
    COMMAND = "command"
    OPERATOR = "operator"
    READER = "reader"


class FileLock:
    """An advisory lock that the kernel frees when its holder dies, however it dies.

    The first line of the file is the holder's pid, the second a note that the holder writes. Each
    FileLock opens the file separately, so that two of them conflict even within one process. The
    file is never deleted: whether it exists means nothing, only the lock on it does.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: IO[str] | None = None

    @property
    def is_ours(self) -> bool:
        """Whether this object holds the lock."""
        return self._file is not None

    def acquire(self, wait_seconds: float = 0) -> bool:
        """Take the lock, and wait for it at most `wait_seconds`. Raises OSError if the file cannot
        be created, or is no regular file."""
        deadline = time.monotonic() + wait_seconds
        file = os.fdopen(open_own(self._path, os.O_RDWR | os.O_CREAT), "r+")
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    file.close()
                    return False
                time.sleep(_POLL_SECONDS)
            else:
                file.truncate(0)
                file.write(f"{os.getpid()}\n")
                file.flush()
                self._file = file
                return True

    def release(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def holder(self) -> str:
        """The holder's pid, as a text for messages."""
        return f"pid {self._lines()[0] or 'unknown'}"

    def write_note(self, note: str) -> None:
        """Write a note for other processes over the last note. All notes must be equally long, so
        that no process reads a mixture of two. Does nothing if this object does not hold the lock.
        Raises OSError."""
        if self._file is not None:
            below = len(f"{os.getpid()}\n")
            os.pwrite(self._file.fileno(), f"{note}\n".encode(), below)

    def note(self) -> str:
        """The note of the present or the last holder; empty if there is none."""
        return self._lines()[1]

    def _lines(self) -> tuple[str, str]:
        with (
            suppress(OSError, UnicodeDecodeError),
            os.fdopen(open_own(self._path, os.O_RDONLY)) as file,
        ):
            pid, _, note = file.read(_MOST_CHARACTERS).partition("\n")
            return pid.strip(), note.strip()
        return "", ""

    def is_free(self) -> bool:
        """Whether no process holds the lock at this moment. False if that cannot be found out."""
        try:
            with os.fdopen(open_own(self._path, os.O_RDONLY)) as file:
                # A shared lock: two processes that probe at once must not take each other for a
                # holder.
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except FileNotFoundError:
            return True
        except OSError:
            return False
        return True
