"""What every ledger stores about the changes of targets' statuses."""

from dataclasses import replace
from datetime import timedelta

from tests.contract.test_ledger import Subject
from tests.fakes.records import NOW, ago, an_attempt, an_episode, failing, healthy
from watchdog.domain.records import EpisodeResult, Outcome, StatusChange


async def write(subject: Subject, *changes: StatusChange) -> None:
    for change in changes:
        await subject.do(lambda tx, change=change: tx.statuses.add([change]))  # type: ignore[misc]


async def test_status_changes_follow_the_status_in_force(subject: Subject) -> None:
    since = ago(hours=24)
    await subject.add(healthy(), healthy(model_id="m2"))
    long_ago = StatusChange("m1", ago(days=3), "BUILDING")
    in_force = StatusChange("m1", ago(days=2), "ACTIVE")
    failed = StatusChange("m1", ago(hours=2), "BUILD_FAILED")
    unseen = StatusChange("m1", ago(hours=1), None)
    at_once = StatusChange("m2", since, "ACTIVE")
    await write(subject, unseen, in_force, at_once, failed, long_ago)
    mine = [in_force, failed, unseen]
    assert await subject.do(lambda tx: list(tx.statuses.since(since))) == [*mine, at_once]
    assert await subject.do(lambda tx: list(tx.statuses.since(since, "m1"))) == mine
    assert await subject.do(lambda tx: list(tx.statuses.since(since, "m3"))) == []
    assert await subject.do(lambda tx: list(tx.statuses.since(ago(days=9), "m2"))) == [at_once]


async def test_the_last_of_several_actions_at_the_same_time_counts(subject: Subject) -> None:
    await subject.add(healthy())
    first = StatusChange("m1", ago(hours=2), "ACTIVE")
    second = replace(first, status="BUILD_FAILED")
    await write(subject, first, second)
    assert await subject.do(lambda tx: list(tx.statuses.since(ago(days=1)))) == [second]


async def test_statuses_that_were_replaced_before_are_pruned(subject: Subject) -> None:
    before = ago(days=90)
    await subject.add(healthy(), healthy(model_id="m2"))
    old = [StatusChange("m1", ago(days=day), "ACTIVE") for day in (99, 98)]
    in_force = StatusChange("m1", ago(days=97), "BUILD_FAILED")
    kept = [
        in_force,
        StatusChange("m1", ago(days=1), "ACTIVE"),
        StatusChange("m2", ago(days=99), "ACTIVE"),
    ]
    await write(subject, *old, *kept)
    assert await subject.do(lambda tx: tx.prune(before)) == 2
    assert await subject.do(lambda tx: list(tx.statuses.since(ago(days=400)))) == kept
    assert await subject.do(lambda tx: tx.prune(before)) == 0


async def test_the_attempts_of_all_targets_are_those_of_each(subject: Subject) -> None:
    since, ended = ago(hours=24), EpisodeResult.RECOVERED
    await subject.add(
        failing(),
        failing(model_id="m2", episode=an_episode(id="e2", model_id="m2")),
        healthy(model_id="m3"),
        healthy(model_id="m4"),
    )
    past = an_episode(id="e3", model_id="m3", ended_at=ago(hours=1), result=ended)
    await subject.do(lambda tx: tx.episodes.save(past))
    await subject.attempts(
        an_attempt(id="old-of-the-episode", reserved_at=ago(days=9), sent_at=ago(days=9)),
        an_attempt(id="second", number=2),
        an_attempt(Outcome.DRY_RUN, id="dry", number=3),
        an_attempt(Outcome.PENDING, id="m2-pending", model_id="m2", episode_id="e2"),
        an_attempt(
            id="m3-old",
            model_id="m3",
            episode_id="e3",
            reserved_at=ago(days=2),
            sent_at=ago(days=2),
        ),
        an_attempt(id="m3-recent", model_id="m3", episode_id="e3", number=2, sent_at=since),
        an_attempt(
            id="m3-sent-late",
            model_id="m3",
            episode_id="e3",
            number=3,
            reserved_at=since - timedelta(seconds=20),
            sent_at=NOW,
        ),
    )
    found = await subject.do(lambda tx: tx.attempts.of_all(since=since))
    assert {model_id: [each.id for each in own] for model_id, own in found.items()} == {
        "m1": ["old-of-the-episode", "second"],
        "m2": ["m2-pending"],
        "m3": ["m3-recent", "m3-sent-late"],
    }
    for target in await subject.do(lambda tx: tx.targets.all()):
        own = await subject.do(lambda tx, target=target: tx.attempts.of(target, since=since))  # type: ignore[misc]
        assert found.get(target.model_id, ()) == own
