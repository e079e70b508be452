"""What a replica writes into the ledger about itself, and what it concludes about the others."""

import asyncio
from collections.abc import Collection
from dataclasses import replace
from datetime import timedelta

import pytest

from tests.fakes.engine import World
from watchdog.domain.records import DecisionReason, Hold
from watchdog.domain.replica import Replica
from watchdog.engine.events import AuthFailed, AuthRecovered, TargetRemoved
from watchdog.engine.fleet import api_state
from watchdog.engine.fleet.api_state import ApiState
from watchdog.engine.fleet.condition import Condition
from watchdog.engine.lifecycle.presence import Presence
from watchdog.engine.ports import LedgerTransaction, LedgerUnavailable

pytestmark = pytest.mark.looptime(noop_cycles=0)

OTHER = "daemon:elsewhere:1"


class Replicas:
    """A world with one replica in it, and what another one has written about itself."""

    def __init__(self) -> None:
        self.world = World("stays", "leaves", first_delay=timedelta(0))
        self.active = True
        self.condition = Condition()

    def presence(self) -> Presence:
        world = self.world
        return Presence(
            world.ledger,
            world.live,
            world.clock,
            world.events.append,
            version="1",
            condition=self.condition,
            is_active=lambda: self.active,
        )

    async def other_says(self, *, configured: Collection[str] = ()) -> None:
        now = self.world.clock.now()
        other = Replica(OTHER, "1", now, now, now, active=False)

        def say(tx: LedgerTransaction) -> None:
            tx.replicas.save(other)
            tx.replicas.configure(OTHER, configured)

        await self.world.ledger.transact(say)

    async def known(self) -> list[Replica]:
        return await self.world.ledger.transact(lambda tx: list(tx.replicas.all()))

    async def leave_it_to_the_other(self, own: Presence) -> None:
        """Only the other one is configured with that model from now on."""
        await self.other_says(configured=["leaves"])
        await own.beat(watching=True)
        await self.reload_without("leaves")
        await own.beat(watching=True)

    async def reload_without(self, model_id: str) -> None:
        del self.world.models[model_id]
        await self.world.reload()


async def test_it_says_when_it_began_and_that_it_still_lives() -> None:
    replicas = Replicas()
    world = replicas.world
    async with world.running():
        own = replicas.presence()
        await own.beat(watching=True)
        (first,) = await replicas.known()
        assert (first.id, first.version, first.active) == (world.settings.owner, "1", True)
        assert first.started_at == first.configured_at == first.seen_at

        replicas.active = False
        await world.run_for(seconds=10)
        await own.beat(watching=True)
        (second,) = await replicas.known()
        assert second == replace(first, seen_at=second.seen_at, active=False)
        assert second.seen_at - first.seen_at >= timedelta(seconds=10)

        await replicas.reload_without("leaves")
        await own.beat(watching=True)
        (third,) = await replicas.known()
        # A discovered model may have left.
        assert third.started_at == third.configured_at == first.started_at
        assert await world.ledger.transact(lambda tx: tx.replicas.configured([third.id])) == {
            "stays"
        }
        own.configured()
        for _ in range(2):
            await own.beat(watching=True)
            await world.run_for(seconds=1)
        (fourth,) = await replicas.known()
        assert first.started_at < fourth.configured_at < fourth.seen_at
        await own.leave()
        assert await replicas.known() == []


async def test_those_that_are_dead_are_forgotten_when_another_one_starts() -> None:
    replicas = Replicas()
    async with replicas.world.running():
        await replicas.other_says()
        replicas.world.ledger.dead_owners.add(OTHER)
        await replicas.presence().beat(watching=True)
        assert [each.id for each in await replicas.known()] == [replicas.world.settings.owner]


async def test_a_change_while_the_ledger_is_away_is_written_later() -> None:
    replicas = Replicas()
    async with replicas.world.running():
        own = replicas.presence()
        replicas.world.ledger.fail_with = LedgerUnavailable("away")
        await own.beat(watching=True)
        await own.leave()
        replicas.world.ledger.fail_with = None
        await own.beat(watching=True)
        assert len(await replicas.known()) == 1
        replicas.world.ledger.fail_with = LedgerUnavailable("away")
        await own.leave()
        replicas.world.ledger.fail_with = None


async def test_a_heartbeat_is_due_at_each_interval_and_when_the_api_says_otherwise() -> None:
    replicas = Replicas()
    world = replicas.world
    async with world.running():
        own = replicas.presence()
        assert own.is_due
        await own.beat(watching=True)
        await world.run_for(seconds=9)
        assert not own.is_due
        hold = Hold(DecisionReason.AUTH_FAILED, world.clock.now() + timedelta(minutes=1))
        replicas.condition(AuthFailed(code="401", hold=hold))
        assert own.is_due
        await own.beat(watching=True)
        assert not own.is_due
        await world.run_for(seconds=10)
        assert own.is_due


async def test_a_heartbeat_that_the_ledger_did_not_take_is_due_soon_again() -> None:
    replicas = Replicas()
    world = replicas.world
    async with world.running():
        own = replicas.presence()
        world.ledger.fail_with = LedgerUnavailable("away")
        await own.beat(watching=True)
        assert not own.is_due
        await world.run_for(seconds=5)
        assert own.is_due
        world.ledger.fail_with = None


async def test_a_target_that_another_living_replica_is_configured_with_stays() -> None:
    replicas = Replicas()
    world = replicas.world
    async with world.running():
        own = replicas.presence()
        await own.beat(watching=True)
        await replicas.leave_it_to_the_other(own)
        assert world.target("leaves").watched
        looks = world.api.gets["leaves"]
        await world.run_for(minutes=5)
        assert world.api.gets["leaves"] == looks, "nobody knows its policy here"
        assert "internal_error" not in world.log()

        await replicas.other_says(configured=["stays"])
        await own.beat(watching=True)
        assert not world.target("leaves").watched
        assert [e.target.model_id for e in world.events if isinstance(e, TargetRemoved)] == [
            "leaves"
        ]


async def test_one_that_was_taken_for_dead_says_again_what_it_is_configured_with() -> None:
    replicas = Replicas()
    world = replicas.world
    async with world.running():
        own = replicas.presence()
        await own.beat(watching=True)
        await world.ledger.transact(lambda tx: tx.replicas.remove(world.settings.owner))
        await own.beat(watching=True)
        (known,) = await replicas.known()
        configured = await world.ledger.transact(lambda tx: tx.replicas.configured([known.id]))
        assert configured == {"stays", "leaves"}


async def test_what_no_replica_wants_is_dropped_whichever_replica_changed_first() -> None:
    replicas = Replicas()
    world = replicas.world
    async with world.running():
        own = replicas.presence()
        await replicas.other_says(configured=["leaves"])
        await own.beat(watching=True)
        await replicas.reload_without("leaves")
        await replicas.other_says(configured=["stays"])
        world.ledger.fail_with = LedgerUnavailable("away")
        await own.beat(watching=True)
        world.ledger.fail_with = None
        await own.beat(watching=True)
        assert not world.target("leaves").watched


async def test_a_target_that_leaves_between_its_look_and_the_reservation_is_not_retried() -> None:
    replicas = Replicas()
    world = replicas.world
    async with world.running():
        await replicas.other_says(configured=["leaves"])
        await world.run_for(minutes=3)
        go_on = world.api.model("leaves").before_get = asyncio.Event()
        world.api.set_status("leaves", "BUILD_FAILED")
        await world.run_for(minutes=2)
        await replicas.reload_without("leaves")
        go_on.set()
        await world.run_for(minutes=10)
    assert world.posts() == []
    assert "internal_error" not in world.log()


async def test_a_target_goes_when_the_last_one_that_was_configured_with_it_dies() -> None:
    replicas = Replicas()
    world = replicas.world
    async with world.running():
        own = replicas.presence()
        await replicas.leave_it_to_the_other(own)
        assert world.target("leaves").watched
        world.ledger.dead_owners.add(OTHER)
        await own.beat(watching=True)
        assert not world.target("leaves").watched


async def test_one_that_stands_by_removes_nothing() -> None:
    replicas = Replicas()
    world = replicas.world
    async with world.running():
        replicas.active = False
        own = replicas.presence()
        await own.beat(watching=False)
        await replicas.other_says(configured=["leaves"])
        world.live.current = replace(world.settings, models={"stays": world.models["stays"]})
        for _ in range(3):
            await own.beat(watching=False)
            await world.run_for(seconds=10)
        assert world.target("leaves").watched


async def test_the_active_one_says_of_the_api_what_it_knows() -> None:
    replicas = Replicas()
    async with replicas.world.running():
        own = replicas.presence()

        async def said() -> ApiState:
            await own.beat(watching=True)
            return await replicas.world.ledger.transact(api_state.load)

        hold = Hold(DecisionReason.AUTH_FAILED, replicas.world.clock.now())
        replicas.condition(AuthFailed(code="401", hold=hold))
        assert await said() == ApiState(key_accepted=False, refused="401")
        replicas.active = False
        replicas.condition(AuthRecovered())
        assert await said() == ApiState(key_accepted=False, refused="401")
        replicas.active = True
        assert await said() == ApiState(key_accepted=True)
