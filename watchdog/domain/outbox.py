"""Who is notified of what, and when: the rules that keep the number of messages low."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from watchdog.domain.discovery import first_match
from watchdog.domain.notices import QUIET, Notice, NoticeEvent

GATHER = timedelta(seconds=30)
"""Notices that follow one another within this time are sent as one message."""

LONGEST_GATHER = timedelta(minutes=2)
"""The first notice of a message waits no longer than this for others. With `MANY` notices or more
the message waits for all of this time: a failure of many models is seen only over a whole interval
of the checks, and must be one message."""

MANY = 3

FIRST_AGAIN = timedelta(seconds=5)
"""The wait after a first try to send a message failed. It doubles with each further failed try."""

LONGEST_AGAIN = timedelta(minutes=10)
"""The longest wait between two tries, unless the receiver itself asks for a longer one."""

LONGEST_ASKED = timedelta(hours=1)
"""The longest wait that a receiver may ask for by `Retry-After`."""

LEASE = timedelta(minutes=1)
"""How long a try may take until its result is recorded. Then the process that made it counts as
dead, and the message is sent again."""

KEPT = timedelta(hours=24)
"""A notice that could not be sent for this long is dropped, because it is out of date."""


@dataclass(frozen=True, slots=True)
class Receiver:
    """Who is notified of what. `match` are patterns in the syntax of a shell, as those of
    `discovery`; without any, all models match."""

    name: str
    events: Collection[NoticeEvent]
    match: tuple[str, ...] = ()
    include_error_lines: bool = False

    def wants(self, notice: Notice) -> bool:
        """Whether it is to be notified. Events of the whole fleet match every pattern."""
        if notice.event not in self.events:
            return False
        about = notice.model_id
        if about is None or not self.match:
            return True
        return first_match(self.match, about, notice.name, notice.team) is not None


@dataclass(frozen=True, slots=True)
class Waiting:
    """A notice in the outbox of one receiver. `due_at` is when it may be sent. `tries` is how often
    its sending was begun: if it is not 0, the receiver may have got it. `id` is None until the
    notice is written."""

    receiver: str
    notice: Notice
    due_at: datetime
    tries: int = 0
    id: int | None = None


@dataclass(frozen=True, slots=True)
class Said:
    """What a receiver was last notified of about one subject. `at` is when it was last notified
    that an operator is needed. `open`: it was not notified since then that this is over."""

    receiver: str
    subject: str
    at: datetime
    open: bool


@dataclass(frozen=True, slots=True)
class Plan:
    """What one more notice changes in an outbox."""

    put: Waiting | None = None
    drop: tuple[Waiting, ...] = ()


def plan(
    receiver: Receiver,
    notice: Notice,
    waiting: Sequence[Waiting],
    said: Said | None,
    now: datetime,
    *,
    lasting: bool = False,
) -> Plan:
    """How a notice changes what waits for a receiver about the same subject. `said` is what the
    receiver was last notified of about it. `lasting`: the notice is about a state and not about a
    change, so a receiver that knows the state is not notified again.

    A notice with a `quiet` time replaces an unsent one of that kind. If the last one was less than
    `quiet` ago it waits, or is left out if no other event ends it. A notice of an end is sent only
    if that of its beginning may have been sent; otherwise both are left out.
    """
    begins = [each for each in waiting if each.notice.event.quiet]
    unsent = tuple(each for each in begins if not each.tries)
    begun = [each for each in begins if each.tries]
    is_open = bool(begun) or (said is not None and said.open)
    wanted = receiver.wants(notice)
    if notice.event.is_end:
        older = [each for each in waiting if each.notice.event.is_end and not each.tries]
        if not wanted or not is_open or (lasting and older):
            return Plan(drop=unsent)
        put = replace(older[0], notice=notice) if older else Waiting(receiver.name, notice, now)
        return Plan(put, drop=unsent)
    if not wanted or (lasting and (is_open or unsent)):
        return Plan()
    if not notice.event.quiet:
        return Plan(Waiting(receiver.name, notice, now))
    if unsent:
        return Plan(replace(unsent[0], notice=notice), drop=unsent[1:])
    heard = [each.notice.at for each in begun] + ([] if said is None else [said.at])
    quiet_until = min(max(heard), now) + notice.event.quiet if heard else now
    if quiet_until > now and not notice.event.needs_operator:
        return Plan()
    return Plan(Waiting(receiver.name, notice, max(now, quiet_until)))


def batch(waiting: Sequence[Waiting], now: datetime) -> tuple[Waiting, ...]:
    """Which of the notices that wait for one receiver are to be sent now, as one message. Empty
    while a try is under way, while the receiver is left alone after a failed try, and while more
    notices may follow soon."""
    due = tuple(each for each in waiting if _is_due(each, now))
    if not due or any(each.tries and not _is_due(each, now) for each in waiting):
        return ()
    if any(each.tries for each in due):
        return due
    times = [each.due_at for each in due]
    ready_at = min(times) + LONGEST_GATHER
    if len(due) < MANY:
        ready_at = min(ready_at, max(times) + GATHER)
    return due if ready_at <= now or min(times) > now else ()


def _is_due(each: Waiting, now: datetime) -> bool:
    """A time farther ahead than any rule gives was written by a clock that was ahead."""
    return each.due_at <= now or each.due_at > now + max(QUIET, LONGEST_ASKED)


def begin_try(each: Sequence[Waiting], now: datetime) -> tuple[Waiting, ...]:
    """The notices of a message, now that a process begins to send it."""
    tries = max(waiting.tries for waiting in each) + 1
    return tuple(replace(waiting, tries=tries, due_at=now + LEASE) for waiting in each)


def failed_try(
    each: Sequence[Waiting], now: datetime, asked: timedelta | None = None
) -> tuple[Waiting, ...]:
    """The notices of a message that could not be sent. `asked` is how long the receiver asked to
    wait."""
    tries = max(waiting.tries for waiting in each)
    doubled = min(LONGEST_AGAIN, FIRST_AGAIN * 2 ** min(tries - 1, 20))
    again = max(doubled, min(asked or timedelta(0), LONGEST_ASKED))
    return tuple(replace(waiting, due_at=now + again) for waiting in each)


def is_old(waiting: Waiting, now: datetime) -> bool:
    """Whether it could not be sent for so long that it is dropped."""
    return now - waiting.notice.at > KEPT


def after_sending(each: Waiting, said: Said | None, now: datetime) -> Said | None:
    """What the receiver has heard about the notice's subject, once it got the notice."""
    notice = each.notice
    if notice.event.quiet:
        return Said(each.receiver, notice.subject, now, open=notice.event.needs_operator)
    if notice.event.is_end and said is not None:
        return replace(said, open=False)
    return said
