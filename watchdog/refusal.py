"""What the operating system refused, said in its own words."""

import errno
import os
import socket
import ssl
from collections.abc import Iterator

_SCARCE = frozenset(
    {
        errno.EMFILE,
        errno.ENFILE,
        errno.ENOMEM,
        errno.ENOSPC,
        errno.EDQUOT,
        errno.EAGAIN,
        errno.ENOBUFS,
    }
)
_NO_THREAD = "can't start new thread"
"""Python raises a RuntimeError with this text and no cause."""


def system_cause(error: BaseException) -> str | None:
    """The system's error that this one comes from, such as "too many open files"; None if there is
    none. Libraries put texts of their own above it, such as "All connection attempts failed"."""
    return next(filter(None, map(_said, _chain(error))), None)


def refusal(error: BaseException) -> str | None:
    """The same error, but only if the system has run out of something: files, threads, memory or
    space."""
    for each in _chain(error):
        if isinstance(each, OSError) and each.errno not in _SCARCE:
            continue
        if said := _said(each):
            return said
    return None


def _said(error: BaseException) -> str | None:
    if isinstance(error, MemoryError):
        return "out of memory"
    if isinstance(error, RuntimeError) and str(error) == _NO_THREAD:
        return "no more threads can be started"
    # The numbers of TLS errors are their own.
    if isinstance(error, OSError) and error.errno and not isinstance(error, ssl.SSLError):
        is_of_names = isinstance(error, socket.gaierror)  # These have their own, too.
        text = str(error.strerror) if is_of_names else os.strerror(error.errno)
        return text[:1].lower() + text[1:]
    return None


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """The error, those that it groups, and what it comes from, even if a library hid that."""
    while error is not None:
        yield error
        if isinstance(error, BaseExceptionGroup):
            for each in error.exceptions:
                yield from _chain(each)
        error = error.__cause__ or error.__context__
