"""A ledger that went back, by a backup or a fail-over, under a process that goes on."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from tests.fakes.engine import START, World, at
from tests.fakes.records import an_attempt, an_episode
from watchdog.domain.records import (
    Attempt,
    DecisionReason,
    EpisodeResult,
    Outcome,
    Resolution,
    TargetState,
)
from watchdog.domain.status import state_of
from watchdog.engine.events import LedgerWentBack
from watchdog.engine.ports import LedgerUnavailable

pytestmark = pytest.mark.looptime(noop_cycles=0)

BUILD = timedelta(seconds=5)


def a_model_that_fails_again(**policy: int) -> World:
    world = World(
        "llama",
        first_delay=timedelta(0),
        backoff=timedelta(seconds=5),
        backoff_factor=1.0,
        jitter=0.0,
        **policy,  # type: ignore[arg-type]
    )
    world.api.set_status("llama", "BUILD_FAILED")
    world.on_retry("llama", "BUILDING", then=("BUILD_FAILED", BUILD))
    return world


def went_back(world: World) -> list[int]:
    """How many attempts were put back, each time."""
    return [event.put_back for event in world.events if isinstance(event, LedgerWentBack)]


def outcomes(world: World) -> list[Outcome]:
    return [attempt.outcome for attempt in world.attempts()]


async def test_what_was_sent_is_charged_in_the_window_of_a_ledger_that_never_had_it() -> None:
    world = a_model_that_fails_again(max_attempts=2, max_attempts_per_window=2)
    move_in = world.ledger.backup()
    async with world.running():
        empty = world.ledger.backup()
        await world.run_for(minutes=2)
        assert len(world.posts()) == 2
        before = world.attempts()
        empty()
        await world.run_for(minutes=30)
        assert len(world.posts()) == 2
        assert went_back(world) == [2]
        assert [each.id for each in world.attempts()] == [each.id for each in before]
        assert world.target("llama").decision.reason is DecisionReason.WINDOW_SPENT
        move_in()  # So old that not even the target is there.
        await world.run_for(seconds=3)
        assert went_back(world) == [2, 2]
        assert len(world.attempts()) == 2


async def test_a_put_back_is_reported_once_however_many_transactions_run_before_the_report() -> (
    None
):
    world = a_model_that_fails_again(max_attempts=2, max_attempts_per_window=2)
    async with world.running():
        empty = world.ledger.backup()
        await world.run_for(minutes=2)
        empty()
        world.ledger.heard_after = timedelta(seconds=3)
        await asyncio.gather(*(world.transact(lambda tx: tx.now()) for _ in range(3)))
        await world.run_for(minutes=1)
        assert len(world.attempts()) == 2
        assert went_back(world) == [2]


async def test_a_put_back_is_reported_even_if_its_caller_was_cancelled() -> None:
    world = a_model_that_fails_again(max_attempts=2, max_attempts_per_window=2)
    async with world.running():
        empty = world.ledger.backup()
        await world.run_for(minutes=2)
        empty()
        world.ledger.heard_after = timedelta(seconds=3)
        await asyncio.wait_for(world.transact(lambda tx: tx.now()), 9)
        assert went_back(world) == [2]
        empty()
        asked = asyncio.create_task(world.transact(lambda tx: tx.now()))
        await asyncio.sleep(0)
        asked.cancel()
        await world.run_for(minutes=1)
        assert went_back(world) == [2, 2]


async def test_what_is_put_back_without_its_episode_belongs_to_a_closed_one() -> None:
    world = a_model_that_fails_again(max_attempts_per_window=1)
    async with world.running():
        move_in = world.ledger.backup()
        await world.run_for(minutes=1)
        (sent,), episode = world.attempts(), world.target("llama").episode
        assert episode is not None
        move_in()
        await world.run_for(seconds=3)
        (found,) = world.attempts()
        assert (found.id, found.episode_id, found.sent_at) == (sent.id, episode.id, sent.sent_at)
        old, new = sorted(
            await world.ledger.transact(lambda tx: tx.episodes.newest("llama", limit=9)),
            key=lambda each: each.opened_at,
        )
        assert (old.id, old.result) == (episode.id, EpisodeResult.REMOVED)
        assert new.open
        assert world.target("llama").episode == new


async def test_an_episode_that_is_still_there_goes_on_with_its_count() -> None:
    world = a_model_that_fails_again(max_attempts=2)
    async with world.running():
        world.api.hold = world.hold_for(timedelta(seconds=10))
        await world.run_for(seconds=5)
        move_in = world.ledger.backup()
        await world.run_for(minutes=2)
        assert len(world.posts()) == 2
        move_in()
        await world.run_for(minutes=30)
    assert len(world.posts()) == 2
    assert state_of(world.target("llama")) is TargetState.EXHAUSTED
    assert went_back(world) == [2]


async def test_an_answer_that_was_recorded_after_the_backup_is_recorded_again() -> None:
    world = a_model_that_fails_again()
    backups = []
    world.on_retry("llama", "ACTIVE", effect=lambda: backups.append(world.ledger.backup()))
    async with world.running():
        await world.run_for(seconds=5)
        assert outcomes(world) == [Outcome.ACCEPTED]
        backups[0]()
        assert outcomes(world) == [Outcome.PENDING]
        await world.run_for(seconds=3)
        assert outcomes(world) == [Outcome.ACCEPTED]
    assert went_back(world) == [0]


async def test_an_answer_is_recorded_though_its_row_went_while_it_was_under_way() -> None:
    world = a_model_that_fails_again()
    answer = world.api.model("llama").before_answer = asyncio.Event()
    async with world.running():
        move_in = world.ledger.backup()
        await world.run_for(seconds=2)
        move_in()
        answer.set()
        await world.run_for(seconds=1)
        (found,) = world.attempts()
        assert (found.outcome, found.sent_at) == (Outcome.ACCEPTED, START)
    assert went_back(world) == [1]


async def test_what_may_be_sent_at_this_moment_is_charged_until_its_answer_is_there() -> None:
    world = a_model_that_fails_again()
    answer = world.api.model("llama").before_answer = asyncio.Event()
    async with world.running():
        move_in = world.ledger.backup()
        await world.run_for(seconds=2)
        move_in()
        await world.run_for(seconds=2)
        (found,) = world.attempts()
        assert (found.outcome, found.under_way) == (Outcome.UNKNOWN, True)
        assert found.sent_at is not None
        assert found.sent_at >= START + timedelta(seconds=2)
        answer.set()
        await world.run_for(seconds=1)
        assert outcomes(world) == [Outcome.ACCEPTED]
    assert len(world.posts()) == 1


async def test_nothing_is_sent_whose_episode_went_before_it_was_sent() -> None:
    world = a_model_that_fails_again(max_attempts_per_window=1)
    backups: list[Any] = []

    async def go_back() -> None:
        if backups:
            backups.pop()()

    world.api.model("llama").before_urgent = go_back
    async with world.running():
        backups.append(world.ledger.backup())
        await world.run_for(seconds=1)
        assert world.posts() == []
        assert outcomes(world) == [Outcome.ABANDONED]
        await world.run_for(minutes=2)
        assert len(world.posts()) == 1  # It was not charged.
    assert went_back(world) == [1]


async def test_another_process_that_makes_attempts_does_not_make_it_go_back() -> None:
    world = a_model_that_fails_again()
    async with world.running():
        await world.run_for(minutes=1)
        episode = an_episode(id="others", model_id="other")
        await world.ledger.transact(lambda tx: tx.episodes.save(episode))
        other = an_attempt(id="other", model_id="other", episode_id="others", reserved_at=at())
        await world.ledger.transact(lambda tx: tx.attempts.add(other))
        await world.run_for(minutes=1)
    assert went_back(world) == []


async def test_a_restored_ledger_that_others_have_used_since_is_noticed_by_its_missing_rows() -> (
    None
):
    """Its number is the same again, or greater."""
    world = a_model_that_fails_again(max_attempts=1, max_attempts_per_window=1)
    async with world.running():
        move_in = world.ledger.backup()
        await world.run_for(minutes=1)
        assert len(world.posts()) == 1
        move_in()
        episode = an_episode(id="others", model_id="other")
        await world.ledger.transact(lambda tx: tx.episodes.save(episode))
        other = an_attempt(
            Outcome.PENDING, id="o1", model_id="other", episode_id="others", reserved_at=at()
        )
        await world.ledger.transact(lambda tx: tx.attempts.add(other))
        for outcome in (Outcome.UNKNOWN, Outcome.ACCEPTED):
            await world.ledger.transact(
                lambda tx, outcome=outcome: tx.attempts.record_answer(_settled(other, outcome))  # type: ignore[misc]
            )
        await world.run_for(minutes=1)
    assert len(world.posts()) == 1
    assert went_back(world) == [1]


def _settled(attempt: Attempt, outcome: Outcome) -> Attempt:
    return an_attempt(
        outcome,
        id=attempt.id,
        model_id=attempt.model_id,
        episode_id=attempt.episode_id,
        reserved_at=attempt.reserved_at,
        sent_at=attempt.reserved_at,
        resolution=Resolution.REFAILED,
        resolved_at=attempt.reserved_at,
    )


async def test_what_is_older_than_a_day_is_not_put_back() -> None:
    world = a_model_that_fails_again(max_attempts=1)
    async with world.running():
        move_in = world.ledger.backup()
        await world.run_for(minutes=1)
        (old,) = world.attempts()
        await asyncio.sleep(timedelta(hours=24).total_seconds())
        move_in()
        await world.run_for(seconds=1)
        assert old.id not in [each.id for each in world.attempts()]
    assert went_back(world) == [0]


async def test_what_was_surely_not_sent_is_not_put_back() -> None:
    world = a_model_that_fails_again()
    world.api.model("llama").before_urgent = lambda: world.api.set_status("llama", "ACTIVE")
    async with world.running():
        move_in = world.ledger.backup()
        await world.run_for(minutes=1)
        assert outcomes(world) == [Outcome.ABANDONED]
        move_in()
        await world.run_for(seconds=5)
    assert world.attempts() == []
    assert went_back(world) == [0]


async def test_it_is_put_back_by_the_first_transaction_that_is_done() -> None:
    world = a_model_that_fails_again(max_attempts=1)
    async with world.running():
        move_in = world.ledger.backup()
        await world.run_for(minutes=1)
        world.ledger.fail_with = LedgerUnavailable("away")
        move_in()
        await world.run_for(seconds=3)
        assert went_back(world) == []
        world.ledger.fail_with = None
        await world.run_for(seconds=2)
        assert went_back(world) == [1]
