"""A configuration that changes while the daemon runs, in virtual time."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from tests.fakes.engine import World, at
from watchdog.domain.records import Outcome, Resolution, TargetState
from watchdog.domain.status import state_of
from watchdog.engine.events import TargetChanged, TargetForgotten
from watchdog.engine.lifecycle.watchlist import begin
from watchdog.engine.ports import LedgerTransaction

pytestmark = pytest.mark.looptime(noop_cycles=0)


async def test_models_join_and_leave_and_the_others_go_on() -> None:
    world = World("stays", "leaves")
    for model_id in ("stays", "leaves", "joins"):
        world.api.set_status(model_id, "BUILD_FAILED")
        world.on_retry(model_id, "ACTIVE")
    async with world.running():
        await world.run_for(seconds=90)
        world.models["joins"] = world.models.pop("leaves")
        await world.reload()
        await world.run_for(minutes=4)
    assert [model_id for model_id, _ in world.api.posts] == ["stays", "joins"]
    assert world.posts()[0] <= at(minutes=2, seconds=10)
    assert "target_removed" in world.log()
    assert "internal_error" not in world.log()


async def test_plans_and_counts_survive() -> None:
    world = World("llama", max_attempts=2, jitter=0.0)
    world.api.set_status("llama", "BUILD_FAILED")
    async with world.running():
        await world.run_for(minutes=3)
        policy = replace(world.models["llama"].policy, max_attempts=3)
        world.models["llama"] = replace(world.models["llama"], policy=policy)
        await world.reload()
        await world.run_for(hours=3)
    assert len(world.posts()) == 3
    assert state_of(world.target("llama")) is TargetState.EXHAUSTED


async def test_a_reload_in_the_middle_of_an_attempt_loses_nothing() -> None:
    world = World("llama")
    world.api.set_status("llama", "BUILD_FAILED")
    world.on_retry("llama", "BUILDING", then=("ACTIVE", timedelta(minutes=3)))
    answer = world.api.model("llama").before_answer = asyncio.Event()
    async with world.running():
        await world.run_for(minutes=2, seconds=5)
        assert [attempt.outcome for attempt in world.attempts()] == [Outcome.PENDING]
        world.models["other"] = world.models["llama"]
        await world.reload()
        answer.set()
        await world.run_for(minutes=5)
    assert len(world.posts()) == 1
    assert [(a.outcome, a.resolution) for a in world.attempts()] == [
        (Outcome.ACCEPTED, Resolution.RECOVERED)
    ]


async def test_a_model_that_leaves_in_the_middle_of_its_attempt_has_the_answer_recorded() -> None:
    world = World("stays", "leaves")
    world.api.set_status("leaves", "BUILD_FAILED")
    answer = world.api.model("leaves").before_answer = asyncio.Event()
    async with world.running():
        await world.run_for(minutes=2, seconds=5)
        del world.models["leaves"]
        await world.reload()
        answer.set()
        await world.run_for(minutes=5)
    assert [attempt.outcome for attempt in world.attempts()] == [Outcome.ACCEPTED]
    assert "internal_error" not in world.log()
    assert world.api.gets["leaves"] <= 5


async def test_observe_mode_can_be_turned_on_and_off() -> None:
    world = World("llama", backoff=timedelta(minutes=1), jitter=0.0)
    async with world.running():
        world.observe = True
        await world.reload()
        world.api.set_status("llama", "BUILD_FAILED")
        await world.run_for(minutes=5)
        assert world.posts() == []
        world.observe = False
        await world.reload()
        await world.run_for(minutes=5)
    assert len(world.posts()) >= 1


async def test_workers_that_are_told_to_end_twice_end_once() -> None:
    ids = [f"m{number}" for number in range(10)]
    world = World(*ids, concurrency=10)
    go_on = asyncio.Event()
    async with world.running():
        await world.run_for(minutes=2)
        for model_id in ids:
            world.api.model(model_id).before_get = go_on
        await world.run_for(minutes=2)
        for concurrency in (4, 5):
            await world.reload(concurrency=concurrency)
            await world.run_for(seconds=2)
        go_on.set()
        before = world.api.gets.total()
        await world.run_for(minutes=10)
    assert world.api.gets.total() - before > 90


async def test_a_model_that_is_removed_after_the_reservation_is_not_retried() -> None:
    world = World("stays", "leaves")
    world.api.set_status("leaves", "BUILD_FAILED")

    async def remove() -> None:
        del world.models["leaves"]
        await world.reload()

    world.api.model("leaves").before_urgent = remove
    async with world.running():
        await world.run_for(minutes=20)
    assert world.posts() == []
    assert [attempt.outcome for attempt in world.attempts()] == [Outcome.ABANDONED]
    assert _gauges(world, "leaves") == "TargetForgotten"


async def test_a_model_that_another_process_removed_is_not_retried() -> None:
    world = World("stays", "leaves")
    world.api.set_status("leaves", "BUILD_FAILED")

    def remove(tx: LedgerTransaction) -> None:
        settings = replace(world.settings, models={"stays": world.models["stays"]})
        begin(tx, settings)

    world.api.model("leaves").before_urgent = lambda: world.ledger.transact(remove)
    async with world.running():
        await world.run_for(minutes=3)
    assert world.posts() == []


@pytest.mark.parametrize("crashes", [False, True])
async def test_an_attempt_whose_model_is_removed_before_its_answer_keeps_no_place(
    crashes: bool,
) -> None:
    world = World("stays", "leaves")
    world.api.set_status("leaves", "BUILD_FAILED")
    world.on_retry("leaves", "BUILDING")
    answer = world.api.model("leaves").before_answer = asyncio.Event()
    async with world.running():
        await world.run_for(minutes=2, seconds=5)
        del world.models["leaves"]
        await world.reload()
        if crashes:
            await world.crash()
        answer.set()
        if not crashes:
            await world.run_for(minutes=1)
    async with world.running():
        await world.run_for(minutes=1)
    (attempt,) = world.attempts()
    assert attempt.outcome is (Outcome.UNKNOWN if crashes else Outcome.ACCEPTED)
    assert attempt.resolution is Resolution.REMOVED
    assert _gauges(world, "leaves") == "TargetForgotten"


async def test_a_look_that_ends_after_its_model_was_removed_changes_nothing() -> None:
    world = World("stays", "leaves", first_delay=timedelta(0))
    async with world.running():
        await world.run_for(minutes=3)
        go_on = world.api.model("leaves").before_get = asyncio.Event()
        world.api.set_status("leaves", "BUILD_FAILED")
        await world.run_for(minutes=2)
        del world.models["leaves"]
        await world.reload()
        go_on.set()
        await world.run_for(hours=1)
    assert world.target("leaves").episode is None
    assert world.posts() == []
    assert "internal_error" not in world.log()
    assert _gauges(world, "leaves") == "TargetForgotten"


async def test_observe_mode_taken_up_after_the_reservation_stops_the_post() -> None:
    world = World("llama", jitter=0.0)
    world.api.set_status("llama", "BUILD_FAILED")

    async def observe() -> None:
        world.observe = True
        await world.reload()

    world.api.model("llama").before_urgent = observe
    async with world.running():
        await world.run_for(minutes=2, seconds=5)
        assert world.posts() == []
        (attempt,) = world.attempts()
        assert (attempt.outcome, attempt.reason) == (
            Outcome.ABANDONED,
            "the configuration changed meanwhile",
        )


def _gauges(world: World, model_id: str) -> str:
    """The last event about a model that the metrics got."""
    told = [
        type(event).__name__
        for event in world.events
        if (isinstance(event, TargetChanged) and event.target.model_id == model_id)
        or (isinstance(event, TargetForgotten) and event.model_id == model_id)
    ]
    return told[-1]
