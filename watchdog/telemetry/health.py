"""Whether the daemon is alive, and whether it is ready."""

from datetime import timedelta

from watchdog.engine.events import (
    BecameActive,
    BecameStandby,
    Event,
    LedgerBack,
    LedgerLost,
    LedgerOpened,
    SweepDone,
)
from watchdog.engine.fleet.condition import Condition
from watchdog.engine.ports import Clock


class Liveness:
    """Whether the event loop still ticks. It depends on nothing else, so that a restart is
    requested only when it can help."""

    def __init__(self, clock: Clock, tick: timedelta) -> None:
        self._clock = clock
        self._longest_seconds = 3 * tick.total_seconds()
        self._beat_at = clock.monotonic()

    def beat(self) -> None:
        self._beat_at = self._clock.monotonic()

    def reason(self) -> str | None:
        """Why the daemon is not alive; None if it is."""
        silent = self._clock.monotonic() - self._beat_at
        if silent <= self._longest_seconds:
            return None
        return f"the loop last ticked {silent:.0f} s ago"


class Readiness:
    """Follows the conditions that must hold before the daemon can do its work."""

    def __init__(self, condition: Condition) -> None:
        self._condition = condition
        self._ledger = "the ledger is not open yet"
        self._sweep = "the first sweep is not done"
        self._watch_list = ""
        self._standby = False

    def __call__(self, event: Event) -> None:
        match event:
            case LedgerOpened() | LedgerBack():
                self._ledger = ""
            case LedgerLost():
                self._ledger = "the ledger does not answer"
            case SweepDone():
                self._watch_list = ""
                if event.first:
                    self._sweep = ""
            case BecameActive():
                self._standby, self._watch_list = (
                    False,
                    "the list of watched models is not applied yet",
                )
            case BecameStandby():
                self._standby = True

    def reasons(self) -> tuple[str, ...]:
        """Why the daemon is not ready; empty if it is."""
        own = () if self._standby else (self._key(), self._watch_list, self._sweep)
        return tuple(reason for reason in (self._ledger, *own) if reason)

    def _key(self) -> str:
        if self._condition.key_accepted is None:
            return "the API has not accepted the key yet"
        if not self._condition.key_accepted:
            return f"the API refuses the key (HTTP {self._condition.refused})"
        return ""
