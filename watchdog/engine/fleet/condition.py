"""How the daemon itself is doing, as far as the ledger does not say."""

from datetime import datetime

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


class Condition:
    """A listener. None is what nobody has found out yet.

    `refused` is the HTTP status that refused the key; `failure` in what way nobody is answered.
    """

    def __init__(self) -> None:
        self.active: bool | None = None
        self.key_accepted: bool | None = None
        self.refused = ""
        self.failure = ""
        self._held_until: dict[str, datetime] = {}

    def __call__(self, event: Event) -> None:
        match event:
            case BecameActive() | BecameStandby():
                self.active = isinstance(event, BecameActive)
            case ApiRequested() if event.code.startswith("2"):
                self.key_accepted, self.refused = True, ""
            case AuthRecovered():
                self.key_accepted, self.refused = True, ""
            case AuthFailed():
                self.key_accepted, self.refused = False, event.code
            case ApiHeld():
                self._held_until[event.operation] = event.hold.until
            case ApiDown():
                self.failure = event.code
            case ApiRecovered():
                self.failure = ""

    def held(self, now: datetime) -> dict[str, datetime]:
        """Until when each operation waits, as the API asked."""
        return {name: until for name, until in self._held_until.items() if until > now}
