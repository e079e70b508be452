"""Who is notified of what, in virtual time."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import pytest

from tests.fakes.engine import NEVER_OPENS, World
from tests.fakes.receivers import DOWN
from watchdog.domain.notices import BY_DEFAULT, NoticeEvent
from watchdog.domain.outbox import LONGEST_GATHER, Receiver
from watchdog.domain.records import Outcome, Resolution
from watchdog.engine.events import (
    AuthFailed,
    AuthRecovered,
    NotificationDropped,
    NotificationsWaiting,
)
from watchdog.engine.fleet.teams import save as save_teams
from watchdog.engine.ports import Act, AnswerLost, Delivery, LedgerUnavailable

pytestmark = pytest.mark.looptime(noop_cycles=0)

OPS = Receiver("ops", BY_DEFAULT)


def a_world(*model_ids: str, receivers: tuple[Receiver, ...] = (OPS,), **values: object) -> World:
    world = World(*(model_ids or ("llama",)), jitter=0.0, **values)  # type: ignore[arg-type]
    world.receivers = receivers
    return world


@asynccontextmanager
async def diagnosing(world: World) -> AsyncIterator[None]:
    """The world runs, and reads why a deployment failed and who acted."""
    world.diagnose = True
    async with world.running():
        task = asyncio.create_task(world.diagnosing())
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


async def gives_up(world: World, model_id: str = "llama") -> None:
    """The only retry fails again. A model with max_attempts: 1 is given up then."""
    world.on_retry(model_id, "BUILDING", then=("BUILD_FAILED", timedelta(seconds=30)))
    world.api.set_status(model_id, "BUILD_FAILED")
    await world.run_for(minutes=6)


async def test_a_model_that_was_given_up_and_recovers_is_two_messages() -> None:
    world = a_world(max_attempts=1)
    async with world.running():
        await world.run_for(minutes=2)
        await gives_up(world)
        (message,) = world.notifier.taken
        world.api.push("llama", "ACTIVE")
        await world.run_for(minutes=4)
    assert world.notifier.words() == [["gave_up llama"], ["recovered llama"]]
    (notice,) = message.notices
    (sent,) = notice.tries
    assert (sent.outcome, sent.resolution) == (Outcome.ACCEPTED, Resolution.REFAILED)
    assert (notice.status, notice.deployment_id) == ("BUILD_FAILED", "d-llama-1")
    assert notice.reason == "episode_spent"
    assert notice.max_attempts == 1
    assert world.log().count("notification_sent") == 2


async def test_a_recovery_without_an_earlier_message_is_no_message() -> None:
    world = a_world()
    async with world.running():
        await world.run_for(minutes=2)
        world.on_retry("llama", "BUILDING", then=("ACTIVE", timedelta(seconds=30)))
        world.api.set_status("llama", "BUILD_FAILED")
        await world.run_for(minutes=10)
    assert "recovered" in world.log()
    assert world.notifier.tried == []


async def test_a_message_has_the_cause_and_the_line_only_for_a_receiver_that_wants_it() -> None:
    more = replace(OPS, name="more", include_error_lines=True)
    world = a_world(receivers=(OPS, more), max_attempts=1)
    world.api.logs["d-llama-1"] = ["the build broke"]
    async with diagnosing(world):
        await world.run_for(minutes=2)
        await gives_up(world)
    lines = {each.receiver: each.notices[0].error_line for each in world.notifier.taken}
    assert lines == {"ops": None, "more": "the build broke"}


async def test_a_recovery_says_who_pushed() -> None:
    world = a_world(max_attempts=1)
    async with diagnosing(world):
        await world.run_for(minutes=2)
        await gives_up(world)
        act = Act(world.clock.now(), "MODEL_DEPLOYED", "ann@example.com", own=False)
        world.api.audit["llama"] = [act]
        world.api.push("llama", "BUILDING")
        await world.run_for(minutes=2)
        world.api.set_status("llama", "ACTIVE")
        await world.run_for(minutes=3)
    recovered = world.notifier.taken[-1].notices[0]
    assert (recovered.event, recovered.actor) == ("recovered", "pushed by ann@example.com")
    assert len(recovered.tries) == 1


async def test_broken_and_stuck_models_are_messages_and_what_one_did_not_ask_for_is_not() -> None:
    stuck = Receiver("stuck", {NoticeEvent.STUCK})
    a_only = replace(OPS, name="a only", match=("a*",))
    world = a_world("a", "b", receivers=(OPS, stuck, a_only), stuck_after=timedelta(minutes=10))
    async with world.running():
        await world.run_for(minutes=2)
        world.api.set_status("a", "UNHEALTHY")
        world.api.set_status("b", "BUILDING")
        await world.run_for(minutes=15)
    assert world.notifier.words() == [["broken a"], ["stuck b"]]
    assert world.notifier.words("stuck") == [["stuck b"]]
    assert world.notifier.words("a only") == [["broken a"]]


async def test_a_receiver_of_a_team_hears_of_its_models() -> None:
    world = a_world("a", "b", receivers=(replace(OPS, match=("team-a/*",)),))
    async with world.running():
        await world.ledger.transact(lambda tx: save_teams(tx, {"a": "team-a", "b": "team-b"}))
        await world.run_for(minutes=2)
        for model_id in world.models:
            world.api.set_status(model_id, "UNHEALTHY")
        await world.run_for(minutes=3)
    (message,) = world.notifier.taken
    assert message.words == ["broken a"]
    assert message.notices[0].team == "team-a"


async def test_retries_are_messages_to_receivers_that_want_them() -> None:
    asks = Receiver("asks", {NoticeEvent.RETRIED})
    world = a_world(receivers=(OPS, asks), max_attempts=2)
    async with world.running():
        await world.run_for(minutes=2)
        await gives_up(world)
        await world.run_for(minutes=10)
    assert world.notifier.words("asks") == [["retried llama"]] * 2
    assert world.notifier.words() == [["gave_up llama"]]


async def test_a_hundred_models_that_fail_at_once_are_one_message() -> None:
    world = a_world(*(f"m{number}" for number in range(100)))
    async with world.running():
        await world.run_for(minutes=3)
        for model_id in world.models:
            world.api.set_status(model_id, "BUILD_FAILED")
        await world.run_for(minutes=15)
    assert world.notifier.words() == [["breaker_opened breaker"]]


async def test_a_hundred_models_that_break_at_once_are_one_message() -> None:
    world = a_world(*(f"m{number}" for number in range(100)))
    async with world.running():
        await world.run_for(minutes=3)
        for model_id in world.models:
            world.api.set_status(model_id, "UNHEALTHY")
        broke_at = world.clock.now()
        await world.run_for(minutes=15)
    (message,) = world.notifier.taken
    assert len(message.notices) == 100
    assert message.at - broke_at <= LONGEST_GATHER + timedelta(minutes=1)


async def test_the_end_of_a_mass_failure_is_said() -> None:
    world = a_world("a", "b", "c", "d")
    for model_id in world.models:
        world.on_retry(model_id, "BUILDING", then=("ACTIVE", timedelta(minutes=1)))
    async with world.running():
        await world.run_for(minutes=3)
        for model_id in world.models:
            world.api.set_status(model_id, "BUILD_FAILED")
        await world.run_for(minutes=60, every=timedelta(seconds=5))
    assert world.notifier.words() == [["breaker_opened breaker"], ["breaker_closed breaker"]]


async def test_a_model_that_flaps_for_a_day_is_mentioned_once_an_hour() -> None:
    world = a_world(breaker=NEVER_OPENS)
    async with world.running():
        await world.run_for(minutes=3)
        ends = world.clock.now() + timedelta(days=1)
        while world.clock.now() < ends:
            for status in ("UNHEALTHY", "ACTIVE"):
                world.api.set_status("llama", status)
                await world.run_for(minutes=5, every=timedelta(seconds=5))
    said = Counter(words for message in world.notifier.words() for words in message)
    assert 20 <= said["broken llama"] <= 24
    assert said["recovered llama"] == said["broken llama"]
    assert world.log().count("deployment_broken") == 144


async def test_a_model_that_stays_broken_after_flapping_is_mentioned_again_within_an_hour() -> None:
    world = a_world()
    async with world.running():
        await world.run_for(minutes=3)
        for status in ("UNHEALTHY", "ACTIVE", "UNHEALTHY"):
            world.api.set_status("llama", status)
            await world.run_for(minutes=5)
        assert world.notifier.words() == [["broken llama"], ["recovered llama"]]
        await world.run_for(hours=1, every=timedelta(seconds=5))
    assert world.notifier.words()[2:] == [["broken llama"]]


async def test_a_receiver_that_is_down_for_an_hour_gets_everything_once() -> None:
    world = a_world(receivers=(OPS, replace(OPS, name="other")), max_attempts=1)
    async with world.running():
        await world.run_for(minutes=2)
        world.notifier.answers["ops"] = lambda: DOWN
        await gives_up(world)
        world.api.push("llama", "ACTIVE")
        await world.run_for(hours=1)
        assert world.notifier.words("other") == [["gave_up llama"], ["recovered llama"]]
        assert world.notifier.words() == []
        del world.notifier.answers["ops"]
        await world.run_for(minutes=11)
    assert world.notifier.words() == [["gave_up llama", "recovered llama"]]
    times = [each.at for each in world.notifier.tried if each.receiver == "ops"]
    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert timedelta(seconds=5) <= gaps[0] <= timedelta(seconds=11)
    assert all(gap <= timedelta(minutes=10, seconds=6) for gap in gaps)
    assert len(gaps) <= 13


async def test_a_receiver_that_asks_to_wait_is_left_alone_for_so_long() -> None:
    world = a_world(max_attempts=1)
    wait = timedelta(minutes=3)
    slow = Delivery(sent=False, answer="HTTP 429", retry_after=wait)
    async with world.running():
        await world.run_for(minutes=2)
        world.notifier.answers["ops"] = lambda: slow
        await gives_up(world)
        await world.run_for(minutes=9)
    times = [each.at for each in world.notifier.tried]
    assert len(times) > 2
    for earlier, later in pairwise(times):
        assert wait <= later - earlier <= wait + timedelta(seconds=7)


async def test_what_could_not_be_sent_for_a_day_is_dropped_and_that_is_reported() -> None:
    world = a_world(max_attempts=1)
    world.notifier.answers["ops"] = lambda: DOWN
    async with world.running():
        await world.run_for(minutes=2)
        await gives_up(world)
        await world.run_for(hours=24, minutes=1, every=timedelta(seconds=5))
    (dropped,) = [event for event in world.events if isinstance(event, NotificationDropped)]
    assert (dropped.receiver, dropped.notice, dropped.about) == ("ops", "gave_up", "llama")
    counts = [each.count for each in world.events if isinstance(each, NotificationsWaiting)]
    assert (max(counts), counts[-1]) == (1, 0)


async def test_a_receiver_that_hangs_delays_no_check_and_no_other_receiver() -> None:
    world = a_world("llama", "other", receivers=(OPS, replace(OPS, name="other")))
    world.notifier.hanging.add("ops")
    async with world.running():
        await world.run_for(minutes=2)
        world.api.set_status("llama", "UNHEALTHY")
        await world.run_for(minutes=3)
        before = world.api.gets["other"]
        await world.run_for(minutes=10)
        assert world.api.gets["other"] - before >= 9
        assert world.notifier.words("other") == [["broken llama"]]


async def test_a_process_that_dies_while_it_sends_has_the_message_sent_again() -> None:
    world = a_world()
    world.notifier.hanging.add("ops")
    async with world.running():
        await world.run_for(minutes=2)
        world.api.set_status("llama", "UNHEALTHY")
        while not world.notifier.tried:
            await world.run_for(seconds=1)
        await world.crash()
    world.notifier.hanging.clear()
    async with world.running():
        await world.run_for(minutes=3)
    assert world.notifier.words() == [["broken llama"]]


async def test_the_end_of_a_term_lets_a_message_be_sent_and_records_it() -> None:
    world = a_world()
    async with world.running():
        await world.run_for(minutes=2)
        world.api.set_status("llama", "UNHEALTHY")
        while not world.notifier.tried:
            await asyncio.sleep(0.05)
            await world.tick()
    async with world.running():
        await world.run_for(minutes=3)
    assert world.notifier.words() == [["broken llama"]]


async def test_a_key_that_is_refused_and_accepted_again_is_two_messages() -> None:
    world = a_world()
    async with world.running():
        await world.run_for(minutes=2)
        world.engine.listener(AuthFailed(code="401", hold=world.hold_for(timedelta(minutes=1))))
        await world.run_for(minutes=90, every=timedelta(seconds=5))
        world.engine.listener(AuthRecovered())
        await world.run_for(minutes=2)
    assert world.notifier.words() == [["key_refused key"], ["key_accepted key"]]


async def test_an_outage_of_the_api_is_a_message_after_ten_minutes() -> None:
    world = a_world()
    async with world.running():
        for minutes in (5, 30):
            await world.run_for(minutes=2)
            world.api.model("llama").get_error = AnswerLost("bad gateway", code="502")
            await world.run_for(minutes=minutes)
            world.api.model("llama").get_error = None
            await world.run_for(minutes=10)
    assert world.notifier.words() == [["api_down api"], ["api_up api"]]


async def test_a_ledger_that_is_lost_is_said_while_it_is_and_so_is_its_end() -> None:
    world = a_world()
    async with world.running():
        await world.run_for(minutes=2)
        world.ledger.fail_with = LedgerUnavailable("disk full")
        await world.run_for(minutes=5)
        assert world.notifier.words() == [["ledger_lost ledger"]]
        world.ledger.fail_with = None
        await world.run_for(minutes=2)
    assert world.notifier.words() == [["ledger_lost ledger"], ["ledger_back ledger"]]


async def test_a_lost_ledger_is_said_again_within_an_hour_whatever_retry_after_says() -> None:
    world = a_world()
    year = Delivery(sent=False, answer="HTTP 429", retry_after=timedelta(days=365))
    world.notifier.answers["ops"] = lambda: year
    async with world.running():
        await world.run_for(minutes=2)
        world.ledger.fail_with = LedgerUnavailable("disk full")
        await world.run_for(hours=1, minutes=2, every=timedelta(seconds=5))
    assert [each.words for each in world.notifier.tried] == [["ledger_lost ledger"]] * 2


async def test_a_short_outage_of_the_ledger_is_no_message() -> None:
    world = a_world()
    async with world.running():
        await world.run_for(minutes=2)
        world.ledger.fail_with = LedgerUnavailable("failing over")
        await world.run_for(seconds=15)
        world.ledger.fail_with = None
        await world.run_for(minutes=2)
    assert world.notifier.tried == []


async def test_a_budget_that_is_spent_is_said_once() -> None:
    world = a_world("a", "b", fleet_window=1, max_retries_per_minute=1, breaker=NEVER_OPENS)
    for model_id in world.models:
        world.on_retry(model_id, "BUILDING", then=("BUILD_FAILED", timedelta(seconds=30)))
    async with world.running():
        await world.run_for(minutes=2)
        for model_id in world.models:
            world.api.set_status(model_id, "BUILD_FAILED")
        await world.run_for(minutes=30, every=timedelta(seconds=5))
    assert world.notifier.words() == [["fleet_budget_spent fleet_budget"]]


async def test_a_model_that_is_no_longer_watched_is_forgotten() -> None:
    world = a_world("a", "b", max_attempts=1)
    async with world.running():
        await world.run_for(minutes=2)
        await gives_up(world, "a")
        removed = world.models.pop("a")
        await world.reload()
        world.api.set_status("a", "ACTIVE")
        await world.run_for(minutes=2)
        world.models["a"] = removed
        await world.reload()
        await world.run_for(minutes=3)
    assert world.notifier.words() == [["gave_up a"]]


async def test_a_receiver_that_is_no_longer_configured_gets_nothing() -> None:
    world = a_world(receivers=(OPS, replace(OPS, name="gone")))
    async with world.running():
        await world.run_for(minutes=2)
        world.notifier.answers["gone"] = lambda: DOWN
        world.api.set_status("llama", "UNHEALTHY")
        await world.run_for(minutes=3)
        await world.reload(receivers=(OPS,))
        tried = len(world.notifier.tried)
        await world.run_for(minutes=5)
    assert len(world.notifier.tried) == tried
    assert [e.receiver for e in world.events if isinstance(e, NotificationDropped)] == ["gone"]
