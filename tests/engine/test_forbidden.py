"""Retries that the key may not send, of one model and of all, in virtual time."""

import asyncio
from datetime import timedelta
from functools import partial
from itertools import pairwise

import pytest

from tests.fakes.engine import NEVER_OPENS, World, at
from watchdog.domain.limits import PROBE_INTERVAL
from watchdog.domain.records import DecisionReason, TargetState
from watchdog.domain.status import state_of
from watchdog.engine.events import RetriesAllowed, RetriesForbidden
from watchdog.engine.ports import AnswerLost, Forbidden

pytestmark = pytest.mark.looptime(noop_cycles=0)

NO = Forbidden("HTTP 403: no permission", code="403")
FLEET = [f"m{number:02}" for number in range(12)]


def a_world(*model_ids: str) -> World:
    world = World(
        *model_ids,
        first_delay=timedelta(0),
        backoff=timedelta(seconds=2),
        backoff_factor=2.0,
        jitter=0.0,
        breaker=NEVER_OPENS,
    )
    for model_id in model_ids:
        world.api.set_status(model_id, "BUILD_FAILED")
        world.on_retry(model_id, "BUILDING", then=("ACTIVE", timedelta(minutes=2)))
    return world


def forbid(world: World, *model_ids: str, error: Forbidden | None = NO) -> None:
    for model_id in model_ids:
        world.api.model(model_id).retry_error = error


async def test_a_model_whose_retry_is_forbidden_is_given_up_after_two() -> None:
    world = a_world("a", "b")
    forbid(world, "a")
    async with world.running():
        await world.run_for(hours=9)
        assert [model_id for model_id, _ in world.api.posts].count("a") == 2
        assert world.target("a").decision.reason is DecisionReason.FORBIDDEN
        assert state_of(world.target("a")) is TargetState.EXHAUSTED
        assert state_of(world.target("b")) is TargetState.HEALTHY
    assert world.log().count("gave_up") == 1
    assert "retries_forbidden" not in world.log()


@pytest.mark.parametrize("what", ["key", "push", "reset"])
async def test_a_key_that_changed_another_deployment_and_a_reset_begin_anew(what: str) -> None:
    world = a_world("a")
    forbid(world, "a")
    async with world.running():
        await world.run_for(hours=2)
        assert len(world.posts()) == 2
        if what == "key":
            world.api.key_mark = "another-key"
        elif what == "push":
            world.api.push("a", "BUILD_FAILED")
        else:
            await world.reset("a")
        forbid(world, "a", error=None)
        await world.run_for(minutes=10)
        assert state_of(world.target("a")) is TargetState.HEALTHY
    assert len(world.posts()) == 3


async def test_a_key_that_may_retry_nothing_is_tried_once_an_hour_for_the_whole_fleet() -> None:
    world = a_world(*FLEET)
    forbid(world, *FLEET)
    async with world.running():
        await world.run_for(hours=5)
        begun = world.posts()
        (forbidden,) = [e for e in world.events if isinstance(e, RetriesForbidden)]
        assert forbidden.models == 3
        assert "gave_up" not in world.log()
    # This holds however many were under way when the third was answered.
    early = [when for when in begun if when < at(minutes=1)]
    assert len(early) <= 4
    probes = begun[len(early) - 1 :]
    assert 4 <= len(probes) <= 6
    assert all(later - earlier >= PROBE_INTERVAL for earlier, later in pairwise(probes))


async def test_one_that_was_reserved_before_and_not_sent_is_no_probe() -> None:
    world = a_world(*FLEET[:4])
    forbid(world, *FLEET[:4])

    async def fails_late() -> None:
        await asyncio.sleep(3)  # The third one is forbidden by then.
        world.api.model(FLEET[3]).get_error = AnswerLost("no", code="503")

    for model_id in FLEET[:3]:
        world.api.model(model_id).before_urgent = partial(asyncio.sleep, 1)
    world.api.model(FLEET[3]).before_urgent = fails_late
    async with world.running():
        await world.run_for(minutes=30)
    assert len(world.posts()) == 3


async def test_a_dry_run_takes_no_probe_from_a_command_that_may_retry() -> None:
    world = a_world(*FLEET[:3])
    forbid(world, *FLEET[:3])
    async with world.running():
        await world.run_for(minutes=5)
    sent = len(world.posts())
    world.observe = True
    async with world.running():
        for _ in range(14):
            await world.run_for(minutes=5)
            await world.check_retry()
    assert len(world.posts()) == sent + 1


async def test_the_first_retry_that_is_allowed_lets_the_others_go() -> None:
    world = a_world(*FLEET)
    forbid(world, *FLEET)
    async with world.running():
        await world.run_for(minutes=30)
        forbid(world, *FLEET, error=None)
        await world.run_for(minutes=50)
        assert [state_of(world.target(each)) for each in FLEET] == [TargetState.HEALTHY] * 12
    (allowed,) = [event for event in world.events if isinstance(event, RetriesAllowed)]
    assert allowed.after >= timedelta(minutes=50)


async def test_another_key_may_retry_at_once_and_a_restart_forgets_nothing() -> None:
    world = a_world(*FLEET[:4])
    forbid(world, *FLEET[:4])
    async with world.running():
        await world.run_for(minutes=2)
    sent = len(world.posts())
    async with world.running():
        await world.run_for(minutes=40)
        assert len(world.posts()) == sent
        world.api.key_mark = "another-key"
        forbid(world, *FLEET[:4], error=None)
        await world.run_for(minutes=5)
        assert [state_of(world.target(each)) for each in FLEET[:4]] == [TargetState.HEALTHY] * 4


async def test_the_probe_is_the_one_that_may_be_allowed_rather_than_one_forbidden_before() -> None:
    world = a_world(*FLEET[:3], "other")
    forbid(world, *FLEET[:3])
    world.api.set_status("other", "ACTIVE")
    async with world.running():
        await world.run_for(minutes=5)
        world.api.set_status("other", "BUILD_FAILED")
        await world.run_for(hours=1)
        assert state_of(world.target("other")) is TargetState.HEALTHY
        # What one model may shows nothing of those that were forbidden.
        assert state_of(world.target(FLEET[0])) is not TargetState.HEALTHY
    assert world.log().count("retries_allowed") == 1
