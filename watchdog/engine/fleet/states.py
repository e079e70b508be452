"""What is known of the key and of the API, as notices."""

from collections.abc import Sequence
from datetime import timedelta

from watchdog.domain.notices import NoticeEvent
from watchdog.engine.fleet.condition import Condition
from watchdog.engine.ports import Clock

API_DOWN_FOR = timedelta(minutes=10)
"""Receivers are not notified of a shorter outage of the API, because an operator can do nothing
about it."""

State = tuple[NoticeEvent, str]
"""An event that names a state, and one more sentence about it."""


class States:
    """Follows how long the API has been down."""

    def __init__(self, condition: Condition, clock: Clock) -> None:
        self._condition = condition
        self._clock = clock
        self._down_since: float | None = None

    def now(self) -> Sequence[State]:
        """The states that are known."""
        return [each for each in (self._key(), self._api()) if each is not None]

    def _key(self) -> State | None:
        if self._condition.key_accepted is None:
            return None
        if self._condition.key_accepted:
            return NoticeEvent.KEY_ACCEPTED, ""
        return NoticeEvent.KEY_REFUSED, f"It answers HTTP {self._condition.refused}."

    def _api(self) -> State | None:
        if self._condition.api_up is not False:
            self._down_since = None
            return (NoticeEvent.API_UP, "") if self._condition.api_up else None
        now = self._clock.monotonic()
        self._down_since = now if self._down_since is None else self._down_since
        if now - self._down_since < API_DOWN_FOR.total_seconds():
            return None
        return NoticeEvent.API_DOWN, f"The last request ended with: {self._condition.failure}."
