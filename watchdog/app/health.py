"""Asks a daemon whether it is alive, and notes where the daemon of this process can be asked.

A container asks every half minute. So this module imports little, and `health` reads the
configuration only if no note of a running daemon applies.
"""

import os
import socket
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from watchdog.files.places import state_folder
from watchdog.files.regular import open_own, read_regular

EXIT_NOT_ALIVE = 1

_OK = 200

_TIMEOUT_SECONDS = 3
"""Below the time-out that container platforms commonly give a health check."""

_REACHED_AT = {
    "0.0.0.0": ("127.0.0.1",),  # noqa: S104 - asked, not listened on
    "::": ("127.0.0.1", "::1"),
}
"""Where a server that listens on all addresses can be asked. A server on `::` may have no IPv6."""

_MOST_BYTES = 8192
"""Longer than the longest name of a host, a port and a path, and than any answer of the daemon."""

_MOST_TEXT = 500
"""Bytes of the answer's text that are printed."""

_NO_FILE = (OSError, RuntimeError)
"""The second one is for a user without a home directory."""

_SERVER_VARIABLES = "BASETEN_WATCHDOG_SERVER"

Address = tuple[str, int]


class _Note(NamedTuple):
    """Where a daemon listens, and the configuration file by which it was started, or ''."""

    host: str
    port: int
    file: str


def report_health(host: str, port: int) -> int:
    """Ask, print what is answered, and return the exit status."""
    try:
        status, text = ask_health(host, port)
    except OSError as error:
        cause = error.strerror or str(error) or type(error).__name__
        sys.stderr.write(f"no daemon answers at {host}:{port}: {cause}\n")
        return EXIT_NOT_ALIVE
    is_alive = status == _OK
    (sys.stdout if is_alive else sys.stderr).write(f"{text}\n")
    return 0 if is_alive else EXIT_NOT_ALIVE


def ask_health(host: str, port: int) -> tuple[int, str]:
    """The HTTP status and the text of `/healthz`. Raises OSError if nothing answers as a
    web server does."""
    *others, last = _REACHED_AT.get(host, (host,))
    for each in others:
        with suppress(OSError):
            return _ask(each, port)
    return _ask(last, port)


def _ask(host: str, port: int) -> tuple[int, str]:
    """Without `http.client`, whose import takes more CPU than all the rest. In HTTP/1.0 the answer
    ends with the connection."""
    with socket.create_connection((host, port), timeout=_TIMEOUT_SECONDS) as connection:
        connection.sendall(b"GET /healthz HTTP/1.0\r\n\r\n")
        with connection.makefile("rb") as answer:
            head, _, text = answer.read(_MOST_BYTES).partition(b"\r\n\r\n")
    if not head:
        raise ConnectionError("Remote end closed connection without response")
    version, status, *_ = (*head.split(None, 2), b"", b"")
    if not version.startswith(b"HTTP/") or not status.isdigit():
        raise ConnectionError("what answers there is no web server")
    return int(status), text[:_MOST_TEXT].decode(errors="replace").strip()


@contextmanager
def noting_address(host: str, port: int, config: Path | None) -> Iterator[None]:
    """Note the address for `noted_address` until the block ends. If the state folder cannot be
    written, there is no note."""
    note = _Note(host, port, _absolute(config))
    with suppress(*_NO_FILE):
        file = _file()
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with os.fdopen(open_own(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), "wb") as opened:
            opened.write(os.fsencode(f"{note.port} {note.host} {note.file}\n"))
    try:
        yield
    finally:
        if _noted() == note:
            with suppress(*_NO_FILE):
                _file().unlink()


def noted_address(config: Path | None, environ: Mapping[str, str]) -> Address | None:
    """The address that a daemon noted in this user's state folder; the last one that started
    counts. It is outdated if that daemon was killed. None if there is no such note, or if this
    configuration file and environment may mean another daemon. Without a configuration file the
    last note counts, whichever file its daemon has: the daemon may have a file that this command
    was not given."""
    if any(name.upper().startswith(_SERVER_VARIABLES) for name in environ):
        return None
    note = _noted()
    if note is None or (config is not None and note.file != _absolute(config)):
        return None
    return note.host, note.port


def _noted() -> _Note | None:
    try:
        text = os.fsdecode(read_regular(_file(), _MOST_BYTES)).removesuffix("\n")
        port, host, *file = text.split(" ", 2)
        return _Note(host, int(port), "".join(file))
    except (*_NO_FILE, ValueError):
        return None


def _absolute(config: Path | None) -> str:
    return "" if config is None else str(config.absolute())


def _file() -> Path:
    return state_folder() / "address"
