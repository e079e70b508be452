"""Claims are kept in memory: which of them are written to the ledger, and when."""

from datetime import datetime, timedelta

import pytest

from tests.fakes.engine import World
from watchdog.engine.ports import LedgerUnavailable

pytestmark = pytest.mark.looptime(noop_cycles=0)

MINUTE = timedelta(minutes=1)
AT_ONCE = 100
"""As many as a tick may claim at 50 requests a second."""


def some(count: int) -> World:
    return World(*(f"m{number}" for number in range(count)))


def plans(world: World) -> dict[str, datetime]:
    """When each check is planned, by the ledger."""
    found = {each: world.target(each).next_check_at for each in world.models}
    return {model_id: at for model_id, at in found.items() if at is not None}


def looks(world: World) -> int:
    return sum(world.api.gets.values())


async def test_looks_that_change_nothing_write_nothing() -> None:
    world = some(30)
    async with world.running():
        await world.run_for(minutes=3)
        before, looked = plans(world), looks(world)
        await world.run_for(minutes=10)
        assert plans(world) == before
        assert 280 <= looks(world) - looked <= 320


async def test_after_a_kill_the_claimed_targets_are_checked_at_once() -> None:
    world = some(30)
    async with world.running():
        await world.run_for(minutes=3)
        await world.crash()
    looked = looks(world)
    async with world.running():
        await world.run_for(seconds=1)
        assert looks(world) - looked == 30


async def test_a_daemon_that_stops_leaves_its_plan_in_the_ledger() -> None:
    world = some(30)
    async with world.running():
        await world.run_for(minutes=3)
    now, planned = world.clock.now(), plans(world).values()
    assert all(now <= at <= now + 1.05 * MINUTE for at in planned)
    looked, soon = looks(world), now + timedelta(seconds=30)
    async with world.running():
        await world.run_for(seconds=30)
        assert looks(world) - looked == sum(at <= soon for at in planned)


async def test_no_more_targets_than_a_tick_may_claim_are_planned_in_memory_alone() -> None:
    world = some(4 * AT_ONCE)
    async with world.running():
        await world.run_for(minutes=3)
        for _ in range(70):
            await world.run_for(seconds=1)
            over = [each for each in plans(world).values() if each < world.clock.now()]
            assert len(over) <= AT_ONCE


async def test_a_claim_is_written_within_an_hour_or_so() -> None:
    world = some(3)
    async with world.running():
        await world.run_for(hours=2.5)
        now = world.clock.now()
        assert all(now - at <= timedelta(minutes=63) for at in plans(world).values())


async def test_a_shorter_interval_holds_for_what_is_claimed_already() -> None:
    world = some(30)
    async with world.running():
        await world.run_for(minutes=3)
        await world.reload(interval=timedelta(seconds=10))
        looked = looks(world)
        await world.run_for(seconds=11)
        assert looks(world) - looked >= 30


async def test_while_the_ledger_is_away_each_is_checked_when_it_was_planned_to_be() -> None:
    world = some(30)
    async with world.running():
        await world.run_for(minutes=10)
        looked = looks(world)
        world.ledger.fail_with = LedgerUnavailable("away")
        await world.run_for(seconds=20)
        assert looks(world) - looked < 30
        await world.run_for(seconds=45)
        assert looks(world) - looked >= 30
        world.ledger.fail_with = None
