"""Whether this replica is active, the key is accepted and the API answers: what is known of these
only in this process."""

from datetime import datetime

from watchdog.domain.limits import LONGEST_HOLD
from watchdog.engine.events import (
    ApiDown,
    ApiHeld,
    ApiRecovered,
    ApiRequested,
    AuthFailed,
    AuthRecovered,
    BecameActive,
    BecameStandby,
    Event,
)
from watchdog.engine.fleet.api_state import ApiState


class Condition:
    """A listener, and the one place that says whether the key is accepted and the API is up:
    readiness, metrics and page read it. None means not known yet. `refused` is the HTTP status that
    refused the key; `failure` is how requests fail while the API is down."""

    def __init__(self) -> None:
        self.active: bool | None = None
        self.key_accepted: bool | None = None
        self.api_up: bool | None = None
        self.refused = ""
        self.failure = ""
        self._held_until: dict[str, datetime] = {}

    def __call__(self, event: Event) -> None:
        match event:
            case BecameActive() | BecameStandby():
                self.active = isinstance(event, BecameActive)
            case ApiRequested() if event.code.startswith("2"):
                # Only the first answer sets them. Later changes come as AuthFailed and ApiDown; a
                # 2xx that was under way then must not undo these.
                self.key_accepted = True if self.key_accepted is None else self.key_accepted
                self.api_up = True if self.api_up is None else self.api_up
            case AuthRecovered():
                self.key_accepted, self.refused = True, ""
            case AuthFailed():
                self.key_accepted, self.refused = False, event.code
            case ApiHeld():
                self._held_until[event.operation] = event.hold.until
            case ApiDown():
                self.api_up, self.failure = False, event.code
            case ApiRecovered():
                self.api_up, self.failure = True, ""

    @property
    def api_state(self) -> ApiState:
        return ApiState(self.key_accepted, self.api_up, self.refused, self.failure)

    def held(self, now: datetime) -> dict[str, datetime]:
        """Until when the API holds each operation. Leaves out a time that a clock produced while it
        was ahead."""
        latest = now + LONGEST_HOLD
        return {name: until for name, until in self._held_until.items() if now < until <= latest}
