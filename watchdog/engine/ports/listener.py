"""Receivers of events."""

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    # Its many classes take longer to make than a command that only reads the ledger has to.
    from watchdog.engine.events import Event


class Listener(Protocol):
    """Receives every event, synchronously. Must not raise and must not block."""

    def __call__(self, event: "Event", /) -> None: ...
