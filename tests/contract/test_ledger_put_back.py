"""How a ledger shows that it went back to an older state, and how lost attempts are put back."""

from dataclasses import replace

from tests.contract.test_ledger import Subject
from tests.fakes.records import NOW, ago, an_attempt, an_episode, failing, healthy
from watchdog.domain.records import EpisodeResult, Outcome, Resolution
from watchdog.engine.ports import Generation, LedgerTransaction


async def generation(subject: Subject) -> Generation:
    return await subject.do(lambda tx: tx.attempts.generation())


async def test_the_generation_grows_when_an_attempt_is_reserved_or_recorded(
    subject: Subject,
) -> None:
    assert await generation(subject) == Generation(0, "")
    await subject.add(failing(), healthy(model_id="m2"))
    assert await generation(subject) == Generation(0, "")
    pending = an_attempt(Outcome.PENDING, id="a 1")
    await subject.attempts(pending)
    assert await generation(subject) == Generation(1, "a 1")
    unknown = replace(pending, outcome=Outcome.UNKNOWN, sent_at=NOW)
    await subject.do(lambda tx: tx.attempts.record_answer(unknown))
    assert await generation(subject) == Generation(2, "a 1")
    await subject.attempts(an_attempt(id="a2"))
    assert await generation(subject) == Generation(3, "a2")


async def test_the_generation_stays_if_nothing_is_reserved_or_recorded(subject: Subject) -> None:
    await subject.add(failing())
    await subject.attempts(an_attempt(Outcome.REFUSED))

    def work(tx: LedgerTransaction) -> bool:
        tx.targets.save(replace(failing(), name="new"))
        tx.attempts.resolve([an_attempt(resolution=Resolution.STUCK)])
        tx.meta.set("mode", "retry")
        return tx.attempts.record_answer(an_attempt(Outcome.ACCEPTED)) or tx.attempts.record_answer(
            an_attempt(id="none")
        )

    assert not await subject.do(work)
    assert await generation(subject) == Generation(1, "a1")


async def test_a_transaction_sees_its_own_changes_of_the_generation(subject: Subject) -> None:
    await subject.add(failing())

    def work(tx: LedgerTransaction) -> list[Generation]:
        before = tx.attempts.generation()
        tx.attempts.add(an_attempt())
        between = tx.attempts.generation()
        tx.attempts.add(an_attempt(id="a2"))
        return [before, between, tx.attempts.generation()]

    assert await subject.do(work) == [Generation(0, ""), Generation(1, "a1"), Generation(2, "a2")]


async def test_attempts_without_a_row_are_found(subject: Subject) -> None:
    await subject.add(failing())
    await subject.attempts(an_attempt(), an_attempt(id="a2"))
    asked = ["a1", "a2", *(f"none-{number}" for number in range(1_100))]
    found = await subject.do(lambda tx: tx.attempts.without_row(asked))
    assert found == set(asked) - {"a1", "a2"}
    assert await subject.do(lambda tx: tx.attempts.without_row(())) == frozenset()


async def test_an_attempt_is_put_back_with_its_episode_and_charged_as_before(
    subject: Subject,
) -> None:
    await subject.add(failing(episode=an_episode(id="e2")))
    sent = an_attempt(reserved_at=ago(seconds=20), sent_at=ago(seconds=10), episode_id="gone")
    ended = an_episode(id="gone", result=EpisodeResult.REMOVED, ended_at=NOW)
    await subject.do(lambda tx: tx.attempts.put_back([(sent, ended)]))
    assert await subject.do(lambda tx: tx.attempts.get("a1")) == sent
    assert ended in await subject.do(lambda tx: tx.episodes.newest("m1", limit=9))
    assert await subject.do(lambda tx: tx.attempts.of(failing(), since=ago(hours=24))) == (sent,)
    usage = await subject.do(lambda tx: tx.usage.of_fleet(date=None, most=9))
    assert (usage.in_flight, usage.sent, usage.charged) == (1, (sent.sent_at,), (sent.sent_at,))
    assert await generation(subject) == Generation(1, "a1")


async def test_an_existing_episode_stays_as_it_is_when_its_attempt_is_put_back(
    subject: Subject,
) -> None:
    await subject.add(failing())
    ended = an_episode(result=EpisodeResult.REMOVED, ended_at=NOW)
    await subject.do(lambda tx: tx.attempts.put_back([(an_attempt(), ended)]))
    assert await subject.do(lambda tx: tx.episodes.newest("m1", limit=9)) == [an_episode()]
    assert await subject.do(lambda tx: tx.attempts.get("a1")) == an_attempt()


async def test_any_number_of_attempts_is_put_back_at_once(subject: Subject) -> None:
    ended = [
        an_episode(id=f"e{number}", result=EpisodeResult.REMOVED, ended_at=NOW)
        for number in range(600)
    ]
    lost = [
        (an_attempt(id=f"{each.id}-{which}", episode_id=each.id), each)
        for each in ended
        for which in ("first", "second")
    ]
    await subject.do(lambda tx: tx.attempts.put_back(lost))
    assert (
        await subject.do(lambda tx: tx.attempts.without_row([attempt.id for attempt, _ in lost]))
        == set()
    )
    assert len(await subject.do(lambda tx: tx.episodes.newest(None, limit=2_000))) == 600
    assert await generation(subject) == Generation(1_200, "e599-second")
    await subject.do(lambda tx: tx.attempts.put_back([]))
    assert await generation(subject) == Generation(1_200, "e599-second")


async def test_an_attempt_put_back_needs_no_target_and_is_pruned_as_others(
    subject: Subject,
) -> None:
    ended = an_episode(result=EpisodeResult.REMOVED, ended_at=ago(days=91))
    await subject.do(lambda tx: tx.attempts.put_back([(an_attempt(), ended)]))
    assert await subject.do(lambda tx: tx.prune(ago(days=90))) == 2
    assert await subject.do(lambda tx: tx.attempts.without_row(["a1"])) == {"a1"}
