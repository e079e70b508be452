"""Receivers of events."""

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    # Importing its many classes takes too long for a command that only reads the ledger.
    from watchdog.engine.events import Event


class Listener(Protocol):
    """Receives every event, synchronously. Must not raise and must not block."""

    def __call__(self, event: "Event", /) -> None: ...
