"""First allowed, first served, and no target keeps a place that it cannot use; in virtual time."""

from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.fakes.engine import NEVER_OPENS, World, at
from watchdog.domain.records import Decision, DecisionKind, DecisionReason
from watchdog.engine.fleet import overview
from watchdog.engine.ports import AnswerLost, Forbidden, LedgerTransaction

pytestmark = pytest.mark.looptime(noop_cycles=0)

OTHERS = [f"o{number:02}" for number in range(10)]


def a_world(*model_ids: str, **more: Any) -> World:
    values: dict[str, Any] = {
        "first_delay": timedelta(0),
        "backoff": timedelta(seconds=5),
        "backoff_factor": 1.0,
        "jitter": 0.0,
        "max_attempts": 9,
        "max_attempts_per_window": 9,
        "breaker": NEVER_OPENS,
    }
    return World(*model_ids, **values | more)


def fails_at_once(world: World, *model_ids: str) -> None:
    """Builds that fail within five seconds."""
    for model_id in model_ids:
        world.api.set_status(model_id, "BUILD_FAILED")
        world.on_retry(model_id, "BUILDING", then=("BUILD_FAILED", timedelta(seconds=5)))


def first_posts(world: World) -> dict[str, datetime]:
    found: dict[str, datetime] = {}
    for model_id, when in world.api.posts:
        found.setdefault(model_id, when)
    return found


async def test_each_gets_its_first_retry_before_any_gets_its_second() -> None:
    world = a_world(*OTHERS, "eleventh")
    fails_at_once(world, *OTHERS, "eleventh")
    async with world.running():
        await world.run_for(minutes=10)
    first = first_posts(world)
    second = [when for model_id, when in world.api.posts if when != first[model_id]]
    assert len(first) == 11
    assert max(first.values()) <= min(second)
    assert max(first.values()) <= at(minutes=2, seconds=5)


async def test_a_target_in_the_queue_gets_a_time_of_its_own_which_is_kept() -> None:
    world = a_world(*OTHERS)
    fails_at_once(world, *OTHERS)
    promised: dict[str, datetime] = {}
    async with world.running():
        await world.run_for(seconds=3)
        for model_id in OTHERS:
            decision = world.target(model_id).decision
            if decision.reason is DecisionReason.FLEET_MINUTE_SPENT:
                assert decision.until is not None
                promised[model_id] = decision.until
        await world.run_for(minutes=3)
    assert len(promised) == 6
    assert max(Counter(promised.values()).values()) <= 4
    sent = first_posts(world)
    late = [sent[model_id] - until for model_id, until in promised.items()]
    assert all(timedelta(0) <= each <= timedelta(seconds=2) for each in late)


@pytest.mark.parametrize("trouble", ["fail-at-once", "are-forbidden", "cannot-be-seen"])
async def test_one_that_fails_later_is_retried_soon_whatever_ten_others_do(trouble: str) -> None:
    world = a_world(*OTHERS, "healed", max_in_flight=4)
    fails_at_once(world, *OTHERS)
    if trouble == "are-forbidden":
        # Of two only: of three it would be taken for the key's own trouble.
        for model_id in OTHERS[:2]:
            world.api.model(model_id).retry_error = Forbidden("no", code="403")
    async with world.running():
        await world.run_for(minutes=5)
        if trouble == "cannot-be-seen":
            for model_id in OTHERS:
                world.api.model(model_id).get_error = AnswerLost("no", code="503")
        world.api.set_status("healed", "BUILD_FAILED")
        world.on_retry("healed", "BUILDING", then=("ACTIVE", timedelta(minutes=1)))
        failed_at = world.clock.now()
        await world.run_for(minutes=5)
    (sent,) = [when for model_id, when in world.api.posts if model_id == "healed"]
    # Noticed within an interval, and then first in the queue: it waits for one place of the minute.
    assert sent - failed_at <= timedelta(minutes=2, seconds=10)


async def test_a_place_whose_model_cannot_be_seen_any_more_is_free_after_stuck_after() -> None:
    world = a_world("lost", "waits", max_in_flight=1, stuck_after=timedelta(minutes=20))
    world.api.set_status("lost", "BUILD_FAILED")
    world.on_retry("lost", "BUILDING")
    world.on_retry("waits", "BUILDING", then=("ACTIVE", timedelta(minutes=1)))
    async with world.running():
        await world.run_for(minutes=1)
        world.api.model("lost").get_error = AnswerLost("no", code="500")
        world.api.set_status("waits", "BUILD_FAILED")
        await world.run_for(minutes=15)
        assert world.target("waits").decision.reason is DecisionReason.FLEET_IN_FLIGHT
        await world.run_for(minutes=10)
    model_id, when = world.api.posts[1]
    assert model_id == "waits"
    assert when <= at(minutes=22)


async def test_a_place_that_becomes_free_is_taken_at_once_by_the_first_in_the_queue() -> None:
    world = a_world("a", "b", "c", max_in_flight=1)
    world.on_retry("a", "BUILDING", then=("ACTIVE", timedelta(seconds=200)))
    for model_id in ("b", "c"):
        world.on_retry(model_id, "BUILDING")
    world.api.set_status("a", "BUILD_FAILED")
    async with world.running():
        await world.run_for(seconds=70)
        world.api.set_status("c", "BUILD_FAILED")
        await world.run_for(seconds=70)
        world.api.set_status("b", "BUILD_FAILED")
        await world.run_for(seconds=140)
    assert [model_id for model_id, _ in world.api.posts] == ["a", "c"]
    recovered = first_posts(world)["a"] + timedelta(seconds=200)
    # Seen within a recovery interval, and taken within two ticks of that.
    assert first_posts(world)["c"] - recovered <= timedelta(seconds=15 + 2)


async def test_a_command_ignores_the_queue_of_a_daemon_in_observe_mode() -> None:
    world = a_world(*OTHERS, "mine", max_in_flight=4)
    fails_at_once(world, *OTHERS)
    world.observe = True
    async with world.running():
        await world.run_for(minutes=40)
        world.api.set_status("mine", "BUILD_FAILED")
        world.on_retry("mine", "BUILD_FAILED")
        await world.check_retry("mine")
        await world.run_for(minutes=2)
        shown = await world.check_retry("mine")
    assert len(world.posts()) == 2, shown["mine"].decision


async def test_both_pages_show_the_same_place_when_the_queue_has_an_unwatched_target() -> None:
    world = a_world("a", "gone")
    fails_at_once(world, "a", "gone")
    async with world.running():
        await world.run_for(seconds=1)

    def waiting(tx: LedgerTransaction) -> None:
        for model_id, watched in (("a", True), ("gone", False)):
            target = world.target(model_id)
            decision = Decision(DecisionKind.WAIT, DecisionReason.FLEET_IN_FLIGHT)
            ready_at = at(minutes=watched)
            tx.targets.save_all(
                [
                    replace(
                        target, watched=watched, decision=decision, ready_at=ready_at, queue_rank=0
                    )
                ]
            )

    await world.ledger.transact(waiting)
    policies = {"a": world.models["a"].policy}
    (shown,) = await world.ledger.transact(lambda tx: overview.targets(tx, policies))
    past = await world.ledger.transact(lambda tx: overview.past(tx, policies, "a"))
    assert past is not None
    assert shown.place == past.watched.place == 1
