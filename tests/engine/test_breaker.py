"""The breaker in virtual time: what a mass failure sends, and what it does not."""

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.fakes.engine import BREAKER, World, at
from watchdog.domain.breaker import CanaryResult, ClosedBy
from watchdog.domain.records import DecisionReason, Standing
from watchdog.engine.events import BreakerClosed, BreakerOpened, CanarySent
from watchdog.engine.ports import AnswerLost

pytestmark = pytest.mark.looptime(noop_cycles=0)

MODELS = ("a", "b", "c", "d", "e")
TOGETHER = timedelta(minutes=3)
"""The time when all of them fail; by then all were seen healthy more than once."""


def a_fleet(**options: object) -> World:
    return World(*MODELS, jitter=0.0, **options)  # type: ignore[arg-type]


def fail(world: World, *model_ids: str) -> None:
    for model_id in model_ids:
        world.api.set_status(model_id, "BUILD_FAILED")


async def breaks_together(world: World, *model_ids: str) -> None:
    await world.run_for(minutes=3)
    fail(world, *model_ids)


def posted(world: World) -> list[str]:
    return [model_id for model_id, _ in world.api.posts]


def told(world: World, *names: str) -> list[str]:
    return [name for name in world.log() if name in names]


async def test_a_mass_failure_opens_it_and_nothing_is_sent_but_canaries() -> None:
    world = a_fleet()
    for model_id in MODELS:
        world.on_retry(model_id, "BUILDING", then=("BUILD_FAILED", timedelta(minutes=2)))
    async with world.running():
        await breaks_together(world, *MODELS)
        await world.run_for(minutes=20)
        assert posted(world) == []
        assert {world.target(each).decision.reason for each in MODELS} == {
            DecisionReason.BREAKER_OPEN
        }
        await world.run_for(minutes=30)
    first, second, third = posted(world)
    assert len({first, second, third}) == 3
    assert told(world, "breaker_opened", "canary_sent", "canary_failed", "breaker_closed") == [
        "breaker_opened",
        *["canary_sent", "canary_failed"] * 3,
    ]
    (opened,) = [event for event in world.events if isinstance(event, BreakerOpened)]
    # The failures hold it open for a window; then comes the cooldown.
    quiet = at(minutes=3) + BREAKER.window + BREAKER.cooldown
    assert quiet <= opened.canary_at <= world.posts()[0] <= quiet + timedelta(minutes=1)
    for earlier, later in zip(world.posts(), world.posts()[1:], strict=False):
        assert later - earlier >= timedelta(minutes=2) + BREAKER.cooldown


async def test_a_canary_that_recovers_closes_it_and_the_others_follow() -> None:
    world = a_fleet()
    for model_id in MODELS:
        world.on_retry(model_id, "BUILDING", then=("ACTIVE", timedelta(minutes=1)))
    async with world.running():
        await breaks_together(world, *MODELS)
        await world.run_for(minutes=40)
    assert sorted(posted(world)) == list(MODELS)
    canary = posted(world)[0]
    closed = [event for event in world.events if isinstance(event, BreakerClosed)]
    assert [(event.closed_by, event.canary) for event in closed] == [(ClosedBy.CANARY, canary)]
    assert [e.target.model_id for e in world.events if isinstance(e, CanarySent)] == [canary]
    recovered = world.posts()[0] + timedelta(minutes=1)
    assert all(when >= recovered for when in world.posts()[1:])
    opening = await world.ledger.transact(lambda tx: tx.breaker.openings(limit=9))
    assert [each.closed_by for each in opening] == [ClosedBy.CANARY]


async def test_the_failures_before_the_closing_count_no_more() -> None:
    world = a_fleet(breaker=replace(BREAKER, cooldown=timedelta(minutes=1)))
    for model_id in MODELS:
        world.on_retry(model_id, "ACTIVE")
    async with world.running():
        await breaks_together(world, "a", "b")
        await world.run_for(minutes=8)
        fail(world, "c")
        await world.run_for(minutes=5)
        assert told(world, "breaker_opened", "breaker_closed") == [
            "breaker_opened",
            "breaker_closed",
        ]
        # That of c began five minutes ago: with it these would be three within the window.
        fail(world, "d", "e")
        await world.run_for(minutes=15)
    assert told(world, "breaker_opened") == ["breaker_opened"]


async def test_standing_failures_do_not_open_it() -> None:
    world = a_fleet()
    fail(world, *MODELS)
    async with world.running():
        await world.run_for(minutes=5)
    assert len(posted(world)) == len(MODELS)
    assert told(world, "breaker_opened") == []


async def test_failures_spread_over_more_than_the_window_do_not_open_it() -> None:
    world = a_fleet(breaker=replace(BREAKER, ratio=0.1))
    async with world.running():
        for model_id in MODELS:
            await world.run_for(minutes=6)
            fail(world, model_id)
            world.on_retry(model_id, "ACTIVE")
        await world.run_for(minutes=6)
    assert len(posted(world)) == len(MODELS)
    assert told(world, "breaker_opened") == []


async def test_it_closes_by_itself_when_no_model_is_left_to_retry() -> None:
    world = a_fleet()
    async with world.running():
        await breaks_together(world, *MODELS)
        await world.run_for(minutes=4)
        for model_id in MODELS:
            world.api.set_status(model_id, "ACTIVE")
        await world.run_for(minutes=15)
        assert told(world, "breaker_closed") == []
        await world.run_for(minutes=4)
    closed = [event for event in world.events if isinstance(event, BreakerClosed)]
    assert [event.closed_by for event in closed] == [ClosedBy.NONE_ELIGIBLE]
    assert posted(world) == []


async def test_in_observe_mode_it_closes_after_one_cooldown() -> None:
    world = a_fleet(observe=True)
    async with world.running():
        await breaks_together(world, *MODELS)
        await world.run_for(minutes=18)
        assert told(world, "retry_dry_run", "breaker_closed") == []
        await world.run_for(minutes=10)
    assert told(world, "breaker_opened", "breaker_closed") == ["breaker_opened", "breaker_closed"]
    assert posted(world) == []


async def test_a_canary_that_cannot_be_sent_makes_room_for_another() -> None:
    world = a_fleet()
    for model_id in MODELS:
        world.on_retry(model_id, "ACTIVE")
    async with world.running():
        await breaks_together(world, *MODELS)
        await world.run_for(minutes=10)
        world.api.model("a").get_error = AnswerLost("bad gateway", code="502")
        await world.run_for(minutes=20)
    assert sorted(posted(world)) == ["b", "c", "d", "e"]
    canaries = await world.ledger.transact(lambda tx: tx.breaker.canaries(limit=9))
    assert [(each.model_id, each.result) for each in canaries] == [
        ("b", CanaryResult.PASSED),
        ("a", CanaryResult.UNSENT),
    ]


async def test_an_open_breaker_survives_a_restart_with_its_canary() -> None:
    world = a_fleet()
    for model_id in MODELS:
        world.on_retry(model_id, "BUILDING")
    async with world.running():
        await breaks_together(world, *MODELS)
        await world.run_for(minutes=22)
        assert posted(world) == ["a"]
        await world.crash()
    async with world.running():
        await world.run_for(minutes=20)
        assert posted(world) == ["a"]
        world.api.set_status("a", "ACTIVE")
        await world.run_for(minutes=3)
    assert sorted(posted(world)) == list(MODELS)
    assert told(world, "breaker_opened", "breaker_closed") == ["breaker_opened", "breaker_closed"]


async def test_the_canary_that_is_stuck_has_failed() -> None:
    world = a_fleet(stuck_after=timedelta(minutes=15))
    for model_id in MODELS:
        world.on_retry(model_id, "BUILDING")
    async with world.running():
        await breaks_together(world, *MODELS)
        await world.run_for(minutes=22)
        assert posted(world) == ["a"]
        await world.run_for(minutes=15 + 10)
    assert posted(world) == ["a", "b"]


async def test_what_is_left_alone_is_no_canary() -> None:
    world = a_fleet(standing=Standing.IGNORE)
    fail(world, "a")
    for model_id in MODELS:
        world.on_retry(model_id, "ACTIVE")
    async with world.running():
        await breaks_together(world, *MODELS)
        await world.run_for(minutes=30)
    assert sorted(posted(world)) == ["b", "c", "d", "e"]
