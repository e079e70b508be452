"""What goes wrong with the ledger: each is there inside the block, and gone after it."""

import asyncio
import json
import os
import resource
import signal
import sqlite3
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.hostile.moved import PRAGMAS
from tests.hostile.rows import model
from tests.hostile.stage import Stage
from watchdog.clock import SystemClock
from watchdog.ledger import Role, SqlLedger

MANY = [model(f"many{number}", (["ACTIVE"], ["BUILD_FAILED"])) for number in range(50)]

ROOT = Path(__file__).parents[2]
MOVED = [sys.executable, str(Path(__file__).with_name("moved.py"))]

_MIGRATING = threading.Lock()
"""Alembic can do but one at a time in a process."""

_ANYBODY = """
import ctypes, os, sys
for capability in (1, 2):  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH: root, held to file modes
    ctypes.CDLL(None).prctl(24, capability, 0, 0, 0)  # PR_CAPBSET_DROP
os.execv(sys.argv[1], sys.argv[1:])
"""


def as_anybody() -> list[str]:
    """A launcher that makes file modes hold for root too."""
    return [sys.executable, "-c", _ANYBODY]


def start_movable(stage: Stage) -> None:
    """Start the daemon with clocks and a database that can be moved."""
    arguments = [str(stage.config), str(stage.folder)]
    stage.run(*arguments, launcher=MOVED, env={"PYTHONPATH": str(ROOT)})


@contextmanager
def locked(stage: Stage) -> Iterator[None]:
    connection = sqlite3.connect(stage.ledger, isolation_level=None)
    try:
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.execute("ROLLBACK")
    finally:
        connection.close()


def set_pragmas(stage: Stage, *pragmas: str) -> None:
    """Give these to SQLite before each transaction from now on."""
    new = stage.folder / "pragmas.new"
    new.write_text(json.dumps(pragmas))
    new.replace(stage.folder / PRAGMAS)


@contextmanager
def read_only(stage: Stage) -> Iterator[None]:
    set_pragmas(stage, "query_only = ON")
    yield
    set_pragmas(stage, "query_only = OFF")


@contextmanager
def full(stage: Stage) -> Iterator[None]:
    # No less than it has now: it cannot grow.
    set_pragmas(stage, "max_page_count = 1")
    # What it has free in its pages is used up first.
    for each in MANY:
        stage.api.set_status(each["id"], "BUILD_FAILED")
    yield
    set_pragmas(stage, "max_page_count = 1000000")


def keeps_off(stage: Stage) -> bool:
    """Whether some model is left alone because the ledger is full. Not all are: the writes for some
    may still fit."""
    suppressed = 'retry_suppressed{{model_id="{}",reason="ledger_unavailable"}}'.format
    metrics = stage.metrics()
    left = [each["id"] for each in MANY if metrics.get(suppressed(each["id"])) == 1]
    return any(not stage.api.posts(model_id) for model_id in left)


@contextmanager
def no_room_on_disk(stage: Stage) -> Iterator[None]:
    """No file of the daemon's may grow, as when its quota is spent."""
    pid, (soft, hard) = stage.daemon.pid, resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (1, hard))
    yield
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (soft, hard))


@contextmanager
def overwritten(stage: Stage) -> Iterator[None]:
    """Another program writes over the ledger's files; then a person ends the daemon, puts them
    back, and starts it again."""
    files = [stage.ledger, stage.ledger.with_name("ledger.db-wal")]
    _stop_between_transactions(stage)
    kept = {file: file.read_bytes() for file in files}
    for file, content in kept.items():
        _write_over(file, b"\xa5" * len(content))
    stage.daemon.signal(signal.SIGCONT)
    yield
    assert stage.daemon.stop() == 0
    for file, content in kept.items():
        file.write_bytes(content)
    stage.run()


def _stop_between_transactions(stage: Stage) -> None:
    """Stop the daemon, with nothing under way that putting the files back would undo, and with
    nothing of them in its memory, since somebody else wrote last."""
    connection = sqlite3.connect(stage.ledger, isolation_level=None, timeout=0)

    def stopped() -> str | None:
        stage.daemon.signal(signal.SIGSTOP)
        try:
            connection.execute("INSERT INTO meta (key, value) VALUES ('touched', '')")
        except sqlite3.OperationalError:
            stage.daemon.signal(signal.SIGCONT)
            return "a moment without a transaction"
        return None

    try:
        stage.until(stopped, every=0.01)
    finally:
        connection.close()


def _write_over(file: Path, content: bytes) -> None:
    descriptor = os.open(file, os.O_WRONLY)
    try:
        os.pwrite(descriptor, content, 0)
    finally:
        os.close(descriptor)


def make_ledger(stage: Stage, *, statement: str = "") -> None:
    """A ledger that was in use once, changed by a statement."""
    with _MIGRATING:
        ledger = SqlLedger.open(
            f"sqlite:///{stage.ledger}",
            clock=SystemClock(),
            base_url=stage.api.url,
            role=Role.COMMAND,
        )
    asyncio.run(ledger.close())
    if statement:
        connection = sqlite3.connect(stage.ledger)
        connection.executescript(statement)
        connection.commit()
        connection.close()
