"""How commands report errors and warnings: one line each, on standard error."""

import errno
import io
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, NoReturn

from watchdog.text.untrusted import clean

if TYPE_CHECKING:
    from watchdog.engine.ports import ApiError

EXIT_USAGE = 2
"""Wrong usage, configuration or key, as for every command."""

EXIT_API = 3
"""The API gave no usable answer."""

EXIT_CLOSED_PIPE = 141
"""What a shell gives for a program that the signal SIGPIPE ended: the reader of the output closed
the pipe. It must not be one of the exit codes of `check`, because those say something about the
models."""

NARROWEST = 20
"""Columns. No table can be read in fewer, so that what is narrower is taken for this wide."""

_LONGEST_PROBLEM = 2000
"""Characters. A line may quote a path or a list of names, which hold any text."""

_SIZES = {"COLUMNS": (NARROWEST, 100_000), "LINES": (5, 100_000)}
"""The sizes of a terminal that are believed, by their variables."""

_CANNOT_WRITE = frozenset(
    {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EPIPE, errno.EBADF}
)
"""The kernel's errors for an output that cannot be written. Errors of files are reported where the
files are read and written."""


def fail(*problems: str, status: int = EXIT_USAGE) -> NoReturn:
    """Print each problem and end."""
    with suppress(OSError):
        for problem in problems:
            sys.stderr.write(f"error: {one_line(problem)}\n")
    raise SystemExit(status)


def fail_unanswered(error: "ApiError", consequence: str) -> NoReturn:
    """End because the API did not answer as needed: with EXIT_USAGE if it refuses the key, which an
    operator must replace, else with EXIT_API and what follows from it."""
    from watchdog.engine.ports import Denied

    if isinstance(error, Denied):
        fail(
            f"the API refuses the key: {str(error).rstrip('.')}: put a valid Baseten API key into "
            "BASETEN_API_KEY or baseten.api_key_file"
        )
    fail(f"{consequence}: {error}", status=EXIT_API)


def warn(text: str) -> None:
    sys.stderr.write(f"warning: {one_line(text)}\n")


def one_line(text: object) -> str:
    """What is printed of a text or a path, which may hold anything."""
    return clean(str(text), most=_LONGEST_PROBLEM)


def open_standard_streams() -> None:
    """Open the null device in place of each standard stream that the parent process closed, and
    escape characters that the terminal's encoding lacks, because names and notes hold any text.
    Without this, the next opened file, such as the ledger, would get the number of the closed
    stream, and output would be written into it. Python has None in place of a closed stream.

    A closed input can still not be read, and a closed output not be written: both give EBADF, as
    the closed stream does. Errors have no other place to go, and are discarded."""
    for number, mode in enumerate((os.O_WRONLY, os.O_RDONLY, os.O_RDWR)):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, mode)  # Takes the lowest free descriptor: this one.
    sys.stdin = sys.stdin or os.fdopen(0, closefd=False)
    sys.stdout = sys.stdout or os.fdopen(1, "w", closefd=False)
    sys.stderr = sys.stderr or os.fdopen(2, "w", closefd=False)
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def ignore_impossible_sizes() -> None:
    """Forget a size of the terminal in the environment that no terminal has: Rich takes it as it
    is, and then shows nothing in no columns, or fails. Without it the terminal is asked."""
    for name, (least, most) in _SIZES.items():
        size = os.environ.get(name, "")
        if re.fullmatch("[0-9]{1,9}", size) is None or not least <= int(size) <= most:
            os.environ.pop(name, None)


@contextmanager
def written_output() -> Iterator[None]:
    """Flush the output at the end, and report in one line when that fails."""
    try:
        try:
            yield
        finally:
            sys.stdout.flush()
    except SystemExit as error:
        # Rich, which prints the help, handles a closed pipe itself: by an end with 1.
        if isinstance(error.__context__, BrokenPipeError):
            end_on_closed_pipe()
        raise
    except OSError as error:
        if error.errno not in _CANNOT_WRITE:
            raise
        if error.errno == errno.EPIPE:
            end_on_closed_pipe()
        _discard(1)
        fail(f"cannot write the output: {error.strerror}")
    finally:
        try:
            sys.stderr.flush()
        except OSError:
            _discard(2)


def end_on_closed_pipe() -> NoReturn:
    """End without a message when the reader of the output, such as `head`, has closed it."""
    _discard(1)
    raise SystemExit(EXIT_CLOSED_PIPE)


def _discard(number: int) -> None:
    """Discard what the stream still buffers: otherwise Python would fail on it when it exits."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, number)
    os.close(null)
