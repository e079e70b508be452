"""The real clock."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from time import monotonic

_TOLERANCE = timedelta(seconds=2)
"""A wall clock kept by NTP stays well within this; anything larger is a step."""

_ADOPTION_RATE = 0.01
"""How much of each second passed goes into adopting a difference: an hour takes four days, so no
limit that spans a day is ever cut short by more than a hundredth."""


class SystemClock:
    """Ledger time: it starts at the wall clock and then follows the monotonic one.

    A step of the wall clock moves nothing. A lasting difference is reported once and then adopted
    gradually.
    """

    def __init__(self, on_drift: Callable[[timedelta], None] | None = None) -> None:
        self._on_drift = on_drift
        self._time = datetime.now(UTC)
        self._read_at = monotonic()
        self._drifting = False

    def now(self) -> datetime:
        read_at = monotonic()
        passed = timedelta(seconds=read_at - self._read_at)
        self._read_at = read_at
        self._time += passed
        difference = datetime.now(UTC) - self._time
        drifting = abs(difference) > _TOLERANCE
        if drifting:
            share = passed * _ADOPTION_RATE
            self._time += max(-share, min(share, difference))
            if not self._drifting and self._on_drift is not None:
                self._on_drift(difference)
        self._drifting = drifting
        return self._time

    def monotonic(self) -> float:
        return monotonic()
