"""What every ledger stores about the breaker."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from tests.contract.test_ledger import Subject
from tests.fakes.records import NOW, ago, an_attempt, an_episode, failing, healthy
from watchdog.domain.breaker import Canary, CanaryResult, ClosedBy, Opening
from watchdog.domain.records import Decision, DecisionKind, DecisionReason, Health, Target
from watchdog.engine.ports import LedgerUnavailable

OPENED = Opening(
    "o1",
    opened_at=ago(hours=1),
    failures=3,
    not_failing=1,
    condition_until=NOW,
    judged_at=ago(minutes=2),
)
CLOSED = replace(
    OPENED,
    id="o0",
    opened_at=ago(days=2),
    closed_at=ago(days=1),
    closed_by=ClosedBy.NONE_ELIGIBLE,
)
MANY = [f"unknown-{number}" for number in range(1200)]
"""More ids than one statement can take."""
NAMED = Canary("c1", "o1", "m1", named_at=ago(minutes=9))
FAILED = replace(
    NAMED,
    id="c2",
    model_id="m2",
    named_at=ago(minutes=5),
    attempt_id="a1",
    ended_at=ago(minutes=1),
    result=CanaryResult.FAILED,
)


def known(model_id: str, **values: object) -> Target:
    return healthy(model_id=model_id, **values)


def waits(model_id: str, reason: DecisionReason, **values: object) -> Target:
    decision = Decision(DecisionKind.WAIT, reason)
    episode = an_episode(id=f"e-{model_id}", model_id=model_id)
    return failing(model_id=model_id, decision=decision, episode=episode, **values)


async def test_new_failures_are_returned_newest_first(subject: Subject) -> None:
    await subject.add(
        known("a", broke_at=ago(minutes=3)),
        known("b", broke_at=ago(minutes=1)),
        known("c", broke_at=ago(minutes=2)),
        known("too-old", broke_at=ago(minutes=5)),
        known("not-watched", broke_at=ago(seconds=90), watched=False),
        known("never"),
    )
    since = ago(minutes=5)
    found = await subject.do(
        lambda tx: tx.breaker.began_to_fail(since, among=None, but=None, most=9)
    )
    assert list(found) == [ago(minutes=1), ago(minutes=2), ago(minutes=3)]
    found = await subject.do(
        lambda tx: tx.breaker.began_to_fail(since, among=None, but="b", most=1)
    )
    assert list(found) == [ago(minutes=2)]
    some = ("a", "b", "not-watched", *MANY)
    found = await subject.do(
        lambda tx: tx.breaker.began_to_fail(since, among=some, but="b", most=9)
    )
    assert list(found) == [ago(seconds=90), ago(minutes=3)]
    found = await subject.do(
        lambda tx: tx.breaker.began_to_fail(since, among=some, but=None, most=2)
    )
    assert list(found) == [ago(minutes=1), ago(seconds=90)]


async def test_targets_that_are_not_failing_are_counted(subject: Subject) -> None:
    await subject.add(
        known("well"),
        known("building", health=Health.IN_PROGRESS),
        known("stopped", health=Health.NOT_RETRYABLE),
        known("broke-long-ago", broke_at=ago(minutes=5)),
        known("itself"),
        known("broke-lately", broke_at=ago(minutes=4)),
        known("seen-once", observed_twice=False),
        known("not-watched", watched=False),
        known("unseen", health=None),
        waits("failing", DecisionReason.BACKOFF),
    )
    since = ago(minutes=5)
    assert await subject.do(lambda tx: tx.breaker.not_failing(since, among=None, but="itself")) == 4
    assert await subject.do(lambda tx: tx.breaker.not_failing(since, among=None, but=None)) == 5
    some = ("well", "not-watched", "failing", *MANY)
    assert await subject.do(lambda tx: tx.breaker.not_failing(since, among=some, but="itself")) == 2
    assert await subject.do(lambda tx: tx.breaker.not_failing(since, among=some, but="well")) == 1


async def test_waiting_targets_are_found_by_reason(subject: Subject) -> None:
    await subject.add(
        waits("a", DecisionReason.BREAKER_OPEN),
        waits("b", DecisionReason.BACKOFF),
        waits("not-watched", DecisionReason.BREAKER_OPEN, watched=False),
        waits("gave-up", DecisionReason.EPISODE_SPENT),
        known("well", decision=Decision(DecisionKind.WAIT, DecisionReason.BREAKER_OPEN)),
    )
    gave_up = Decision(DecisionKind.GIVE_UP, DecisionReason.EPISODE_SPENT)
    target = await subject.do(lambda tx: tx.targets.get("gave-up"))
    assert target is not None
    await subject.do(lambda tx: tx.targets.save(replace(target, decision=gave_up)))
    open_ = DecisionReason.BREAKER_OPEN
    assert sorted(await subject.do(lambda tx: tx.breaker.waiting(among=None))) == ["a", "b"]
    assert list(await subject.do(lambda tx: tx.breaker.waiting(open_, among=None))) == ["a"]
    some = ("b", "not-watched", "gave-up", *MANY)
    assert sorted(await subject.do(lambda tx: tx.breaker.waiting(among=some))) == [
        "b",
        "not-watched",
    ]
    assert list(await subject.do(lambda tx: tx.breaker.waiting(open_, among=some))) == [
        "not-watched"
    ]
    assert list(await subject.do(lambda tx: tx.breaker.waiting(among=()))) == []


async def test_targets_that_were_seen_recently_are_found(subject: Subject) -> None:
    since, old = ago(hours=24), ago(hours=24)
    await subject.add(
        known("observed", watched=False),
        known("checked-without-a-change", observed_at=old, next_check_at=NOW),
        known("to-be-checked-and-never-was", observed_at=None, status=None, next_check_at=NOW),
        known("long-ago", observed_at=old, next_check_at=old),
        known("once-watched", observed_at=old, next_check_at=NOW, watched=False),
        known("removed", status=None, health=None, watched=False),
        known("observed-long-ago-and-never-planned", observed_at=old),
    )
    assert sorted(await subject.do(lambda tx: tx.breaker.seen(since))) == [
        "checked-without-a-change",
        "observed",
        "to-be-checked-and-never-was",
    ]


async def test_openings_and_canaries_are_kept_and_changed(subject: Subject) -> None:
    assert await subject.do(lambda tx: tx.breaker.opening()) is None
    await subject.do(lambda tx: tx.breaker.save_opening(CLOSED))
    assert await subject.do(lambda tx: tx.breaker.opening()) is None
    await subject.do(lambda tx: tx.breaker.save_opening(OPENED))
    longer = replace(OPENED, condition_until=NOW + timedelta(minutes=1))
    await subject.do(lambda tx: tx.breaker.save_opening(longer))
    assert await subject.do(lambda tx: tx.breaker.opening()) == longer
    assert list(await subject.do(lambda tx: tx.breaker.openings(limit=9))) == [longer, CLOSED]
    assert list(await subject.do(lambda tx: tx.breaker.openings(limit=1))) == [longer]
    assert await subject.do(lambda tx: tx.breaker.last_canary("o1")) is None
    await subject.do(lambda tx: tx.breaker.save_canary(NAMED))
    sent = replace(NAMED, attempt_id="a9")
    await subject.do(lambda tx: tx.breaker.save_canary(sent))
    await subject.do(lambda tx: tx.breaker.save_canary(FAILED))
    assert list(await subject.do(lambda tx: tx.breaker.canaries(limit=9))) == [FAILED, sent]
    assert await subject.do(lambda tx: tx.breaker.canary_times()) == {
        "m1": NAMED.named_at,
        "m2": FAILED.named_at,
    }
    # The one under way, although its time is earlier, because a clock was set back.
    assert await subject.do(lambda tx: tx.breaker.last_canary("o1")) == sent
    ended = replace(sent, ended_at=NOW, result=CanaryResult.UNSENT)
    await subject.do(lambda tx: tx.breaker.save_canary(ended))
    assert await subject.do(lambda tx: tx.breaker.last_canary("o1")) == FAILED


async def test_when_the_breaker_last_closed_is_found(subject: Subject) -> None:
    assert await subject.do(lambda tx: tx.breaker.last_closed()) is None
    await subject.do(lambda tx: tx.breaker.save_opening(OPENED))
    assert await subject.do(lambda tx: tx.breaker.last_closed()) is None
    earlier = replace(CLOSED, id="o2", closed_at=ago(days=3))
    for opening in (CLOSED, earlier):
        await subject.do(lambda tx, opening=opening: tx.breaker.save_opening(opening))  # type: ignore[misc]
    assert await subject.do(lambda tx: tx.breaker.last_closed()) == CLOSED.closed_at


@pytest.mark.parametrize("closed_by", list(ClosedBy))
async def test_why_the_breaker_closed_is_stored(subject: Subject, closed_by: ClosedBy) -> None:
    closed = replace(CLOSED, closed_by=closed_by)
    await subject.do(lambda tx: tx.breaker.save_opening(closed))
    assert list(await subject.do(lambda tx: tx.breaker.openings(limit=1))) == [closed]


async def test_each_mode_has_its_own_breaker(beside: tuple[Subject, Subject]) -> None:
    retrying, observing = beside
    closed = replace(CLOSED, id="o2")
    await retrying.do(lambda tx: tx.breaker.save_opening(OPENED))
    await retrying.do(lambda tx: tx.breaker.save_canary(NAMED))
    await observing.do(lambda tx: tx.breaker.save_opening(closed))
    assert await retrying.do(lambda tx: tx.breaker.opening()) == OPENED
    assert list(await retrying.do(lambda tx: tx.breaker.openings(limit=9))) == [OPENED]
    assert list(await retrying.do(lambda tx: tx.breaker.canaries(limit=9))) == [NAMED]
    assert await retrying.do(lambda tx: tx.breaker.last_closed()) is None
    assert await observing.do(lambda tx: tx.breaker.opening()) is None
    assert list(await observing.do(lambda tx: tx.breaker.openings(limit=9))) == [closed]
    assert list(await observing.do(lambda tx: tx.breaker.canaries(limit=9))) == []
    assert await observing.do(lambda tx: tx.breaker.canary_times()) == {}
    assert await observing.do(lambda tx: tx.breaker.last_closed()) == closed.closed_at


async def test_a_canary_without_an_opening_is_a_bug_and_not_an_outage(subject: Subject) -> None:
    with pytest.raises(Exception, match=r".") as told:
        await subject.do(lambda tx: tx.breaker.save_canary(NAMED))
    assert not isinstance(told.value, LedgerUnavailable)


async def test_an_attempt_is_found_by_its_id(subject: Subject) -> None:
    await subject.add(failing())
    await subject.attempts(an_attempt())
    assert await subject.do(lambda tx: tx.attempts.get("a1")) == an_attempt()
    assert await subject.do(lambda tx: tx.attempts.get("a2")) is None


async def test_checks_are_made_earlier_and_never_later(subject: Subject) -> None:
    later = NOW + timedelta(hours=1)
    await subject.add(
        known("a", next_check_at=later),
        known("soon", next_check_at=ago(minutes=1)),
        known("not-watched", next_check_at=later, watched=False),
    )
    await subject.do(lambda tx: tx.targets.make_due("soon", NOW))
    await subject.do(lambda tx: tx.targets.spread_checks(timedelta(minutes=1)))
    due = {t.model_id: t.next_check_at for t in await subject.do(lambda tx: tx.targets.all())}
    assert NOW <= (due["a"] or later) < NOW + timedelta(minutes=1)
    assert due["soon"] == ago(minutes=1) - 2 * timedelta(microseconds=1)
    assert due["not-watched"] == later
    await subject.do(lambda tx: tx.targets.make_due("a", NOW))
    target = await subject.do(lambda tx: tx.targets.get("a"))
    assert target is not None
    assert target.next_check_at == NOW


async def test_pruning_takes_old_openings_with_their_canaries(subject: Subject) -> None:
    old = replace(FAILED, id="c0", opening_id="o0")
    for opening in (CLOSED, OPENED):
        await subject.do(lambda tx, opening=opening: tx.breaker.save_opening(opening))  # type: ignore[misc]
    for canary in (old, NAMED):
        await subject.do(lambda tx, canary=canary: tx.breaker.save_canary(canary))  # type: ignore[misc]
    assert await subject.do(lambda tx: tx.prune(ago(hours=1))) == 2
    assert list(await subject.do(lambda tx: tx.breaker.openings(limit=9))) == [OPENED]
    assert list(await subject.do(lambda tx: tx.breaker.canaries(limit=9))) == [NAMED]


async def test_times_in_the_future_become_now_after_the_clock_was_set_back(
    subject: Subject,
) -> None:
    ahead = NOW + timedelta(hours=5)
    times: dict[str, Any] = dict.fromkeys(
        ("status_since", "observed_at", "failing_since", "broke_at"), ahead
    )
    episode = an_episode(opened_at=ahead, failing_from=ahead)
    target = failing(episode=episode, next_check_at=ahead, **times)
    await subject.add(target)
    attempt = an_attempt(reserved_at=ahead, sent_at=ahead, answered_at=ahead, resolved_at=ahead)
    past = an_attempt(id="past", reserved_at=ago(hours=1), sent_at=ago(hours=1))
    await subject.attempts(attempt, past)
    opening = replace(OPENED, opened_at=ahead, judged_at=ahead)
    canary = replace(NAMED, named_at=ahead)
    await subject.do(lambda tx: tx.breaker.save_opening(opening))
    await subject.do(lambda tx: tx.breaker.save_canary(canary))
    await subject.do(lambda tx: tx.clamp_future())
    assert await subject.do(lambda tx: tx.targets.get("m1")) == replace(
        target,
        episode=replace(episode, opened_at=NOW, failing_from=NOW),
        **dict.fromkeys(times, NOW),  # type: ignore[arg-type]
    )
    # `sent_at` stays: the limits need it if the clock is corrected again.
    assert await subject.do(lambda tx: tx.attempts.get("a1")) == replace(
        attempt, resolved_at=NOW, ahead_since=NOW
    )
    assert await subject.do(lambda tx: tx.attempts.get("past")) == past
    assert await subject.do(lambda tx: tx.breaker.opening()) == replace(
        opening, opened_at=NOW, judged_at=NOW
    )
    assert await subject.do(lambda tx: tx.breaker.last_canary("o1")) == replace(
        canary, named_at=NOW
    )
