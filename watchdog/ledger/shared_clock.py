"""One clock for all processes that use a SQLite ledger: the daemon's, while a daemon is running."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from watchdog.engine.ports import Clock
from watchdog.ledger.locks import FileLock

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

_EXACT = timedelta(milliseconds=50)
"""The daemon writes a new note if its time differs by more than this from the last note."""

_DIGITS = 20
"""Characters of the offset, including its sign: all notes are equally long, so each overwrites the
last one completely."""


class SharedClock:
    """The daemon writes into its lock file how far its time is ahead of the machine's monotonic
    clock, which is the same for all processes until the next boot. So a step of the wall clock
    changes the time of no process. The note is valid only while the lock is held."""

    def __init__(self, clock: Clock, daemon: FileLock) -> None:
        """`daemon` is the daemon's lock, which this process may hold itself."""
        self._clock = clock
        self._daemon = daemon
        self._noted: timedelta | None = None

    def now(self) -> datetime:
        """The ledger's time."""
        if self._daemon.is_ours:
            return self._note(self._clock.now())
        return self.daemons() or self._clock.now()

    def daemons(self) -> datetime | None:
        """The time of the daemon in another process; None if no daemon is running, or if its note
        does not give the time: an older program wrote it, or it is from another machine."""
        boot, _, offset = self._daemon.note().partition(" ")
        if boot != _boot() or self._daemon.is_free():
            return None
        try:
            return _EPOCH + int(offset) * _MICROSECOND + self._passed()
        except (ValueError, OverflowError):
            return None

    def _note(self, now: datetime) -> datetime:
        offset = now - _EPOCH - self._passed()
        if self._noted is None or abs(offset - self._noted) > _EXACT:
            with suppress(OSError):  # On a full disk, for example: the next call tries again.
                self._daemon.write_note(f"{_boot()} {offset // _MICROSECOND:+0{_DIGITS}d}")
                self._noted = offset
        return now

    def _passed(self) -> timedelta:
        return timedelta(seconds=self._clock.monotonic())


def _boot() -> str:
    """The id of this boot of this machine, or `unknown` if the system does not give one."""
    with suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return "unknown"
