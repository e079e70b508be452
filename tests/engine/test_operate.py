"""What operators do to a running daemon, in virtual time."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from tests.fakes.engine import World, at
from watchdog.domain.records import ActionKind, DecisionReason, Outcome, TargetState
from watchdog.domain.status import state_of
from watchdog.engine.events import OperatorActed, PausesSeen
from watchdog.engine.fleet import overview
from watchdog.engine.ports import AnswerLost, LedgerTransaction
from watchdog.engine.target import operate

pytestmark = pytest.mark.looptime(noop_cycles=0)

WHO = {"who": "ann@desk", "note": "incident"}


async def do(world: World, work: Callable[[LedgerTransaction], Any]) -> Any:
    return await world.ledger.transact(work)


async def pause(world: World, model_id: str | None, **span: float) -> None:
    length = timedelta(**span)
    await do(world, lambda tx: operate.pause(tx, model_id, span=length, **WHO))


async def test_a_pause_holds_and_its_end_lets_go() -> None:
    world = World("a", "b")
    world.models["a"] = replace(world.models["a"], name="llama-dev")
    for model_id in ("a", "b"):
        world.api.set_status(model_id, "BUILD_FAILED")
        world.on_retry(model_id, "ACTIVE")
    async with world.running():
        await world.run_for(seconds=90)
        await pause(world, "a", hours=2)
        await world.run_for(seconds=3)
        assert world.target("a").decision.reason is DecisionReason.PAUSED
        assert state_of(world.target("a")) is TargetState.PAUSED
        await world.run_for(hours=1, minutes=58)
        assert [model_id for model_id, _ in world.api.posts] == ["b"]
        await world.run_for(minutes=4)
    model_id, when = world.api.posts[1]
    assert model_id == "a"
    assert at(hours=2, seconds=90) <= when <= at(hours=2, seconds=92)
    [acted] = [event for event in world.events if isinstance(event, OperatorActed)]
    done = acted.action
    assert (done.kind, done.model_id, done.who, done.note) == (
        ActionKind.PAUSE,
        "a",
        "ann@desk",
        "incident",
    )
    assert acted.model_name == "llama-dev"
    assert [len(e.pauses) for e in world.events if isinstance(e, PausesSeen)] == [0, 1]


async def test_a_pause_shows_while_the_api_is_away() -> None:
    def shown(tx: LedgerTransaction) -> TargetState:
        (watched,) = overview.targets(tx, world.settings.policies)
        found = overview.past(tx, world.settings.policies, "a")
        assert found is not None
        assert found.watched.target == watched.target
        return state_of(watched.target)

    world = World("a")
    world.api.set_status("a", "BUILD_FAILED")
    async with world.running():
        await world.run_for(seconds=30)
        world.api.model("a").get_error = AnswerLost("bad gateway", code="502")
        await pause(world, "a", hours=2)
        await world.run_for(minutes=1)
        assert await do(world, shown) is TargetState.PAUSED
        await do(world, lambda tx: operate.resume(tx, "a", **WHO))
        await world.run_for(minutes=1)
        assert await do(world, shown) is TargetState.WAITING
        await pause(world, "a", minutes=5)
        assert await do(world, shown) is TargetState.PAUSED
        await world.run_for(minutes=6)
        assert await do(world, shown) is TargetState.WAITING


async def test_a_pause_of_all_is_also_of_those_to_come_and_survives_a_restart() -> None:
    world = World("a")
    async with world.running():
        await world.run_for(minutes=1)
        await pause(world, None, hours=5)
    world.models["b"] = world.models["a"]
    for model_id in ("a", "b"):
        world.api.set_status(model_id, "BUILD_FAILED")
    async with world.running():
        await world.run_for(hours=1)
        assert world.posts() == []
        await do(world, lambda tx: operate.resume(tx, None, **WHO))
        await world.run_for(minutes=2)
    assert len(world.posts()) == 2


async def test_the_longer_of_two_pauses_counts_and_each_is_ended_by_itself() -> None:
    world = World("a")
    world.api.set_status("a", "BUILD_FAILED")
    async with world.running():
        await pause(world, None, hours=1)
        await pause(world, "a", hours=3)
        await pause(world, "a", hours=4)
        await world.run_for(minutes=3)
        assert world.target("a").decision.until == at(hours=4)
        assert await do(world, lambda tx: operate.resume(tx, "a", **WHO))
        assert not await do(world, lambda tx: operate.resume(tx, "a", **WHO))
        await world.run_for(minutes=1)
        assert world.target("a").decision.until == at(hours=1)
    assert world.posts() == []


async def test_a_pause_between_the_reservation_and_the_post_stops_the_post() -> None:
    world = World("a")
    world.api.set_status("a", "BUILD_FAILED")
    world.api.model("a").before_urgent = lambda: pause(world, "a", hours=1)
    async with world.running():
        await world.run_for(minutes=4)
    assert world.posts() == []
    (attempt,) = world.attempts()
    assert (attempt.outcome, attempt.reason) == (
        Outcome.ABANDONED,
        "it was paused meanwhile",
    )


async def test_an_episode_that_somebody_ended_after_the_reservation_stops_the_post() -> None:
    world = World("a")

    def end(tx: LedgerTransaction) -> None:
        target = tx.targets.get("a")
        assert target is not None
        tx.targets.save(replace(target, episode=None))

    world.api.set_status("a", "BUILD_FAILED")
    world.api.model("a").before_urgent = lambda: do(world, end)
    async with world.running():
        await world.run_for(minutes=2, seconds=1)
    assert world.posts() == []
    (attempt,) = world.attempts()
    assert (attempt.outcome, attempt.reason) == (Outcome.ABANDONED, "its episode ended meanwhile")


async def test_a_forced_attempt_obeys_a_pause_that_is_newer_than_the_order() -> None:
    world = World("a")
    world.api.set_status("a", "BUILD_FAILED")
    world.api.model("a").before_urgent = lambda: pause(world, "a", hours=1)
    async with world.running():
        await world.run_for(seconds=5)
        await world.force("a")
    assert world.posts() == []


async def test_an_attempt_under_way_is_watched_to_its_end_during_a_pause() -> None:
    world = World("a")
    world.api.set_status("a", "BUILD_FAILED")
    world.on_retry("a", "BUILDING", then=("ACTIVE", timedelta(minutes=5)))
    async with world.running():
        await world.run_for(minutes=3)
        await pause(world, "a", hours=1)
        await world.run_for(minutes=1)
        assert state_of(world.target("a")) is TargetState.RECOVERING
        await world.run_for(minutes=6)
    assert "recovered" in world.log()


async def test_a_reset_gives_an_exhausted_target_a_new_episode_and_a_new_window_once() -> None:
    window, backoff = timedelta(hours=2), timedelta(minutes=1)
    world = World("a", max_attempts=2, window=window, max_attempts_per_window=2, backoff=backoff)
    world.api.set_status("a", "BUILD_FAILED")
    async with world.running():
        await world.run_for(minutes=30)
        assert len(world.posts()) == 2
        assert state_of(world.target("a")) is TargetState.EXHAUSTED
        await do(world, lambda tx: operate.reset(tx, world.settings, world.target("a"), **WHO))
        await world.run_for(minutes=30)
        assert len(world.posts()) == 4
        assert state_of(world.target("a")) is TargetState.EXHAUSTED
        await world.run_for(hours=1)
    assert len(world.posts()) == 4


async def test_a_healthy_model_is_healthy_again_at_the_first_look_after_a_reset() -> None:
    world = World("a")
    async with world.running():
        await world.run_for(minutes=3)
        await do(world, lambda tx: operate.reset(tx, world.settings, world.target("a"), **WHO))
        assert world.target("a").decision.reason is DecisionReason.UNOBSERVED
        await world.run_for(minutes=2)
        assert world.target("a").decision.reason is DecisionReason.HEALTHY


async def test_a_reset_leaves_the_fleets_limits_alone() -> None:
    world = World("a", max_retries_per_minute=1, first_delay=timedelta(0))
    world.api.set_status("a", "BUILD_FAILED")
    async with world.running():
        await world.run_for(seconds=3)
        assert len(world.posts()) == 1
        world.api.set_status("a", "BUILDING")
        await world.run_for(seconds=15)
        world.api.set_status("a", "BUILD_FAILED")
        await world.run_for(seconds=15)
        await do(world, lambda tx: operate.reset(tx, world.settings, world.target("a"), **WHO))
        await world.run_for(seconds=5)
        assert world.target("a").decision.reason is DecisionReason.FLEET_MINUTE_SPENT
        await world.run_for(minutes=1)
    assert len(world.posts()) == 2


@pytest.mark.parametrize("answer", ["pending", "accepted", "lost"])
async def test_what_is_under_way_cannot_be_reset(answer: str) -> None:
    world = World("a")
    tried: list[str] = []

    async def reset() -> None:
        with pytest.raises(operate.UnderWay):
            await do(world, lambda tx: operate.reset(tx, world.settings, world.target("a"), **WHO))
        tried.append("reset")

    world.api.set_status("a", "BUILD_FAILED")
    world.on_retry("a", "BUILD_FAILED", then=("BUILDING", timedelta(seconds=10)))
    if answer == "pending":
        world.api.model("a").before_urgent = reset
    if answer == "lost":
        world.api.model("a").retry_error = AnswerLost("no answer", code="timeout")
    async with world.running():
        await world.run_for(minutes=2, seconds=3)
        await reset() if answer != "pending" else None
        await world.run_for(seconds=9)
    assert tried == ["reset"]
    assert len(world.posts()) == 1


@pytest.mark.parametrize("paused", [False, True])
async def test_a_forced_attempt_passes_what_is_said_of_the_target_alone(paused: bool) -> None:
    world = World("a", max_attempts=1, first_delay=timedelta(0), backoff=timedelta(hours=5))
    world.api.set_status("a", "BUILD_FAILED")
    async with world.running():
        await world.run_for(minutes=5)
        if paused:
            await pause(world, "a", hours=1)
            await world.run_for(seconds=1)
        assert len(world.posts()) == 1
        await world.force("a")
        assert len(world.posts()) == 2


async def test_a_forced_attempt_obeys_the_fleets_limits_and_a_target_that_does_not_fail() -> None:
    world = World("a", "b", "well", max_retries_per_minute=1, first_delay=timedelta(0))
    world.api.set_status("a", "BUILD_FAILED")
    world.api.set_status("b", "BUILD_FAILED")
    async with world.running():
        await world.run_for(seconds=5)
        assert len(world.posts()) == 1
        for model_id in ("a", "b", "well"):
            await world.force(model_id)
    assert len(world.posts()) == 1


async def test_what_was_done_before_the_start_is_no_news() -> None:
    world = World("a")
    await pause(world, "a", hours=1)
    async with world.running():
        await world.run_for(seconds=5)
    assert [event for event in world.events if isinstance(event, OperatorActed)] == []
    assert [len(e.pauses) for e in world.events if isinstance(e, PausesSeen)] == [1]
