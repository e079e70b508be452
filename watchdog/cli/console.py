"""How commands fail and warn: one line each, on standard error."""

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
"""The API could not be asked."""

_CANNOT_WRITE = frozenset(
    {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EPIPE, errno.EBADF}
)
"""What the kernel says of an output that takes nothing. Files are read and written elsewhere, where
their errors are told."""


def fail(*problems: str, status: int = EXIT_USAGE) -> NoReturn:
    """Print each problem and end."""
    with suppress(OSError):
        for problem in problems:
            sys.stderr.write(f"error: {problem}\n")
    raise SystemExit(status)


def warn(text: str) -> None:
    sys.stderr.write(f"warning: {text}\n")


def open_standard_streams() -> None:
    """Put the null device where a standard stream was closed by who started this process, and have
    what the terminal's encoding does not hold written escaped: names and notes hold any text.

    Where one is closed the next file to be opened, such as the ledger, would be what the streams
    write to.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # Takes the lowest free number, which is this.
    sys.stdout = sys.stdout or os.fdopen(os.dup(1), "w")
    sys.stderr = sys.stderr or os.fdopen(os.dup(2), "w")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


@contextmanager
def written_output() -> Iterator[None]:
    """Write out in the end what is printed, and tell in one line when that cannot be done."""
    try:
        try:
            yield
        finally:
            sys.stdout.flush()
    except OSError as error:
        if error.errno not in _CANNOT_WRITE:
            raise
        _discard(1)
        # Who closed the other end of a pipe has seen enough.
        told = () if error.errno == errno.EPIPE else (f"cannot write the output: {error.strerror}",)
        fail(*told)
    finally:
        try:
            sys.stderr.flush()
        except OSError:
            _discard(2)


def _discard(number: int) -> None:
    """Let what a stream still holds go nowhere, or Python would fail on it at its very end."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, number)
    os.close(null)
