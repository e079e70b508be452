"""How commands report errors and warnings: one line each, on standard error."""

import errno
import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import NoReturn

EXIT_USAGE = 2
"""Wrong usage or configuration, as for every command."""

EXIT_API = 3
"""The API gave no usable answer."""

_CANNOT_WRITE = frozenset(
    {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EPIPE, errno.EBADF}
)
"""The kernel's errors for an output that cannot be written. Errors of files are reported where the
files are read and written."""


def fail(*problems: str, status: int = EXIT_USAGE) -> NoReturn:
    """Print each problem and end."""
    with suppress(OSError):
        for problem in problems:
            sys.stderr.write(f"error: {problem}\n")
    raise SystemExit(status)


def warn(text: str) -> None:
    sys.stderr.write(f"warning: {text}\n")


def open_standard_streams() -> None:
    """Open the null device in place of each standard stream that the parent process closed, and
    escape characters that the terminal's encoding lacks, because names and notes hold any text.
    Without this, the next opened file, such as the ledger, would get the number of the closed
    stream, and output would be written into it."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # Takes the lowest free descriptor: this one.
    sys.stdout = sys.stdout or os.fdopen(os.dup(1), "w")
    sys.stderr = sys.stderr or os.fdopen(os.dup(2), "w")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


@contextmanager
def written_output() -> Iterator[None]:
    """Flush the output at the end, and report in one line when that fails."""
    try:
        try:
            yield
        finally:
            sys.stdout.flush()
    except OSError as error:
        if error.errno not in _CANNOT_WRITE:
            raise
        _discard(1)
        # The reader closed the pipe because it needs no more output: this is no error.
        told = () if error.errno == errno.EPIPE else (f"cannot write the output: {error.strerror}",)
        fail(*told)
    finally:
        try:
            sys.stderr.flush()
        except OSError:
            _discard(2)


def _discard(number: int) -> None:
    """Discard what the stream still buffers: otherwise Python would fail on it when it exits."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, number)
    os.close(null)
