"""What the ledger stores about notifications, and what sends them."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from watchdog.domain.notices import Notice
from watchdog.domain.outbox import Said, Waiting


class NoticeRows(Protocol):
    """The outbox: what is to be sent to each receiver; and what each has heard."""

    def waiting(self, receiver: str | None = None, subject: str | None = None) -> Sequence[Waiting]:
        """What waits to be sent, oldest first: for one receiver, or for all; about one subject, or
        about all."""

    def put(self, waiting: Sequence[Waiting]) -> None:
        """Write notices. One that has an id already replaces what was written under that id."""

    def remove(self, waiting: Collection[Waiting]) -> None: ...

    def said(self, receiver: str, subject: str) -> Said | None: ...

    def note_said(self, heard: Said) -> None: ...

    def forget(self, subjects: Collection[str]) -> None:
        """Delete what is kept about these subjects: what the receivers heard, and the notices whose
        sending was never begun. These subjects are no longer watched."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """How a try to send a message ended. `answer` is one line for operators. It contains no secret
    of the receiver's URL and no control characters. `retry_after` is how long the receiver asked to
    wait before the next try."""

    sent: bool
    answer: str
    retry_after: timedelta | None = None


class Notifier(Protocol):
    """Sends messages to the receivers of the configuration, by their names."""

    async def send(self, receiver: str, notices: Sequence[Notice]) -> Delivery:
        """Send these notices as one message. Ends within `LONGEST_SEND`, and does not raise."""


LONGEST_SEND = timedelta(seconds=30)
"""Longer than a receiver that works ever needs, and shorter than `outbox.LEASE`."""
