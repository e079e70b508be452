"""The ledger's clock jumps, while the engine runs or while it is down; in virtual time."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from tests.fakes.engine import NEVER_OPENS, START, World, at
from watchdog.domain.records import DecisionReason
from watchdog.engine.events import ApiClockSeen, ClockJumped
from watchdog.engine.fleet.api_date import api_date
from watchdog.engine.ports import LedgerUnavailable

pytestmark = pytest.mark.looptime(noop_cycles=0)

SIX = [f"m{number}" for number in range(6)]
A_DAY_AND_MORE = timedelta(hours=25)


def a_world(*model_ids: str, **more: Any) -> World:
    """Models whose builds fail within seconds and whose own limits are too high to matter."""
    values: dict[str, Any] = {
        "first_delay": timedelta(0),
        "backoff": timedelta(seconds=5),
        "backoff_factor": 1.0,
        "jitter": 0.0,
        "max_attempts": 50,
        "max_attempts_per_window": 50,
        "breaker": NEVER_OPENS,
    }
    world = World(*model_ids, **values | more)
    world.api.date = world.clock.apis
    for model_id in model_ids:
        world.api.set_status(model_id, "BUILD_FAILED")
        world.on_retry(model_id, "BUILDING", then=("BUILD_FAILED", timedelta(seconds=2)))
    return world


def why(world: World, model_id: str) -> DecisionReason | None:
    return world.target(model_id).decision.reason


@pytest.mark.parametrize("ahead", [A_DAY_AND_MORE, -A_DAY_AND_MORE], ids=["ahead", "back"])
async def test_a_jump_while_it_runs_frees_neither_the_minute_nor_the_window(
    ahead: timedelta,
) -> None:
    window = timedelta(hours=1)
    world = a_world(*SIX, max_retries_per_minute=3, max_attempts_per_window=1, window=window)
    async with world.running():
        await world.run_for(seconds=30)
        assert len(world.posts()) == 3
        world.clock.stepped = ahead
        await world.run_for(seconds=27)
        assert len(world.posts()) == 3
        if ahead > timedelta(0):
            await world.run_for(minutes=58)
            assert len(world.posts()) == 6
            assert {why(world, model_id) for model_id in SIX} == {DecisionReason.WINDOW_SPENT}
            await world.run_for(minutes=4)
            assert len(world.posts()) == 12


async def test_a_jump_ahead_frees_no_place_in_flight() -> None:
    world = a_world(*SIX, max_in_flight=2, max_retries_per_minute=10)
    for model_id in SIX:
        world.on_retry(model_id, "BUILDING")
    async with world.running():
        await world.run_for(seconds=30)
        assert len(world.posts()) == 2
        world.clock.stepped = A_DAY_AND_MORE
        await world.run_for(minutes=58)
        assert len(world.posts()) == 2
        assert why(world, "m2") == DecisionReason.FLEET_IN_FLIGHT
        await world.run_for(minutes=4)
        assert len(world.posts()) == 4


async def test_an_attempt_keeps_the_date_of_the_look_before_it_was_sent() -> None:
    world = a_world("m1", max_attempts=1)
    world.api.model("m1").before_urgent = lambda: setattr(
        world.api, "date", lambda: at(days=3, seconds=7)
    )
    async with world.running():
        await world.run_for(seconds=30)
    (attempt,) = world.attempts()
    assert attempt.api_date == at(days=3, seconds=7)


async def test_without_dates_the_ledgers_time_alone_counts() -> None:
    world = a_world("m1", max_attempts_per_window=1)
    world.api.date = None
    async with world.running():
        await world.run_for(minutes=2)
        world.clock.stepped = A_DAY_AND_MORE
        await world.run_for(minutes=2)
    assert len(world.posts()) == 2
    assert not any(isinstance(event, ApiClockSeen) for event in world.events)


async def test_a_jump_is_reported_once_and_a_constant_difference_never() -> None:
    world = a_world("m1")
    async with world.running():
        await world.run_for(minutes=10)
        assert not [event for event in world.events if isinstance(event, ClockJumped)]
        world.clock.stepped = A_DAY_AND_MORE
        await world.run_for(minutes=10)
    (jumped,) = [event for event in world.events if isinstance(event, ClockJumped)]
    assert jumped.by.total_seconds() == pytest.approx(A_DAY_AND_MORE.total_seconds(), abs=2)
    assert jumped.ledger_ahead == jumped.by + first_difference(world)


def first_difference(world: World) -> timedelta:
    return next(each for each in world.events if isinstance(each, ApiClockSeen)).ledger_ahead


async def test_a_jump_while_it_was_down_is_reported_by_the_next_process() -> None:
    world = a_world("m1")
    async with world.running():
        await world.run_for(minutes=2)
    world.clock.stepped = timedelta(minutes=2)
    async with world.running():
        await world.run_for(minutes=2)
    (jumped,) = [event for event in world.events if isinstance(event, ClockJumped)]
    assert jumped.by.total_seconds() == pytest.approx(120, abs=2)


async def test_a_healthy_fleets_looks_show_it_too_and_a_ledger_that_is_away_hears_later() -> None:
    world = a_world("m1")
    world.api.set_status("m1", "ACTIVE")
    async with world.running():
        await world.run_for(minutes=3)
        world.clock.stepped = A_DAY_AND_MORE
        world.ledger.fail_with = LedgerUnavailable("away")
        await world.run_for(minutes=5)
        assert not [event for event in world.events if isinstance(event, ClockJumped)]
        world.ledger.fail_with = None
        await world.run_for(minutes=8)
        shown = await world.ledger.transact(api_date)
    assert len([event for event in world.events if isinstance(event, ClockJumped)]) == 1
    assert shown is not None
    assert abs(shown - world.clock.apis()) < timedelta(seconds=2)


@pytest.mark.parametrize("dated", [True, False])
async def test_a_day_back_while_it_runs_stops_the_fleet_for_a_minute_only(dated: bool) -> None:
    """As on a server whose clock is corrected while the process goes on."""
    world = a_world(*SIX, max_retries_per_minute=2)
    world.api.date = world.clock.apis if dated else None
    async with world.running():
        await world.run_for(seconds=30)
        assert len(world.posts()) == 2
        world.clock.stepped = -timedelta(days=1)
        await world.run_for(seconds=58)
        assert len(world.posts()) == 2
        await world.run_for(minutes=3)
        assert len(world.posts()) > 4
        assert {why(world, model_id) for model_id in SIX} <= {
            DecisionReason.ATTEMPT_UNDER_WAY,
            DecisionReason.FLEET_MINUTE_SPENT,
        }


async def test_a_day_back_while_it_was_down_stops_the_fleet_for_a_minute_only() -> None:
    world = a_world(*SIX, max_retries_per_minute=2)
    async with world.running():
        await world.run_for(seconds=30)
    assert len(world.posts()) == 2
    world.clock.stepped = -timedelta(days=1)
    restarted = world.clock.now()
    async with world.running():
        await world.run_for(seconds=58)
        assert len(world.posts()) == 2
        await world.run_for(seconds=30)
    later = [when for when in world.posts() if when >= restarted and when < START]
    assert len(later) == 2
    assert min(later) - restarted >= timedelta(minutes=1)


@pytest.mark.parametrize("failed_before", [True, False], ids=["failing", "fails then"])
async def test_a_day_back_while_it_runs_delays_no_retry_by_more_than_its_own_delay(
    failed_before: bool,
) -> None:
    world = a_world("m1", "m2", first_delay=timedelta(seconds=30), max_retries_per_minute=2)
    world.clock.stepped = A_DAY_AND_MORE
    world.api.set_status("m1", "ACTIVE")
    async with world.running():
        await world.run_for(minutes=2)
        if failed_before:
            world.api.set_status("m1", "BUILD_FAILED")
            await world.run_for(seconds=15)
        world.clock.stepped = timedelta(0)
        world.api.set_status("m1", "BUILD_FAILED")
        await world.run_for(minutes=4)
        assert {"m1", "m2"} <= reserved_within(world, timedelta(minutes=4))


async def test_an_answer_that_comes_after_the_clock_was_set_back_counts_as_of_then() -> None:
    world = a_world("m1", "m2", max_retries_per_minute=1)
    world.clock.stepped = A_DAY_AND_MORE
    answer = world.api.model("m1").before_answer = asyncio.Event()
    world.api.set_status("m2", "ACTIVE")
    async with world.running():
        await world.run_for(seconds=5)
        assert len(world.posts()) == 1
        world.clock.stepped = timedelta(0)
        await world.run_for(seconds=5)
        answer.set()
        world.api.set_status("m1", "ACTIVE")
        world.api.set_status("m2", "BUILD_FAILED")
        await world.run_for(minutes=4)
        assert "m2" in reserved_within(world, timedelta(minutes=4))


def reserved_within(world: World, ago: timedelta) -> set[str]:
    now = world.clock.now()
    return {each.model_id for each in world.attempts() if now - ago < each.reserved_at <= now}
