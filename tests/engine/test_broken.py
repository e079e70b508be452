"""What is neither well nor retried: broken, deactivated, slow, or scaled to zero before it was
loaded."""

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.fakes.engine import BREAKER, World, at
from watchdog.domain.records import (
    Actor,
    Breakage,
    DecisionReason,
    EpisodeResult,
    Health,
    Resolution,
    TargetState,
)
from watchdog.domain.status import state_of
from watchdog.engine.events import DeploymentStuck, Recovered
from watchdog.engine.ports import Act, Forbidden
from watchdog.engine.target import operate

pytestmark = pytest.mark.looptime(noop_cycles=0)


def deactivated(
    world: World, by: Actor | None, event: str = "MODEL_DEPLOYMENT_DEACTIVATED"
) -> None:
    """The status, and the entry of the audit log."""
    world.api.set_status("llama", "INACTIVE")
    logged(world, by, event)


def logged(world: World, by: Actor | None, event: str = "MODEL_DEPLOYMENT_DEACTIVATED") -> None:
    act = Act(world.clock.now(), event, "somebody", own=False, by=by)
    world.api.audit["llama"] = [*world.api.audit.get("llama", ()), act]


async def breakages(world: World) -> list[Breakage]:
    return await world.ledger.transact(lambda tx: list(tx.breakages.newest("llama", limit=9)))


def asking() -> World:
    world = World("llama", first_delay=timedelta(0))
    world.diagnose = True
    return world


async def test_a_model_that_is_scaled_to_zero_before_it_was_loaded_has_not_recovered() -> None:
    world = World("llama", first_delay=timedelta(0))
    async with world.running():
        await world.run_for(minutes=2)
        world.api.set_status("llama", "BUILD_FAILED")
        world.on_retry("llama", "SCALED_TO_ZERO", then=("WAKING_UP", timedelta(seconds=51)))
        await world.run_for(minutes=3)
        assert "recovered" not in world.log()
        assert state_of(world.target("llama")) is TargetState.RECOVERING
        world.api.set_status("llama", "DEPLOY_FAILED")
        await world.run_for(minutes=1)
    assert world.attempts()[0].resolution is Resolution.REFAILED
    assert [
        event for event in world.log() if event in ("recovered", "deployment_failed_again")
    ] == ["deployment_failed_again"]


async def test_one_that_goes_to_sleep_without_serving_recovers_once_that_has_lasted() -> None:
    world = World("llama", first_delay=timedelta(0))
    async with world.running():
        await world.run_for(minutes=2)
        world.api.set_status("llama", "BUILD_FAILED")
        world.on_retry("llama", "BUILDING", then=("SCALED_TO_ZERO", timedelta(minutes=2)))
        await world.run_for(minutes=7)
        assert "recovered" not in world.log()
        await world.run_for(minutes=2)
    (recovered,) = [event for event in world.events if isinstance(event, Recovered)]
    assert timedelta(minutes=1.5) < recovered.after < timedelta(minutes=2.5)


async def test_the_breaker_stays_open_while_its_canary_is_only_scaled_to_zero() -> None:
    names = ("a", "b", "c")
    world = World(*names, first_delay=timedelta(0), breaker=replace(BREAKER, ratio=0.3))
    async with world.running():
        await world.run_for(minutes=2)
        for name in names:
            world.api.set_status(name, "BUILD_FAILED")
            world.on_retry(name, "SCALED_TO_ZERO", then=("DEPLOY_FAILED", timedelta(minutes=4)))
        await world.run_for(minutes=22)
        assert world.log().count("canary_sent") == 1
        await world.run_for(minutes=5)
        assert "breaker_closed" not in world.log()
        assert "canary_failed" in world.log()


async def test_a_deployment_that_an_operator_deactivated_is_not_retried() -> None:
    world = asking()
    async with world.running():
        await world.run_for(minutes=2)
        world.api.set_status("llama", "BUILD_FAILED")
        world.on_retry("llama", "DEPLOYING")
        await world.run_for(minutes=2)
        deactivated(world, Actor.PERSON)
        await world.run_for(minutes=1)
        assert "episode_superseded" in world.log()
        await world.run_for(minutes=10)
    assert state_of(world.target("llama")) is TargetState.NOT_RETRYABLE
    assert "deployment_broken" not in world.log()
    assert world.api.audits["llama"] == 1


async def test_what_the_platform_deactivates_is_broken_and_its_episode_goes_on() -> None:
    world = asking()
    async with world.running():
        await world.run_for(minutes=2)
        world.api.set_status("llama", "BUILD_FAILED")
        world.on_retry("llama", "DEPLOYING")
        await world.run_for(minutes=2)
        deactivated(world, Actor.PLATFORM)
        await world.run_for(minutes=1)
        target = world.target("llama")
        assert state_of(target) is TargetState.BROKEN
        assert target.decision.reason is DecisionReason.BROKEN
        assert target.episode is not None
        assert target.episode.open
        assert "deployment_broken" in world.log()
        await world.run_for(minutes=65, every=timedelta(seconds=5))
        logged(world, Actor.PERSON, "MODEL_DEPLOYMENT_ACTIVATED")
        world.api.set_status("llama", "DEPLOYING")
        await world.run_for(minutes=2)
    assert world.log().count("deployment_broken") == 1
    assert world.log()[-2:] == ["episode_superseded", "deployment_no_longer_broken"]
    (breakage,) = await breakages(world)
    assert (breakage.status, breakage.ended_at is not None) == ("INACTIVE", True)
    assert len(world.posts()) == 1


@pytest.mark.parametrize(
    ("before", "state"),
    [("ACTIVE", TargetState.NOT_RETRYABLE), ("LOADING_MODEL", TargetState.BROKEN)],
)
async def test_when_the_actor_is_unknown_the_status_before_decides(
    before: str, state: TargetState
) -> None:
    world = asking()
    async with world.running():
        world.api.set_status("llama", before)
        await world.run_for(minutes=2)
        world.api.set_status("llama", "INACTIVE")
        await world.run_for(minutes=4)
        assert state_of(world.target("llama")) is TargetState.NOT_RETRYABLE
        assert "deployment_broken" not in world.log()
        await world.run_for(minutes=3)
    assert state_of(world.target("llama")) is state
    assert world.api.audits["llama"] == 3


async def test_an_entry_that_comes_late_is_still_read() -> None:
    world = asking()
    async with world.running():
        world.api.set_status("llama", "DEPLOYING")
        await world.run_for(minutes=2)
        world.api.set_status("llama", "INACTIVE")
        await world.run_for(minutes=3)
        logged(world, Actor.PERSON)
        await world.run_for(minutes=4)
    assert state_of(world.target("llama")) is TargetState.NOT_RETRYABLE
    assert "deployment_broken" not in world.log()


async def test_an_older_deactivation_says_nothing_of_this_one() -> None:
    world = asking()
    async with world.running():
        logged(world, Actor.PERSON)
        await world.run_for(minutes=1)
        logged(world, Actor.PERSON, "MODEL_DEPLOYMENT_ACTIVATED")
        world.api.set_status("llama", "DEPLOYING")
        await world.run_for(minutes=2)
        world.api.set_status("llama", "INACTIVE")
        await world.run_for(minutes=7)
    assert state_of(world.target("llama")) is TargetState.BROKEN


async def test_the_actor_is_unknown_when_the_key_may_not_read_the_log_or_diagnosis_is_off() -> None:
    for diagnose in (True, False):
        world = asking()
        world.diagnose = diagnose
        world.api.log_error = Forbidden("forbidden", code="403")
        async with world.running():
            world.api.set_status("llama", "DEPLOYING")
            await world.run_for(minutes=2)
            deactivated(world, Actor.PERSON)
            await world.run_for(minutes=1.5)
            assert (state_of(world.target("llama")) is TargetState.BROKEN) is not diagnose
            await world.run_for(minutes=6)
        assert state_of(world.target("llama")) is TargetState.BROKEN
        assert world.api.audits["llama"] == (3 if diagnose else 0)


async def test_it_is_asked_again_in_time_even_where_checks_are_far_apart() -> None:
    world = asking()
    async with world.running():
        world.live.current = replace(world.settings, interval=timedelta(minutes=30))
        world.api.set_status("llama", "DEPLOYING")
        await world.run_for(minutes=35)
        world.api.set_status("llama", "INACTIVE")
        await world.run_for(minutes=40)
        assert state_of(world.target("llama")) is TargetState.BROKEN


@pytest.mark.parametrize("status", ["FAILED", "UNHEALTHY", "SOMETHING_NEW"])
async def test_what_is_broken_is_reported_once_and_so_is_its_end(status: str) -> None:
    world = World("llama")
    async with world.running():
        await world.run_for(minutes=2)
        world.api.set_status("llama", status)
        await world.run_for(minutes=10)
        assert state_of(world.target("llama")) is TargetState.BROKEN
        assert world.log().count("deployment_broken") == 1
        (breakage,) = await breakages(world)
        assert (breakage.status, breakage.ended_at) == (status, None)
        world.api.set_status("llama", "ACTIVE")
        await world.run_for(minutes=2)
    assert world.log()[-1] == "deployment_no_longer_broken"
    (breakage,) = await breakages(world)
    assert breakage.ended_at is not None
    assert world.posts() == []


async def test_a_model_that_is_missing_is_broken_until_it_is_back() -> None:
    world = World("llama")
    async with world.running():
        await world.run_for(minutes=2)
        world.api.delete("llama")
        await world.run_for(minutes=5)
        assert world.log().count("deployment_broken") == 1
        (breakage,) = await breakages(world)
        assert (breakage.status, breakage.ended_at) == (None, None)
        world.api.model("llama").get_error = None
        await world.run_for(minutes=2)
    assert world.log()[-1] == "deployment_no_longer_broken"


async def test_a_paused_broken_target_is_shown_as_paused_until_the_pause_ends() -> None:
    world = World("llama")
    async with world.running():
        world.api.set_status("llama", "UNHEALTHY")
        await world.run_for(minutes=2)
        await world.ledger.transact(
            lambda tx: operate.pause(
                tx, "llama", span=timedelta(minutes=5), who="ann@desk", note=""
            )
        )
        await world.run_for(minutes=2)
        assert state_of(world.target("llama")) is TargetState.PAUSED
        assert world.target("llama").health is Health.BROKEN
        await world.run_for(minutes=6)
        assert state_of(world.target("llama")) is TargetState.BROKEN
        world.api.opt_out("llama")
        await world.run_for(minutes=2)
        assert state_of(world.target("llama")) is TargetState.IGNORED
    assert world.log().count("deployment_broken") == 1


async def test_a_build_that_lasts_too_long_is_stuck_also_if_an_operator_began_it() -> None:
    world = World("llama")
    async with world.running():
        world.api.set_status("llama", "BUILDING")
        await world.run_for(minutes=40)
        world.api.set_status("llama", "LOADING_MODEL")
        await world.run_for(minutes=19)
        assert state_of(world.target("llama")) is TargetState.IN_PROGRESS
        await world.run_for(minutes=30)
        assert state_of(world.target("llama")) is TargetState.STUCK
        (stuck,) = [event for event in world.events if isinstance(event, DeploymentStuck)]
        assert stuck.attempt is None
        world.api.set_status("llama", "ACTIVE")
        await world.run_for(minutes=2)
        assert state_of(world.target("llama")) is TargetState.HEALTHY


async def test_an_attempt_that_is_stuck_is_reported_once() -> None:
    world = World("llama", first_delay=timedelta(0))
    async with world.running():
        await world.run_for(minutes=2)
        world.api.set_status("llama", "BUILD_FAILED")
        world.on_retry("llama", "BUILDING")
        await world.run_for(minutes=90, every=timedelta(seconds=5))
    assert world.log().count("deployment_stuck") == 1


async def test_where_unhealthy_is_to_be_retried_it_is() -> None:
    world = World("llama", first_delay=timedelta(0), retry_on=frozenset({"UNHEALTHY", "FAILED"}))
    async with world.running():
        await world.run_for(minutes=2)
        world.api.set_status("llama", "UNHEALTHY")
        world.on_retry("llama", "ACTIVE")
        await world.run_for(minutes=2)
    assert len(world.posts()) == 1
    assert "deployment_broken" not in world.log()
    target = world.target("llama")
    assert target.episode is not None
    assert target.episode.result is EpisodeResult.RECOVERED
    assert at() < world.posts()[0]
