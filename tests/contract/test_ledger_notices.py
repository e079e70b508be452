"""The outbox of the notifications, on every ledger."""

from dataclasses import replace
from datetime import datetime

from tests.contract.test_ledger import Subject
from tests.fakes.records import NOW, ago
from watchdog.domain.causes import Cause
from watchdog.domain.notices import Notice, NoticeEvent, Try
from watchdog.domain.outbox import Said, Waiting
from watchdog.domain.reasons import DecisionReason
from watchdog.domain.records import Outcome, Resolution

FULL = Notice(
    event=NoticeEvent.GAVE_UP,
    at=ago(minutes=3),
    observe=True,
    detail="a sentence",
    model_id="m1",
    name="llama \N{LLAMA}",
    team="team-a",
    status="BUILD_FAILED",
    deployment_id="d1",
    since=ago(hours=2),
    cause=Cause.NETWORK,
    reason=DecisionReason.EPISODE_SPENT,
    tries=(
        Try(ago(hours=1), Outcome.ACCEPTED, "a reason", Resolution.REFAILED),
        Try(ago(minutes=30), Outcome.UNKNOWN),
    ),
    max_attempts=4,
    next_at=ago(hours=-1),
    actor="pushed by ann@example.com",
    error_line="ERROR: it broke",
)


def waiting(notice: Notice = FULL, receiver: str = "team", due_at: datetime = NOW) -> Waiting:
    return Waiting(receiver, notice, due_at)


async def test_a_notice_is_read_as_it_was_written(subject: Subject) -> None:
    bare = Notice(NoticeEvent.API_DOWN, NOW)
    await subject.do(lambda tx: tx.notices.put([waiting(), waiting(bare, "other")]))
    first, second = await subject.do(lambda tx: tx.notices.waiting())
    assert replace(first, id=None) == waiting()
    assert replace(second, id=None) == waiting(bare, "other")


async def test_what_waits_is_found_by_receiver_and_by_subject_oldest_first(
    subject: Subject,
) -> None:
    other = replace(FULL, model_id="m2")
    rows = [waiting(), waiting(other), waiting(receiver="mail"), waiting()]
    await subject.do(lambda tx: tx.notices.put(rows))

    async def found(receiver: str | None = None, about: str | None = None) -> list[Waiting]:
        return [
            replace(each, id=None)
            for each in await subject.do(lambda tx: tx.notices.waiting(receiver, about))
        ]

    assert await found() == rows
    assert await found("team") == [waiting(), waiting(other), waiting()]
    assert await found("team", "m2") == [waiting(other)]
    assert await found("mail", "m2") == []


async def test_a_notice_with_an_id_is_replaced_and_one_that_was_removed_stays_removed(
    subject: Subject,
) -> None:
    await subject.do(lambda tx: tx.notices.put([waiting(), waiting()]))
    first, second = await subject.do(lambda tx: tx.notices.waiting())
    await subject.do(lambda tx: tx.notices.remove([second]))
    tried = [replace(each, tries=2, due_at=ago(hours=-1)) for each in (first, second)]
    await subject.do(lambda tx: tx.notices.put(tried))
    assert await subject.do(lambda tx: tx.notices.waiting()) == [tried[0]]
    await subject.do(lambda tx: tx.notices.put([]))
    await subject.do(lambda tx: tx.notices.remove([]))


async def test_what_was_said_is_kept_for_each_receiver_and_subject(subject: Subject) -> None:
    said = Said("team", "m1", ago(hours=1), open=True)
    await subject.do(lambda tx: tx.notices.note_said(said))
    over = replace(said, open=False)
    assert await subject.do(lambda tx: tx.notices.said("team", "m1")) == said
    await subject.do(lambda tx: tx.notices.note_said(over))
    assert await subject.do(lambda tx: tx.notices.said("team", "m1")) == over
    assert await subject.do(lambda tx: tx.notices.said("team", "m2")) is None
    assert await subject.do(lambda tx: tx.notices.said("mail", "m1")) is None


async def test_what_is_forgotten_is_not_said_and_not_sent_unless_that_was_begun(
    subject: Subject,
) -> None:
    begun = replace(waiting(), tries=1)
    kept = waiting(replace(FULL, model_id="m2"))
    await subject.do(lambda tx: tx.notices.put([waiting(), begun, kept]))
    await subject.do(lambda tx: tx.notices.note_said(Said("team", "m1", NOW, open=True)))
    await subject.do(lambda tx: tx.notices.forget(["m1", "m9"]))
    await subject.do(lambda tx: tx.notices.forget([]))
    left = await subject.do(lambda tx: tx.notices.waiting())
    assert [replace(each, id=None) for each in left] == [begun, kept]
    assert await subject.do(lambda tx: tx.notices.said("team", "m1")) is None


async def test_when_something_was_said_is_never_in_the_future(subject: Subject) -> None:
    ahead = Said("team", "m1", ago(hours=-5), open=True)
    await subject.do(lambda tx: tx.notices.note_said(ahead))
    await subject.do(lambda tx: tx.clamp_future())
    assert await subject.do(lambda tx: tx.notices.said("team", "m1")) == replace(ahead, at=NOW)
