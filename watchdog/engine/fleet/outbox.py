"""The outbox inside a transaction: what is claimed to be sent, and what became of it."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from watchdog.domain.notices import Notice, NoticeEvent
from watchdog.domain.outbox import (
    Said,
    Waiting,
    after_sending,
    batch,
    begin_try,
    failed_try,
    is_old,
)
from watchdog.engine.fleet.saying import say
from watchdog.engine.fleet.states import State
from watchdog.engine.ports import LedgerTransaction
from watchdog.engine.settings import Settings


@dataclass(frozen=True, slots=True)
class Claimed:
    """The messages to send now, by receiver; the notices that are not sent any more; and how many
    wait."""

    messages: dict[str, tuple[Waiting, ...]]
    dropped: tuple[Waiting, ...]
    waiting: int


def claim(tx: LedgerTransaction, settings: Settings, busy: Collection[str]) -> Claimed:
    """Claim what is to be sent now. `busy` are receivers to which this process sends something."""
    now, names = tx.now(), {receiver.name for receiver in settings.receivers}
    dropped: list[Waiting] = []
    kept: dict[str, list[Waiting]] = defaultdict(list)
    for each in tx.notices.waiting():
        is_over = each.receiver not in names or is_old(each, now)
        own = dropped if is_over and each.receiver not in busy else kept[each.receiver]
        own.append(each)
    tx.notices.remove(dropped)
    messages = {}
    for name in names.difference(busy) & kept.keys():
        if due := batch(kept[name], now):
            messages[name] = begin_try(due, now)
            tx.notices.put(messages[name])
    return Claimed(messages, tuple(dropped), sum(map(len, kept.values())))


def note_states(tx: LedgerTransaction, settings: Settings, states: Iterable[State]) -> None:
    """Write notices of the states that a receiver does not know of."""
    for event, detail in states:
        notice = Notice(event, tx.now(), observe=settings.observe, detail=detail or None)
        say(tx, settings, notice, lasting=True)


def note_sent(tx: LedgerTransaction, message: Sequence[Waiting]) -> None:
    tx.notices.remove(message)
    for each in message:
        said = tx.notices.said(each.receiver, each.notice.subject)
        heard = after_sending(each, said, tx.now())
        if heard is not None and heard != said:
            tx.notices.note_said(heard)


def note_failed(
    tx: LedgerTransaction, message: Sequence[Waiting], retry_after: timedelta | None
) -> None:
    tx.notices.put(failed_try(message, tx.now(), retry_after))


def note_ledger_back(tx: LedgerTransaction, settings: Settings, heard: Collection[str]) -> None:
    """Write that the ledger answers again. `heard` are the receivers that got a message about the
    lost ledger, which could not be written down then."""
    for name in heard:
        tx.notices.note_said(Said(name, NoticeEvent.LEDGER_LOST.scope, tx.now(), open=True))
    say(tx, settings, Notice(NoticeEvent.LEDGER_BACK, tx.now(), observe=settings.observe))
