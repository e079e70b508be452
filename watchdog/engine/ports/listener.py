"""Receivers of events."""

from typing import Protocol

from watchdog.engine.events import Event


class Listener(Protocol):
    """Receives every event, synchronously. Must not raise and must not block."""

    def __call__(self, event: Event, /) -> None: ...
