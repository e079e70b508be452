"""File locks beside a SQLite ledger: who may send, and who is surely dead."""

import fcntl
import os
import time
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from typing import IO

_POLL_SECONDS = 0.1


class Role(StrEnum):
    """What a process wants of the ledger. Each of the first two may retry, and has one holder at a
    time; an operator writes and never retries, so that the brake works beside everybody."""

    DAEMON = "daemon"
    COMMAND = "command"
    OPERATOR = "operator"
    READER = "reader"


class FileLock:
    """An advisory lock that the kernel frees when its holder dies, however it dies.

    The file holds the holder's pid, and below it a note of its. One open file each: a second lock
    on the same path conflicts with the first even within a process. The file stays behind; only the
    lock on it means anything.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: IO[str] | None = None

    @property
    def is_ours(self) -> bool:
        """Whether it was taken here."""
        return self._file is not None

    def acquire(self, wait_seconds: float = 0) -> bool:
        """Take the lock, waiting at most so long. Raises OSError when the file cannot be made."""
        deadline = time.monotonic() + wait_seconds
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        file = os.fdopen(descriptor, "r+")
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
        """The pid that the holder wrote, for people."""
        return f"pid {self._lines()[0] or 'unknown'}"

    def write_note(self, note: str) -> None:
        """Write something for the others, in place of the last note, which is as long: nobody may
        read a part of each. Nothing happens where the lock is not ours. Raises OSError.
        """
        if self._file is not None:
            below = len(f"{os.getpid()}\n")
            os.pwrite(self._file.fileno(), f"{note}\n".encode(), below)

    def note(self) -> str:
        """What the holder, or the last one, wrote for the others; empty where there is nothing."""
        return self._lines()[1]

    def _lines(self) -> tuple[str, str]:
        with suppress(OSError, UnicodeDecodeError):
            pid, _, note = self._path.read_text().partition("\n")
            return pid.strip(), note.strip()
        return "", ""

    def is_free(self) -> bool:
        """Whether nobody holds it at this moment. False when that cannot be told."""
        try:
            with self._path.open() as file:
                # Shared: two who ask at once must not take each other for a holder.
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except FileNotFoundError:
            return True
        except OSError:
            return False
        return True
