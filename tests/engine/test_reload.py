"""A configuration that changes while the daemon runs, in virtual time."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from tests.fakes.engine import World, at
from watchdog.domain.records import Outcome, Resolution, TargetState
from watchdog.domain.status import state_of

pytestmark = pytest.mark.looptime


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
