"""Who is told what happens."""

from typing import Protocol

from watchdog.engine.events import Event


class Listener(Protocol):
    """Told of every event, synchronously. Must not raise and must not block."""

    def __call__(self, event: Event, /) -> None: ...
