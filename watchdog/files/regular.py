"""Opening a file that must be a regular one.

Opening a FIFO waits for its other end, and reading a device may never end. The null device is the
exception where a file is only read: it is a usual way to name an empty file. A symbolic link in
place of a file that the program itself writes may lead to a file of somebody else.
"""

import errno
import os
import stat
from pathlib import Path


def read_regular(file: Path, most_bytes: int) -> bytes:
    """At most so many bytes of a file, and one more if it is longer. Raises OSError, also if it is
    no regular file."""
    check_regular(file)
    # The file may have been replaced since the check, so it is opened in a way that does not wait.
    with os.fdopen(open_regular(file, os.O_RDONLY), "rb") as opened:
        return opened.read(most_bytes + 1)


def check_regular(file: Path, *, null: bool = True) -> None:
    """Raises OSError if there is none, or if it is no regular file; the null device may be one. A
    link is followed."""
    _check(file.stat(), file, null=null)


def open_own(file: Path, flags: int) -> int:
    """A descriptor of a file that the program itself makes; no link is followed. Raises OSError,
    also if it is no regular file."""
    if file.is_symlink():
        raise OSError(errno.ELOOP, "it is a symbolic link, which may lead anywhere", str(file))
    return open_regular(file, flags | os.O_NOFOLLOW)


def open_regular(file: Path, flags: int, *, null: bool = True) -> int:
    """A descriptor of a file; a link is followed. Raises OSError, also if it is no regular file;
    the null device may be one."""
    descriptor = os.open(file, flags | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY, 0o600)
    try:
        _check(os.fstat(descriptor), file, null=null)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _check(found: os.stat_result, file: Path, *, null: bool) -> None:
    if stat.S_ISDIR(found.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(file))
    is_null = stat.S_ISCHR(found.st_mode) and found.st_rdev == Path(os.devnull).stat().st_rdev
    if not stat.S_ISREG(found.st_mode) and not (null and is_null):
        raise OSError(errno.EINVAL, "it is no regular file", str(file))
