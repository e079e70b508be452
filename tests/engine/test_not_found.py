"""A 404 for one model that was deleted, and a 404 for all models, in virtual time."""

from datetime import timedelta

import pytest

from tests.fakes.engine import World
from watchdog.domain.breaker import BreakerRules
from watchdog.domain.records import Standing
from watchdog.engine.events import ApiDown, CheckDone, CheckFailed, TargetMissing
from watchdog.engine.ports import AnswerLost, NotFound

pytestmark = pytest.mark.looptime(noop_cycles=0)

MANY = tuple(f"model-{number}" for number in range(12))
PAGE = NotFound("HTTP 404: (no message)", code="404")


def a_fleet(*model_ids: str, **more: object) -> World:
    """Some models, all of which the API lists."""
    world = World(*model_ids, **more)  # type: ignore[arg-type]
    list_all(world)
    return world


def list_all(world: World) -> None:
    world.api.lists(*world.models)


async def until_the_first_404(world: World, model_id: str) -> None:
    while world.target(model_id).missing_since is None:
        await world.run_for(seconds=1)


def answer_404(world: World, error: NotFound | None = PAGE) -> None:
    for model_id in world.models:
        world.api.model(model_id).get_error = error


async def test_an_outage_that_answers_404_removes_no_target_and_is_reported_as_an_outage() -> None:
    world = a_fleet(*MANY)
    async with world.running():
        await world.run_for(minutes=3)
        before = {each: world.target(each) for each in MANY}
        answer_404(world)
        await world.run_for(minutes=30)
        for model_id, target in before.items():
            after = world.target(model_id)
            assert (after.missing, after.missing_since) == (False, None)
            assert (after.status, after.health) == (target.status, target.health)
        (down,) = [event for event in world.events if isinstance(event, ApiDown)]
        assert down.code == "404"
        assert down.error == (
            "HTTP 404: (no message), and the list of models has its development deployment"
        )
        answer_404(world, None)
        await world.run_for(minutes=6)
    assert "api_recovered" in world.log()
    assert not [event for event in world.events if isinstance(event, TargetMissing)]
    assert world.posts() == []


@pytest.mark.parametrize("listing", ["lists", "empty", "fails", "unreadable"])
async def test_it_costs_one_listing_an_interval_whatever_the_listing_says(listing: str) -> None:
    world = a_fleet(*MANY)
    if listing == "empty":
        world.api.lists()
    elif listing == "fails":
        world.api.list_error = AnswerLost("bad gateway", code="502")
    elif listing == "unreadable":
        world.api.lists("another")
        world.api.unreadable = 1
    answer_404(world)
    async with world.running():
        await world.run_for(minutes=10)
    assert world.api.gets.total() > 3 * len(MANY)
    assert 2 <= world.api.listings <= 11
    assert not any(world.target(each).missing for each in MANY)


async def test_an_empty_list_of_models_is_an_answer_and_no_outage() -> None:
    world = a_fleet(*MANY)
    world.api.lists()
    answer_404(world)
    async with world.running():
        await world.run_for(minutes=10)
    assert "api_down" not in world.log()
    assert "check_failed" in world.log()
    assert not any(world.target(each).missing for each in MANY)


async def test_standing_failures_are_not_retried_after_it() -> None:
    world = a_fleet(*MANY[:4], standing=Standing.IGNORE)
    for model_id in world.models:
        world.api.set_status(model_id, "BUILD_FAILED")
    async with world.running():
        await world.run_for(minutes=3)
        answer_404(world)
        await world.run_for(minutes=60)
        answer_404(world, None)
        await world.run_for(minutes=60)
    assert world.posts() == []


async def test_the_breaker_still_counts_targets_that_begin_to_fail_during_it() -> None:
    world = a_fleet(*MANY, breaker=BreakerRules(3, 0.3, 20, *[timedelta(minutes=10)] * 2))
    async with world.running():
        await world.run_for(minutes=3)
        answer_404(world)
        await world.run_for(minutes=20)
        for model_id in MANY:
            world.api.set_status(model_id, "BUILD_FAILED")
        answer_404(world, None)
        await world.run_for(minutes=15)
    assert "breaker_opened" in world.log()
    assert len(world.posts()) <= 1


async def test_one_model_that_is_gone_leaves_when_two_listings_lack_it() -> None:
    world = a_fleet("llama", "other")
    async with world.running():
        await world.run_for(minutes=3)
        world.api.delete("llama")
        await until_the_first_404(world, "llama")
        await world.run_for(seconds=55)
        assert not world.target("llama").missing
        await world.run_for(minutes=1, seconds=15)
        assert world.target("llama").missing
        assert world.api.listings == 2
        assert [event.name for event in world.events if isinstance(event, TargetMissing)]
        await world.run_for(minutes=10)
    results = [each.result for each in world.events if isinstance(each, CheckDone)]
    assert results.count("missing") == len(results) - results.count("healthy")


async def test_models_that_are_really_gone_are_no_outage() -> None:
    world = a_fleet(*MANY)
    async with world.running():
        await world.run_for(minutes=3)
        for model_id in MANY:
            world.api.delete(model_id)
        await world.run_for(minutes=5)
        assert all(world.target(each).missing for each in MANY)
        assert world.api.listings <= 6
    assert "api_down" not in world.log()
    assert "check_failed" not in world.log()


async def test_of_two_404s_one_that_the_listing_contradicts_removes_no_model() -> None:
    world = a_fleet("llama", "other")
    async with world.running():
        await world.run_for(minutes=3)
        world.api.delete("llama")
        await until_the_first_404(world, "llama")
        list_all(world)
        await world.run_for(minutes=10)
        assert not world.target("llama").missing
        assert world.target("llama").status == "ACTIVE"
    failed = [event for event in world.events if isinstance(event, CheckFailed)]
    assert {event.code for event in failed} == {"404"}


async def test_a_failing_model_is_not_retried_on_a_404_that_nothing_confirms() -> None:
    world = a_fleet("llama", "other", first_delay=timedelta(minutes=5))
    world.api.set_status("llama", "BUILD_FAILED")
    async with world.running():
        await world.run_for(minutes=3)
        world.api.model("llama").get_error = PAGE
        await world.run_for(minutes=20)
        assert world.posts() == []
        before = world.target("llama").episode
        world.api.model("llama").get_error = None
        await world.run_for(minutes=2)
        assert len(world.posts()) == 1
        episode = world.target("llama").episode
        assert episode is not None
        assert before is not None
        assert episode.id == before.id
