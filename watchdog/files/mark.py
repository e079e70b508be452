"""Whether a file has changed."""

from pathlib import Path

Mark = tuple[int, int, int]


def mark_of(file: Path) -> Mark:
    """A value that changes when the file's content changes, made without reading the file. If the
    path is a symbolic link, it is that of the link's target, because links may be swapped. Raises
    OSError."""
    stat = file.stat()
    return stat.st_mtime_ns, stat.st_ino, stat.st_size
