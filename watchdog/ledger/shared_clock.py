"""One clock for all processes that use a SQLite ledger: the daemon's, while one is alive."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from watchdog.engine.ports import Clock
from watchdog.ledger.locks import FileLock

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

_EXACT = timedelta(milliseconds=50)
"""A daemon says anew what time it is when that differs by more from what it said."""

_DIGITS = 20
"""Of the offset, its sign included: each note takes the place of the last one, to the byte."""


class SharedClock:
    """The daemon notes beside its lock how far its time is ahead of the machine's monotonic clock,
    which all processes of one boot share: so a step of the wall clock moves nobody. Only while the
    lock is held does the note mean anything."""

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
        """What another process's daemon takes for the time; None where none lives, or where it
        does not say: an older program, or on another machine."""
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
            with suppress(OSError):  # A full disk: the next time is soon enough.
                self._daemon.write_note(f"{_boot()} {offset // _MICROSECOND:+0{_DIGITS}d}")
                self._noted = offset
        return now

    def _passed(self) -> timedelta:
        return timedelta(seconds=self._clock.monotonic())


def _boot() -> str:
    """Which start of which machine this is, where the system says so."""
    with suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return "unknown"
