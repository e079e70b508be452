"""Failures of one target, and failures of all, in virtual time."""

from datetime import timedelta

import pytest

from tests.fakes.engine import World
from watchdog.engine.events import ApiDown, ApiRecovered, CheckFailed
from watchdog.engine.ports import AnswerLost, ApiError, Denied, Forbidden, NotSent

pytestmark = pytest.mark.looptime(noop_cycles=0)

LOST = AnswerLost("bad gateway", code="502")
MANY = tuple(f"model-{number}" for number in range(10))


def break_all(world: World, error: ApiError | None) -> None:
    for model_id in world.models:
        world.api.model(model_id).get_error = error


def told(world: World) -> list[str]:
    names = ("check_failed", "api_down", "api_recovered")
    return [name for name in world.log() if name in names]


async def test_a_target_failing_alone_is_reported_at_once_and_every_tenth_time() -> None:
    world = World("bad", "good")
    world.api.model("bad").get_error = LOST
    async with world.running():
        await world.run_for(minutes=21)
    failed = [event for event in world.events if isinstance(event, CheckFailed)]
    assert [event.in_a_row for event in failed] == [1, 10, 20]
    assert told(world) == ["check_failed"] * 3


@pytest.mark.parametrize("error", [LOST, NotSent("no route", code="connect")])
async def test_failures_common_to_all_are_one_event_and_so_is_their_end(error: ApiError) -> None:
    world = World(*MANY)
    async with world.running():
        await world.run_for(minutes=3)
        break_all(world, error)
        await world.run_for(minutes=30)
        assert told(world) == ["api_down"]
        break_all(world, None)
        await world.run_for(minutes=6)
    assert told(world) == ["api_down", "api_recovered"]
    (back,) = [event for event in world.events if isinstance(event, ApiRecovered)]
    assert timedelta(minutes=29) < back.after < timedelta(minutes=36)


async def test_one_model_alone_has_to_fail_three_times() -> None:
    world = World("only")
    world.api.model("only").get_error = LOST
    async with world.running():
        await world.run_for(minutes=1, seconds=30)
        assert told(world) == []
        await world.run_for(minutes=2)
    assert told(world) == ["api_down"]
    (down,) = [event for event in world.events if isinstance(event, ApiDown)]
    assert down.failures == 3


async def test_a_single_failure_is_reported_when_the_next_answer_shows_that_it_was_single() -> None:
    world = World("only")
    world.api.model("only").get_error = LOST
    async with world.running():
        await world.run_for(seconds=30)
        world.api.model("only").get_error = None
        await world.run_for(minutes=2)
    assert told(world) == ["check_failed"]


@pytest.mark.parametrize("error", [Denied("no", code="401"), Forbidden("no", code="403")])
async def test_refusals_count_as_answers_and_not_as_an_outage(error: ApiError) -> None:
    world = World(*MANY)
    break_all(world, error)
    async with world.running():
        await world.run_for(minutes=3)
    assert "api_down" not in told(world)


async def test_some_that_fail_do_not_make_the_api_down() -> None:
    world = World(*MANY)
    for model_id in MANY[:5]:
        world.api.model(model_id).get_error = LOST
    async with world.running():
        await world.run_for(minutes=8)
    assert told(world) == ["check_failed"] * 5


async def test_checks_slow_down_while_it_is_down_and_catch_up_at_once() -> None:
    world = World(*MANY)
    async with world.running():
        await world.run_for(minutes=3)
        break_all(world, LOST)
        await world.run_for(minutes=30)
        before = world.api.gets.total()
        await world.run_for(minutes=30)
        # Every five minutes by then, give or take a tenth.
        assert 5 * len(MANY) <= world.api.gets.total() - before <= 7 * len(MANY)
        break_all(world, None)
        await world.run_for(minutes=6)
        before = world.api.gets.total()
        await world.run_for(minutes=3)
        assert world.api.gets.total() - before >= 2.5 * len(MANY)


async def test_a_failure_during_the_outage_is_retried_soon_after_it() -> None:
    world = World(*MANY)
    async with world.running():
        await world.run_for(minutes=3)
        world.api.set_status("model-0", "BUILD_FAILED")
        await world.run_for(minutes=1, seconds=5)
        break_all(world, LOST)
        await world.run_for(minutes=30)
        assert world.posts() == []
        break_all(world, None)
        await world.run_for(minutes=7)
    assert len(world.posts()) == 1


async def test_erring_targets_take_at_most_a_fifth_of_the_workers() -> None:
    world = World(*MANY, "good", concurrency=5)
    for model_id in MANY:
        world.api.model(model_id).hangs_for = timedelta(seconds=30)
    async with world.running():
        await world.run_for(minutes=5)
        before, world.api.most_hanging = world.api.gets["good"], 0
        await world.run_for(minutes=10)
    assert world.api.most_hanging == 1
    assert world.api.gets["good"] - before >= 9


async def test_those_that_waited_behind_erring_ones_are_checked_again_after_it() -> None:
    world = World(*MANY, concurrency=5)
    for model_id in MANY:
        world.api.model(model_id).hangs_for = timedelta(seconds=30)
    async with world.running():
        await world.run_for(minutes=15)
        for model_id in MANY:
            world.api.model(model_id).hangs_for = None
        await world.run_for(minutes=10)
        before = world.api.gets.copy()
        await world.run_for(minutes=5)
    assert [model_id for model_id in MANY if world.api.gets[model_id] == before[model_id]] == []


async def test_a_model_that_the_key_may_not_read_is_reported_no_more_often() -> None:
    world = World("forbidden", "good")
    world.api.model("forbidden").get_error = Forbidden("HTTP 403: no", code="403")
    async with world.running():
        await world.run_for(minutes=21)
    failed = [event for event in world.events if isinstance(event, CheckFailed)]
    assert [event.in_a_row for event in failed] == [1, 10, 20]
