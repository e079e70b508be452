"""The real clock."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from time import monotonic

_TOLERANCE = timedelta(seconds=2)
"""A wall clock kept by NTP stays well within this; anything larger is a step."""

_ADOPTION_RATE = 0.01
"""The share of each second that adopts a difference. To adopt an hour takes four days, so a limit
that spans a day is shortened by at most a hundredth."""

OnDrift = Callable[[timedelta], None]
"""Called with the difference when the wall clock begins to differ from ledger time."""


def _wall() -> datetime:
    return datetime.now(UTC)


def _steady() -> float:
    return monotonic()


class SystemClock:
    """Ledger time: it starts at the wall clock and then follows the monotonic one.

    A step of the wall clock moves nothing. A lasting difference is reported once and then adopted
    gradually. The event loop and the ledger's thread may read it at the same time.
    """

    def __init__(
        self,
        on_drift: OnDrift | None = None,
        *,
        wall: Callable[[], datetime] = _wall,
        steady: Callable[[], float] = _steady,
    ) -> None:
        """`wall` and `steady` are the machine's two clocks: aware UTC, and seconds that never go
        back."""
        self._on_drift = on_drift
        self._ledgers: Callable[[], datetime | None] | None = None
        self._wall = wall
        self._steady = steady
        self._time = wall()
        self._read_at = steady()
        self._drifting = False
        self._reading = threading.Lock()

    def follow(self, ledgers: Callable[[], datetime | None]) -> None:
        """Follow the clock of the ledger, with its steps, while the ledger has one. Every other
        process that uses the ledger does the same: times that are computed in different processes
        must agree."""
        self._ledgers = ledgers

    def now(self) -> datetime:
        if self._ledgers is not None and (time := self._ledgers()) is not None:
            return time
        with self._reading:
            now, difference, is_news = self._advance()
        if is_news and self._on_drift is not None:
            self._on_drift(difference)
        return now

    def monotonic(self) -> float:
        return self._steady()

    def _advance(self) -> tuple[datetime, timedelta, bool]:
        """The time, the wall clock's difference from it, and whether that difference begins now."""
        read_at = self._steady()
        passed = timedelta(seconds=read_at - self._read_at)
        self._read_at = read_at
        self._time += passed
        difference = self._wall() - self._time
        drifting = abs(difference) > _TOLERANCE
        is_news = drifting and not self._drifting
        self._drifting = drifting
        if drifting:
            share = passed * _ADOPTION_RATE
            self._time += max(-share, min(share, difference))
        return self._time, difference, is_news
