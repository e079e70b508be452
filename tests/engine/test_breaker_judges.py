"""Which process judges the breaker, and which only obeys it: the daemon, and commands beside it or
alone."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from tests.fakes.engine import BREAKER, World
from watchdog.domain.breaker import Canary, CanaryResult, ClosedBy, Opening
from watchdog.domain.records import DecisionKind, DecisionReason, Observation
from watchdog.domain.replica import Replica
from watchdog.engine.events import BreakerClosed
from watchdog.engine.look import Look
from watchdog.engine.ports import Access, AnswerLost
from watchdog.engine.target.record import record_look

pytestmark = pytest.mark.looptime(noop_cycles=0)

FAILING = ("a", "b", "c", "d", "e")
MODELS = (*FAILING, "well")
CRON = timedelta(minutes=5)


def a_fleet(**options: Any) -> World:
    return World(*MODELS, jitter=0.0, **options)


def fail(world: World, *model_ids: str) -> None:
    for model_id in model_ids:
        world.api.set_status(model_id, "BUILD_FAILED")


async def wait(**span: float) -> None:
    """Time in which no daemon ticks."""
    await asyncio.sleep(timedelta(**span).total_seconds())


async def passes(world: World, count: int, **options: Any) -> None:
    """What cron does, with no daemon."""
    for _ in range(count):
        await world.check_retry(**options)
        await wait(seconds=CRON.total_seconds())


async def until_it_opened(world: World) -> None:
    """The daemon sees all well, and then all but one fail."""
    await world.run_for(minutes=3)
    fail(world, *FAILING)
    await world.run_for(minutes=4)
    assert await openings(world) != []


async def openings(world: World, *, observe: bool = False) -> Sequence[Opening]:
    ledger = world.ledger.beside(observe=observe)
    return await ledger.transact(lambda tx: tx.breaker.openings(limit=9))


async def canaries(world: World) -> Sequence[Canary]:
    """Oldest first."""
    return [*reversed(await world.ledger.transact(lambda tx: tx.breaker.canaries(limit=9)))]


async def closed_by(world: World, *, observe: bool = False) -> list[ClosedBy | None]:
    return [each.closed_by for each in await openings(world, observe=observe)]


def posted(world: World) -> list[str]:
    return [model_id for model_id, _ in world.api.posts]


# Beside a daemon


@pytest.mark.parametrize(
    ("models", "observe"),
    [
        pytest.param(("well",), False, id="narrowed"),
        pytest.param(FAILING, False, id="narrowed-to-those-that-fail"),
        pytest.param((), False, id="of-all"),
        pytest.param(("well",), True, id="narrowed-and-observing"),
        pytest.param((), True, id="observing"),
    ],
)
async def test_a_command_beside_a_daemon_leaves_the_breaker_as_it_is(
    models: tuple[str, ...], observe: bool
) -> None:
    world = a_fleet()
    async with world.running():
        await until_it_opened(world)
        opened = await openings(world)
        # The next canary is due, and the daemon has not come to name it yet.
        await wait(minutes=30)
        shown = await world.check_retry(*models, observe=observe)
        assert await openings(world) == opened
        assert await canaries(world) == []
        if not observe:
            failing = [shown[each].decision.reason for each in FAILING if each in shown]
            assert set(failing) <= {DecisionReason.BREAKER_OPEN}
        await world.run_for(minutes=5)
    assert len(posted(world)) == 1


async def test_a_command_may_send_the_canary_that_the_daemon_named() -> None:
    world = a_fleet()
    async with world.running():
        await until_it_opened(world)
        await wait(minutes=30)
        await world.attend_to_the_breaker()
        (named,) = await canaries(world)
        await world.check_retry()
        assert posted(world) == [named.model_id]
        assert [each.attempt_id for each in await canaries(world)] == ["attempt-1"]


async def test_what_a_command_with_other_rules_recorded_does_not_close_it() -> None:
    world = a_fleet()
    for model_id in MODELS:
        world.on_retry(model_id, "ACTIVE")
    async with world.running():
        await until_it_opened(world)
        await wait(minutes=30)
        for model_id in FAILING:
            for _ in range(3):
                await world.check_retry(model_id, observe=True, max_attempts=1)
                await wait(minutes=1)
            assert world.target(model_id).decision.kind is DecisionKind.GIVE_UP
        await world.run_for(minutes=10)
    assert await closed_by(world) == [ClosedBy.CANARY]
    assert sorted(posted(world)) == list(FAILING)


async def test_beside_a_daemon_of_the_other_mode_a_command_judges_its_own_breaker() -> None:
    world = a_fleet(observe=True, first_delay=timedelta(0))
    async with world.running():
        await world.run_for(minutes=3)
        await world.check_retry()
        fail(world, *FAILING)
        await world.check_retry()
        assert len(posted(world)) < BREAKER.min_failures
        assert await closed_by(world) == [None]
        await world.run_for(minutes=30)
    assert await closed_by(world, observe=True) == [ClosedBy.OBSERVE]
    assert await closed_by(world) == [None]


async def test_a_daemon_beside_another_active_one_obeys() -> None:
    world = a_fleet()
    async with world.running():
        await world.run_for(minutes=3)
        now = world.clock.now()
        other = Replica("daemon:other", "0.1.0", now, now, now, active=True)
        await world.ledger.transact(lambda tx: tx.replicas.save(other))
        fail(world, *FAILING)
        await world.run_for(minutes=1.5)
        assert await openings(world) == []
        world.ledger.dead_owners.add("daemon:other")
        await world.run_for(minutes=1.5)
        assert await closed_by(world) == [None]


# Without a daemon


async def test_passes_of_a_command_open_it_and_send_one_canary_at_a_time() -> None:
    world = a_fleet(first_delay=timedelta(0))
    for model_id in FAILING:
        world.on_retry(model_id, "BUILDING", then=("BUILD_FAILED", timedelta(minutes=2)))
    await passes(world, 3)
    fail(world, *FAILING)
    await world.check_retry()
    before = posted(world)
    assert len(before) < BREAKER.min_failures
    assert await closed_by(world) == [None]
    await wait(minutes=5)
    for _ in range(12):
        earlier = len(posted(world))
        await world.check_retry()
        assert len(posted(world)) <= earlier + 1
        await wait(minutes=5)
    sent = [each.model_id for each in await canaries(world)]
    assert posted(world) == before + sent
    assert len(sent) == len(set(sent)) >= 3
    assert {each.result for each in await canaries(world)} <= {CanaryResult.FAILED, None}
    for model_id in MODELS:
        world.on_retry(model_id, "ACTIVE")
    await passes(world, 8)
    assert await closed_by(world) == [ClosedBy.CANARY]


async def test_a_narrowed_command_leaves_open_what_passes_over_all_opened() -> None:
    world = a_fleet()
    await passes(world, 3)
    fail(world, *FAILING)
    await passes(world, 1)
    opened = await openings(world)
    await wait(minutes=30)
    await world.check_retry("well")
    assert await openings(world) == opened
    assert posted(world) == []


async def test_commands_that_cannot_see_the_api_do_not_hide_who_opened_it() -> None:
    world = a_fleet()
    await passes(world, 3)
    fail(world, *FAILING)
    await passes(world, 1)
    for model_id in MODELS:
        world.api.model(model_id).get_error = AnswerLost("bad gateway", code="502")
    for _ in range(13):
        await world.check_retry()
        await wait(hours=2)
    await world.check_retry("well")
    assert await closed_by(world) == [None]


async def test_a_command_judges_only_with_every_target_that_a_daemon_watched() -> None:
    world = a_fleet(first_delay=timedelta(0))
    async with world.running():
        await world.run_for(minutes=3)
    fail(world, *FAILING)
    await world.check_retry("a", "b", "c", "d")
    assert await openings(world) == []


async def test_a_command_goes_on_judging_when_the_daemon_is_dead() -> None:
    world = a_fleet()
    for model_id in MODELS:
        world.on_retry(model_id, "ACTIVE")
    async with world.running():
        await until_it_opened(world)
        await world.crash()
    await wait(minutes=30)
    await world.check_retry("well")
    assert posted(world) == []
    await world.check_retry()
    assert len(posted(world)) == 1
    await passes(world, 2)
    assert await closed_by(world) == [ClosedBy.CANARY]
    assert len(posted(world)) > 1


async def test_a_model_that_nobody_has_seen_for_a_day_is_not_needed() -> None:
    world = a_fleet()
    await passes(world, 2)
    gone = world.models.pop("well")
    assert gone
    await wait(hours=25)
    await passes(world, 2)
    fail(world, *FAILING)
    await passes(world, 1)
    assert await closed_by(world) == [None]


async def test_a_clock_that_was_set_back_between_two_passes_does_not_blind_it() -> None:
    world = a_fleet()
    for model_id in MODELS:
        world.on_retry(model_id, "ACTIVE")
    await passes(world, 2)
    fail(world, *FAILING)
    await passes(world, 12)
    assert await closed_by(world) == [ClosedBy.CANARY]
    world.clock.stepped = timedelta(days=-1)
    await passes(world, 2)
    fail(world, "a")
    await passes(world, 1)
    assert await closed_by(world) == [ClosedBy.CANARY]
    fail(world, *FAILING)
    await passes(world, 1)
    assert set(await closed_by(world)) == {None, ClosedBy.CANARY}


async def test_a_command_beside_a_daemon_uses_the_daemons_clock() -> None:
    world = a_fleet()
    async with world.running():
        await until_it_opened(world)
        before = world.target("a").broke_at, await openings(world)
        world.clock.stepped = timedelta(hours=-1)
        await world.check_retry()
        assert (world.target("a").broke_at, await openings(world)) == before


# Each mode its own


async def test_what_closes_one_modes_breaker_leaves_the_others_failures() -> None:
    world = a_fleet(breaker=replace(BREAKER, cooldown=timedelta(minutes=1)))
    for model_id in MODELS:
        world.on_retry(model_id, "ACTIVE")
    async with world.running():
        await world.run_for(minutes=3)
        fail(world, "a", "b")
        await world.run_for(minutes=8)
        fail(world, "c")
        await world.run_for(minutes=5)
        assert await closed_by(world) == [ClosedBy.CANARY]
    fail(world, "d", "e")
    # That of c began five minutes ago, after no closing of this mode's.
    await world.check_retry(observe=True)
    assert await closed_by(world, observe=True) == [None]
    await world.check_retry()
    assert await closed_by(world) == [ClosedBy.CANARY]


async def test_a_daemon_whose_mode_changes_goes_on_with_that_modes_breaker() -> None:
    world = a_fleet()
    async with world.running():
        await until_it_opened(world)
        for model_id in MODELS:
            world.api.set_status(model_id, "ACTIVE")
        world.observe = True
        await world.reload()
        await world.run_for(minutes=5)
        world.observe = False
        await world.reload()
        await world.run_for(minutes=30)
    assert await closed_by(world) == [ClosedBy.NONE_ELIGIBLE]


# When no process judges


async def test_a_process_that_may_not_judge_closes_an_opening_that_was_not_judged_for_a_day() -> (
    None
):
    world = a_fleet()
    async with world.running():
        await until_it_opened(world)
        await world.crash()
    (opening,) = await openings(world)
    await wait(hours=23, minutes=50)
    await world.check_retry("well")
    assert await closed_by(world) == [None]
    await wait(minutes=15)
    await world.check_retry("well")
    assert await closed_by(world) == [ClosedBy.LAPSED]
    (closed,) = [each for each in world.events if isinstance(each, BreakerClosed)]
    assert (closed.closed_by, closed.canary) == (ClosedBy.LAPSED, None)
    assert closed.after == world.clock.now() - opening.opened_at


async def test_a_daemon_that_starts_a_day_later_goes_on_with_canaries() -> None:
    world = a_fleet()
    for model_id in MODELS:
        world.on_retry(model_id, "BUILDING")
    async with world.running():
        await until_it_opened(world)
        await world.run_for(minutes=20)
        assert len(posted(world)) == 1
        await world.crash()
    await wait(hours=25)
    async with world.running():
        await world.run_for(minutes=30)
    assert await closed_by(world) == [None]
    assert [each.result for each in await canaries(world)] == [CanaryResult.FAILED, None]


async def test_a_jump_of_the_clock_by_a_day_closes_no_breaker() -> None:
    world = a_fleet()
    async with world.running():
        await until_it_opened(world)
        world.clock.stepped += timedelta(hours=25)
        await world.run_for(minutes=5)
        assert await closed_by(world) == [None]
        assert len(posted(world)) <= 1


async def test_the_time_of_the_last_judgement_is_recorded_at_intervals() -> None:
    world = a_fleet()
    async with world.running():
        await until_it_opened(world)
        written = set()
        for _ in range(60):
            await world.run_for(seconds=10)
            (opening,) = await openings(world)
            assert opening.judged_at is not None
            assert world.clock.now() - opening.judged_at < timedelta(minutes=6)
            written.add(opening.judged_at)
    assert len(written) <= 3


# A canary's end


async def test_the_look_that_sees_the_canary_fail_again_ends_it() -> None:
    world = a_fleet()
    async with world.running():
        await until_it_opened(world)
        await world.run_for(minutes=17)
        (canary,) = await canaries(world)
        assert canary.attempt_id is not None
        await wait(minutes=1)
        target, now = world.target(canary.model_id), world.clock.now()
        assert target.deployment is not None
        seen = Look(now, Observation("BUILD_FAILED", target.deployment, now))

        def look(tx: Any) -> Canary | None:
            record_look(tx, world.settings, target, seen, Access(None, "key"))
            found: Canary | None = tx.breaker.last_canary(canary.opening_id)
            return found

        ended = await world.ledger.transact(look)
    assert ended == replace(canary, ended_at=now, result=CanaryResult.FAILED)


async def test_a_canary_that_failed_is_not_revised_when_a_late_status_says_otherwise() -> None:
    world = a_fleet()
    world.on_retry("a", "BUILD_FAILED", then=("ACTIVE", timedelta(minutes=3)))
    async with world.running():
        await until_it_opened(world)
        await world.run_for(minutes=22)
        assert posted(world) == ["a"]
        assert world.target("a").status == "ACTIVE"
        assert [each.result for each in await canaries(world)] == [CanaryResult.FAILED]
        assert await closed_by(world) == [None]
