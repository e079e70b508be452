"""Writes notices into the outbox, in the transaction of the change that they are about."""

from collections.abc import Iterable
from dataclasses import replace

from watchdog.domain.breaker import ClosedBy
from watchdog.domain.notices import Notice, NoticeEvent
from watchdog.domain.outbox import Receiver, plan
from watchdog.engine.events import (
    BreakerClosed,
    BreakerOpened,
    Event,
    RetriesAllowed,
    RetriesForbidden,
)
from watchdog.engine.ports import LedgerTransaction
from watchdog.engine.settings import Settings
from watchdog.text.phrases import age, clock_time


def say(
    tx: LedgerTransaction, settings: Settings, notice: Notice, *, lasting: bool = False
) -> None:
    """Write a notice down for each receiver that wants it, as the rules of `domain.outbox` say.
    `lasting` as in `plan`."""
    for receiver in settings.receivers:
        own = _for(receiver, notice)
        waiting = tx.notices.waiting(receiver.name, notice.subject)
        said = tx.notices.said(receiver.name, notice.subject)
        planned = plan(receiver, own, waiting, said, tx.now(), lasting=lasting)
        if planned.drop:
            tx.notices.remove(planned.drop)
        if planned.put is not None:
            tx.notices.put([planned.put])


def say_more(tx: LedgerTransaction, settings: Settings, notice: Notice) -> None:
    """Replace the waiting notice of an event, because more is known now. A notice whose sending was
    begun is not replaced."""
    for receiver in settings.receivers:
        for each in tx.notices.waiting(receiver.name, notice.subject):
            if not each.tries and each.notice.event is notice.event:
                own = _for(receiver, notice)
                tx.notices.put([replace(each, notice=replace(own, at=each.notice.at))])


def _for(receiver: Receiver, notice: Notice) -> Notice:
    return notice if receiver.include_error_lines else replace(notice, error_line=None)


def say_news(tx: LedgerTransaction, settings: Settings, news: Iterable[Event]) -> None:
    """Write notices of what happened to the fleet as a whole."""
    if not settings.receivers:
        return
    for event in news:
        said = _said_of(event)
        if said is not None:
            about, detail = said
            say(tx, settings, Notice(about, tx.now(), observe=settings.observe, detail=detail))


def _said_of(event: Event) -> tuple[NoticeEvent, str] | None:
    """The kind of a notice, and one more sentence about it."""
    match event:
        case BreakerOpened():
            return NoticeEvent.BREAKER_OPENED, (
                f"{event.failures} models began to fail within a short time, and "
                f"{event.not_failing} do not fail. The first model is retried at about "
                f"{clock_time(event.canary_at)}, and the others only after it has recovered."
            )
        case BreakerClosed():
            how = _CLOSED[event.closed_by].format(canary=event.canary)
            return NoticeEvent.BREAKER_CLOSED, f"They were not for {age(event.after)}. {how}"
        case RetriesForbidden():
            return NoticeEvent.RETRIES_FORBIDDEN, (
                f"Retries of {event.models} models were answered with HTTP 403. Give the key a "
                "role that may retry deployments. One retry an hour finds out whether it may."
            )
        case RetriesAllowed():
            return NoticeEvent.RETRIES_ALLOWED, f"It could not for {age(event.after)}."
    return None


_CLOSED = {
    ClosedBy.CANARY: "{canary} was retried and recovered.",
    ClosedBy.NONE_ELIGIBLE: "No failing model is left that may be retried.",
    ClosedBy.OBSERVE: "The watchdog only observes.",
    ClosedBy.LAPSED: "No process that sees all models has judged it for a day.",
}
