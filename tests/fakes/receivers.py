"""Receivers of notifications that do what a test says."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from watchdog.domain.notices import Notice
from watchdog.engine.ports import LONGEST_SEND, Clock, Delivery

TAKEN = Delivery(sent=True, answer="taken")
DOWN = Delivery(sent=False, answer="down")


@dataclass(frozen=True, slots=True)
class Message:
    """A message that a receiver was sent, and when."""

    at: datetime
    receiver: str
    notices: tuple[Notice, ...]

    @property
    def words(self) -> list[str]:
        """The event and the subject of each notice."""
        return [f"{notice.event} {notice.subject}" for notice in self.notices]


class ScriptedReceivers:
    """Each receiver takes what it is sent, unless `answers` has a function for it. `tried` are all
    messages, `taken` those that were taken. A receiver in `hanging` never answers."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.answers: dict[str, Callable[[], Delivery]] = {}
        self.hanging: set[str] = set()
        self.tried: list[Message] = []
        self.taken: list[Message] = []

    async def send(self, receiver: str, notices: Sequence[Notice]) -> Delivery:
        message = Message(self._clock.now(), receiver, tuple(notices))
        self.tried.append(message)
        if receiver in self.hanging:
            await asyncio.sleep(LONGEST_SEND.total_seconds())
            return Delivery(sent=False, answer="it did not answer")
        await asyncio.sleep(timedelta(milliseconds=200).total_seconds())
        answer = self.answers.get(receiver, lambda: TAKEN)()
        if answer.sent:
            self.taken.append(message)
        return answer

    def words(self, receiver: str = "ops") -> list[list[str]]:
        """What each message said that this receiver took."""
        return [message.words for message in self.taken if message.receiver == receiver]
