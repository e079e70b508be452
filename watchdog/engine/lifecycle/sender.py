"""Sends what waits in the outbox, to each receiver by itself."""

import asyncio
from collections.abc import Coroutine, Sequence
from datetime import timedelta
from typing import Any

from watchdog.domain.notices import Notice, NoticeEvent
from watchdog.domain.outbox import LONGEST_ASKED, Waiting
from watchdog.engine.events import (
    InternalError,
    NotificationDropped,
    NotificationFailed,
    NotificationSent,
    NotificationsWaiting,
)
from watchdog.engine.fleet.outbox import (
    Claimed,
    claim,
    note_failed,
    note_ledger_back,
    note_sent,
    note_states,
)
from watchdog.engine.fleet.states import States
from watchdog.engine.lifecycle.ledger_watch import WatchedLedger
from watchdog.engine.ports import (
    Clock,
    Delivery,
    LedgerTransaction,
    LedgerUnavailable,
    Listener,
    Notifier,
)
from watchdog.engine.settings import LiveSettings, Settings

SENDING = timedelta(seconds=5)
"""How often the outbox is read. It is read only if receivers are configured."""

LEDGER_LOST_FOR = timedelta(seconds=20)
"""Receivers are not notified of a shorter outage of the ledger, such as a fail-over. It is shorter
than `leadership.LONGEST_AWAY`, after which another replica may be active and this one sends
nothing."""

_LOST_AGAIN = timedelta(minutes=1)
"""The wait after a message about the lost ledger could not be sent. It does not become longer with
each try, because there is no ledger to count the tries."""

_RECORD_AGAIN_SECONDS = 1


class Sender:
    """A receiver that does not answer delays its own messages and nothing else: each message is
    sent in a task of its own, and each receiver has at most one."""

    def __init__(
        self,
        ledger: WatchedLedger,
        clock: Clock,
        listener: Listener,
        live: LiveSettings,
        notifier: Notifier,
        states: States,
    ) -> None:
        self._ledger = ledger
        self._clock = clock
        self._listener = listener
        self._live = live
        self._notifier = notifier
        self._states = states
        self._noted: list[NoticeEvent] = []
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._stopping = False
        # When each receiver may be sent a message about the lost ledger, by the monotonic clock;
        # and those that got one.
        self._lost_again_at: dict[str, float] = {}
        self._heard_lost: set[str] = set()

    def start(self) -> None:
        """A term begins: another replica may have been active since the last one."""
        self._stopping, self._noted = False, []

    async def tick(self) -> None:
        """Begin to send what is due."""
        settings = self._live.current
        if not settings.receivers or self._stopping:
            return
        states, heard_lost = self._states.now(), frozenset(self._heard_lost)
        is_new = [event for event, _ in states] != self._noted

        def work(tx: LedgerTransaction) -> Claimed:
            if heard_lost:
                note_ledger_back(tx, settings, heard_lost)
            if is_new:
                note_states(tx, settings, states)
            return claim(tx, settings, tuple(self._tasks))

        try:
            claimed = await self._ledger.transact(work)
        except LedgerUnavailable:
            self._say_lost(settings)
            return
        self._heard_lost -= heard_lost
        self._noted = [event for event, _ in states]
        self._report(settings, claimed)
        for name, message in claimed.messages.items():
            self._begin(name, self._send(name, message))

    async def stop(self, grace: timedelta) -> None:
        """Begin nothing more, and let what is being sent end within `grace`."""
        self._stopping = True
        tasks = tuple(self._tasks.values())
        if tasks:
            await asyncio.wait(tasks, timeout=grace.total_seconds())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _report(self, settings: Settings, claimed: Claimed) -> None:
        for each in claimed.dropped:
            notice = each.notice
            self._listener(
                NotificationDropped(
                    receiver=each.receiver, notice=notice.event, about=notice.subject
                )
            )
        names = tuple(receiver.name for receiver in settings.receivers)
        self._listener(NotificationsWaiting(count=claimed.waiting, receivers=names))

    def _begin(self, receiver: str, sending: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(sending, name=f"notify {receiver}")
        self._tasks[receiver] = task
        task.add_done_callback(lambda done: self._ended(receiver, done))

    def _ended(self, receiver: str, task: "asyncio.Task[None]") -> None:
        del self._tasks[receiver]
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._listener(InternalError(model_id=None, error=error))

    async def _send(self, receiver: str, message: Sequence[Waiting]) -> None:
        delivery = await self._notifier.send(receiver, [each.notice for each in message])
        self._tell(receiver, len(message), delivery, message[0].tries)

        def record(tx: LedgerTransaction) -> None:
            if delivery.sent:
                note_sent(tx, message)
            else:
                note_failed(tx, message, delivery.retry_after)

        # Until it is recorded nothing else is sent to this receiver. If this process ends first,
        # the message is sent twice.
        while True:
            try:
                await self._ledger.transact(record)
            except LedgerUnavailable:
                await asyncio.sleep(_RECORD_AGAIN_SECONDS)
            else:
                return

    def _tell(self, receiver: str, notices: int, delivery: Delivery, tries: int) -> None:
        answer = delivery.answer
        if delivery.sent:
            self._listener(NotificationSent(receiver=receiver, notices=notices, answer=answer))
        else:
            self._listener(
                NotificationFailed(receiver=receiver, notices=notices, answer=answer, tries=tries)
            )

    def _say_lost(self, settings: Settings) -> None:
        """Send the one notice that cannot be written into the ledger first."""
        if self._ledger.away_for < LEDGER_LOST_FOR:
            return
        now = self._clock.now()
        notice = Notice(NoticeEvent.LEDGER_LOST, now, observe=settings.observe)
        for receiver in settings.receivers:
            name = receiver.name
            free = name not in self._heard_lost and name not in self._tasks
            again_at = self._lost_again_at.get(name, float("-inf"))
            if free and receiver.wants(notice) and self._clock.monotonic() >= again_at:
                self._begin(name, self._send_lost(name, notice))

    async def _send_lost(self, receiver: str, notice: Notice) -> None:
        delivery = await self._notifier.send(receiver, [notice])
        self._tell(receiver, 1, delivery, 1)
        if delivery.sent:
            self._heard_lost.add(receiver)
        wait = max(_LOST_AGAIN, min(delivery.retry_after or timedelta(0), LONGEST_ASKED))
        self._lost_again_at[receiver] = self._clock.monotonic() + wait.total_seconds()
