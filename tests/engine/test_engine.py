"""The engine in virtual time: what it sends, when, and what it says about it."""

import asyncio
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

import pytest

from tests.fakes.engine import World, at
from watchdog.domain.limits import GIVE_WAY
from watchdog.domain.records import (
    DecisionReason,
    Outcome,
    Resolution,
    Standing,
    TargetState,
)
from watchdog.domain.status import state_of
from watchdog.engine.ports import AnswerLost, LedgerUnavailable

pytestmark = pytest.mark.looptime(noop_cycles=0)


async def test_a_failed_build_is_retried_after_the_first_delay_and_watched_until_it_recovers() -> (
    None
):
    world = World("llama")
    world.api.set_status("llama", "BUILD_FAILED")
    world.on_retry("llama", "BUILDING")
    async with world.running():
        await world.run_for(minutes=3)
        assert world.posts() == [at(minutes=2)]
        world.api.set_status("llama", "ACTIVE")
        await world.run_for(minutes=1)
    assert world.log() == [
        "deployment_failing",
        "retry_suppressed",
        "retry_reserved",
        "retry_accepted",
        "recovered",
    ]
    assert state_of(world.target("llama")) is TargetState.HEALTHY
    assert [(a.outcome, a.resolution) for a in world.attempts()] == [
        (Outcome.ACCEPTED, Resolution.RECOVERED)
    ]


async def test_it_backs_off_from_the_re_failure_and_gives_up_when_the_episode_is_spent() -> None:
    world = World("llama", jitter=0.0, backoff=timedelta(minutes=1))
    world.api.set_status("llama", "BUILD_FAILED")
    world.on_retry("llama", "BUILDING", then=("BUILD_FAILED", timedelta(minutes=4)))
    async with world.running():
        await world.run_for(minutes=40)
    refailed = [attempt.resolved_at for attempt in world.attempts()]
    waits = [
        later - earlier
        for earlier, later in zip(refailed, world.posts()[1:], strict=False)
        if earlier
    ]
    assert waits == [timedelta(minutes=1), timedelta(minutes=3), timedelta(minutes=9)]
    assert len(world.posts()) == 4
    assert world.log().count("gave_up") == 1
    assert world.target("llama").decision.reason is DecisionReason.EPISODE_SPENT


async def test_a_throttled_retry_waits_for_the_hold_and_is_not_charged() -> None:
    world = World("llama", first_delay=timedelta(0))
    world.api.set_status("llama", "BUILD_FAILED")
    world.throttle("llama", timedelta(seconds=37))
    async with world.running():
        await world.run_for(minutes=2)
    assert [attempt.outcome for attempt in world.attempts()] == [
        Outcome.THROTTLED,
        Outcome.ACCEPTED,
    ]
    first, second = world.posts()
    assert second - first == timedelta(seconds=37) + GIVE_WAY
    assert [attempt.number for attempt in world.attempts()] == [1, 1]


async def test_a_429_for_one_target_alone_stops_the_others_for_its_time_only() -> None:
    world = World("llama", "whisper", first_delay=timedelta(0))
    world.throttle("llama", timedelta(seconds=10), times=1000)
    world.api.set_status("llama", "BUILD_FAILED")
    world.api.set_status("whisper", "BUILD_FAILED")
    world.api.model("whisper").before_urgent = lambda: asyncio.sleep(0.01)
    async with world.running():
        await world.run_for(seconds=15)
    assert "whisper" in [model_id for model_id, _ in world.api.posts]


async def test_a_lost_answer_is_resolved_by_checks_and_never_by_a_second_post() -> None:
    world = World("llama", first_delay=timedelta(0), jitter=0.0)
    world.api.set_status("llama", "BUILD_FAILED")
    world.api.model("llama").retry_error = AnswerLost("no answer", code="timeout")
    async with world.running():
        await world.run_for(minutes=5)
        assert len(world.posts()) == 1
        (attempt,) = world.attempts()
        assert attempt.resolution is Resolution.REFAILED
        await world.run_for(minutes=2)
    assert len(world.posts()) == 2


async def test_a_target_that_hangs_does_not_delay_the_others() -> None:
    world = World(*(f"m{number}" for number in range(30)), concurrency=2)
    world.api.model("m7").before_get = asyncio.Event()
    async with world.running():
        await world.run_for(minutes=2)
        assert {model_id for model_id, count in world.api.gets.items() if count >= 2} == {
            f"m{number}" for number in range(30) if number != 7
        }


async def test_a_steady_fleet_costs_no_transaction() -> None:
    world = World(*(f"m{number}" for number in range(50)))
    async with world.running():
        await world.run_for(minutes=2)
        before, checked = world.ledger.transactions, sum(world.api.gets.values())
        await world.run_for(minutes=2)
        assert sum(world.api.gets.values()) - checked >= 50
        assert world.ledger.transactions == before


async def test_while_the_ledger_is_away_watching_goes_on_and_nothing_is_sent() -> None:
    world = World("llama", "other")
    world.api.set_status("llama", "BUILD_FAILED")
    async with world.running():
        await world.run_for(minutes=1)
        world.ledger.fail_with = LedgerUnavailable("disk full")
        checks = sum(world.api.gets.values())
        await world.run_for(minutes=10)
        assert 18 <= sum(world.api.gets.values()) - checks <= 22
        assert world.posts() == []
        assert world.shown("llama").decision.reason is DecisionReason.LEDGER_UNAVAILABLE
        world.ledger.fail_with = None
        await world.run_for(minutes=2)
    assert len(world.posts()) == 1
    assert world.log().count("ledger_unavailable") == 1
    assert world.log().count("ledger_available") == 1


async def test_stopping_records_a_post_under_way() -> None:
    world = World("llama", first_delay=timedelta(0))
    world.api.set_status("llama", "BUILD_FAILED")
    answer = world.api.model("llama").before_answer = asyncio.Event()
    async with world.running():
        await world.run_for(seconds=2)
        stopping = asyncio.create_task(world.stop())
        await asyncio.sleep(15)
        answer.set()
        await stopping
    (attempt,) = world.attempts()
    assert attempt.outcome is Outcome.ACCEPTED


async def test_a_pending_attempt_of_a_dead_daemon_is_charged_and_resolved_by_looking() -> None:
    world = World("llama", first_delay=timedelta(0), jitter=0.0)
    world.api.set_status("llama", "BUILD_FAILED")
    world.api.model("llama").before_answer = asyncio.Event()
    async with world.running():
        await world.run_for(seconds=2)
        await world.crash()
    (attempt,) = world.attempts()
    assert attempt.outcome is Outcome.PENDING
    world.api.model("llama").before_answer = None
    async with world.running():
        await world.run_for(minutes=4)
        assert world.attempts()[0].outcome is Outcome.UNKNOWN
        assert len(world.posts()) == 1
        await world.run_for(minutes=4)
    assert [attempt.number for attempt in world.attempts()] == [1, 2]


async def test_observe_mode_decides_and_records_everything_and_sends_nothing() -> None:
    world = World("llama", observe=True, backoff=timedelta(minutes=1))
    world.api.set_status("llama", "BUILD_FAILED")
    async with world.running():
        await world.run_for(minutes=30)
    assert world.posts() == []
    assert [attempt.outcome for attempt in world.attempts()] == [Outcome.DRY_RUN] * 4
    assert world.target("llama").decision.reason is DecisionReason.EPISODE_SPENT


@pytest.mark.parametrize(("standing", "posts"), [(Standing.IGNORE, 0), (Standing.RETRY, 1)])
async def test_retry_mode_leaves_standing_failures_alone_when_configured_so(
    standing: Standing, posts: int
) -> None:
    world = World("llama", observe=True, standing=standing)
    async with world.running():
        await world.run_for(minutes=2)
        world.api.set_status("llama", "BUILD_FAILED")
        await world.run_for(minutes=5)
    world.observe = False
    async with world.running():
        await world.run_for(minutes=5)
    assert len(world.posts()) == posts


async def test_a_model_taken_out_of_the_configuration_is_no_longer_watched() -> None:
    world = World("llama", "other")
    world.api.set_status("llama", "BUILD_FAILED")
    async with world.running():
        await world.run_for(seconds=30)
    del world.models["llama"]
    checks = world.api.gets["llama"]
    async with world.running():
        await world.run_for(minutes=10)
    assert world.api.gets["llama"] == checks
    assert not world.target("llama").watched
    assert "target_removed" in world.log()


async def test_two_404s_an_interval_apart_make_a_target_missing_and_one_does_not() -> None:
    world = World("llama")
    world.api.delete("llama")
    async with world.running():
        await world.run_for(seconds=30)
        assert not world.target("llama").missing
        await world.run_for(minutes=3)
        assert state_of(world.target("llama")) is TargetState.MISSING
        world.api.model("llama").get_error = None
        await world.run_for(minutes=2)
    assert state_of(world.target("llama")) is TargetState.HEALTHY


async def test_a_check_that_errs_changes_nothing() -> None:
    world = World("llama", jitter=0.0)
    world.api.lists("another")
    world.api.set_status("llama", "BUILD_FAILED")
    async with world.running():
        await world.run_for(seconds=30)
        before = world.target("llama")
        world.api.model("llama").get_error = AnswerLost("bad gateway", code="502")
        await world.run_for(minutes=10)
        after = world.target("llama")
        assert replace(after, next_check_at=None) == replace(before, next_check_at=None)
        assert world.posts() == []


async def test_a_changed_policy_applies_to_the_plans_there_are() -> None:
    world = World("llama", first_delay=timedelta(hours=1))
    world.api.set_status("llama", "BUILD_FAILED")
    async with world.running():
        await world.run_for(minutes=3)
    policy = replace(world.models["llama"].policy, first_delay=timedelta(minutes=4))
    world.models["llama"] = replace(world.models["llama"], policy=policy)
    async with world.running():
        await world.run_for(minutes=3)
    assert len(world.posts()) == 1


async def test_a_clock_set_back_across_a_restart_delays_nothing_and_forgets_nothing() -> None:
    world = World("llama", max_attempts=2, jitter=0.0)
    world.api.set_status("llama", "BUILD_FAILED")
    async with world.running():
        await world.run_for(minutes=3)
        assert len(world.posts()) == 1
    world.clock.stepped = -timedelta(days=1)
    async with world.running():
        before = world.api.gets["llama"]
        await world.run_for(minutes=3)
        assert world.api.gets["llama"] > before
        await world.run_for(minutes=5)
        assert len(world.posts()) == 2
        await world.run_for(minutes=30)
    assert len(world.posts()) == 2


async def test_a_clock_set_forward_across_a_restart_delays_nothing() -> None:
    world = World("llama", jitter=0.0)
    world.api.set_status("llama", "BUILD_FAILED")
    async with world.running():
        await world.run_for(minutes=3)
    world.clock.stepped = timedelta(days=1)
    async with world.running():
        await world.run_for(minutes=3)
    assert len(world.posts()) == 2


async def test_a_ledger_that_reads_and_does_not_write_is_away_until_it_writes() -> None:
    world = World("llama")
    async with world.running():
        await world.run_for(minutes=2)
        world.ledger.full = LedgerUnavailable("database or disk is full")
        for _ in range(30):  # Nothing but the heartbeats is written.
            with suppress(LedgerUnavailable):
                await world.beat()
            await world.run_for(seconds=5)
        assert [name for name in world.log() if name.startswith("ledger")] == ["ledger_unavailable"]
        world.ledger.full = None
        await world.run_for(minutes=2)
    assert [name for name in world.log() if name.startswith("ledger")] == [
        "ledger_unavailable",
        "ledger_available",
    ]
