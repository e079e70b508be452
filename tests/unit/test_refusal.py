import errno
import itertools
import os
import socket
import ssl

import pytest

from watchdog.refusal import refusal, system_cause


def _chained(*errors: BaseException) -> BaseException:
    """Each comes from the next one."""
    for above, below in itertools.pairwise(errors):
        above.__cause__ = below
    return errors[0]


EMFILE = OSError(errno.EMFILE, os.strerror(errno.EMFILE))
REFUSED = ConnectionRefusedError(errno.ECONNREFUSED, "Connect call failed ('127.0.0.1', 9)")


@pytest.mark.parametrize(
    ("error", "cause", "refused"),
    [
        (EMFILE, "too many open files", True),
        (_chained(OSError("All attempts failed"), EMFILE), "too many open files", True),
        (
            _chained(ValueError("x"), OSError("y"), ExceptionGroup("z", [OSError("a"), EMFILE])),
            "too many open files",
            True,
        ),
        (OSError(errno.ENOSPC, "No space left on device"), "no space left on device", True),
        (MemoryError(), "out of memory", True),
        (RuntimeError("can't start new thread"), "no more threads can be started", True),
        (_chained(OSError("x"), REFUSED), "connection refused", False),
        (
            socket.gaierror(socket.EAI_NONAME, "Name or service not known"),
            "name or service not known",
            False,
        ),
        (ssl.SSLError(1, "[SSL] certificate verify failed"), None, False),
        (RuntimeError("a bug"), None, False),
        (TimeoutError(), None, False),
    ],
)
def test_the_cause_is_found(error: BaseException, cause: str | None, refused: bool) -> None:
    assert system_cause(error) == cause
    assert refusal(error) == (cause if refused else None)


def _hides_its_cause() -> None:
    try:
        raise EMFILE
    except OSError:
        raise ValueError("above") from None


def test_a_cause_that_a_library_hid_is_found() -> None:
    with pytest.raises(ValueError, match="above") as caught:
        _hides_its_cause()
    assert system_cause(caught.value) == "too many open files"
