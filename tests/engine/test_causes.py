"""The cause of a failure: when its evidence is read, what it changes, and what does not wait for
it."""

import asyncio
import io
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import Any

import pytest

from tests.fakes.engine import NEVER_OPENS, World
from watchdog.domain.causes import Cause, Match, Pattern, Startup, Sureness
from watchdog.domain.records import CauseAction, CauseRule, DecisionReason, Episode
from watchdog.engine.events import CauseFound, DeploymentFailing, GaveUp
from watchdog.engine.ports import AnswerLost
from watchdog.telemetry.logs import LogListener

pytestmark = pytest.mark.looptime(noop_cycles=0)

RULES = {
    Cause.DEPENDENCY: CauseRule(CauseAction.ONCE),
    Cause.CAPACITY: CauseRule(backoff=timedelta(minutes=1), backoff_factor=1),
}
RARELY = timedelta(seconds=20)
MISSING = "no such package"
RESET = "connection reset"


def match(line: str) -> Sequence[Pattern]:
    found = {MISSING: Cause.DEPENDENCY, RESET: Cause.NETWORK}
    return [Pattern(text, found[text], Sureness.CERTAIN) for text in found if text in line]


@asynccontextmanager
async def diagnosing(
    *, causes: dict[Cause, CauseRule] = RULES, match: Match = match, **policy: Any
) -> AsyncIterator[World]:
    """A world with one model, whose watchdog reads why it fails."""
    world = World("llama", causes=causes, **policy)
    world.diagnose, world.match = True, match
    async with world.running():
        await world.run_for(minutes=2)
        task = asyncio.create_task(world.diagnosing())
        yield world
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def logs(world: World, *lines: str) -> None:
    world.api.logs[world.api.model("llama").deployment.ref.id] = lines


def causes(world: World) -> list[Cause]:
    return [event.finding.cause for event in world.events if isinstance(event, CauseFound)]


def reasons(world: World) -> list[DecisionReason | None]:
    return [event.decision.reason for event in world.events if isinstance(event, GaveUp)]


def fails(world: World, *lines: str) -> None:
    """Fail now and after each retry, with these lines in the log."""
    logs(world, *lines)
    world.api.set_status("llama", "BUILDING")
    world.api.set_status("llama", "BUILD_FAILED")
    world.on_retry("llama", "BUILDING", then=("BUILD_FAILED", timedelta(minutes=2)))


def episode(world: World) -> Episode:
    found = world.target("llama").episode
    assert found is not None
    return found


async def test_what_cannot_ever_build_is_retried_once() -> None:
    async with diagnosing() as world:
        fails(world, MISSING)
        await world.run_for(hours=3, every=RARELY)
        assert len(world.api.posts) == 1
        assert reasons(world) == [DecisionReason.CAUSE_PERMANENT]
        assert causes(world) == [Cause.DEPENDENCY] * 2


async def test_what_may_pass_is_retried_as_always() -> None:
    async with diagnosing() as world:
        fails(world, RESET)
        await world.run_for(hours=6, every=RARELY)
        assert len(world.api.posts) == 4
        assert reasons(world) == [DecisionReason.EPISODE_SPENT]


async def test_another_cause_after_the_retry_starts_anew() -> None:
    async with diagnosing() as world:
        fails(world, MISSING)
        await world.run_for(minutes=3)
        logs(world, RESET)
        await world.run_for(minutes=6)
        logs(world, MISSING)
        await world.run_for(hours=3, every=RARELY)
        assert causes(world)[:2] == [Cause.DEPENDENCY, Cause.NETWORK]
        assert len(world.api.posts) == 3


async def test_the_first_retry_waits_for_the_cause_for_ten_seconds_at_most() -> None:
    async with diagnosing(first_delay=timedelta(0)) as world:
        world.api.before_log = asyncio.Event()
        world.api.set_status("llama", "BUILD_FAILED")
        await world.run_for(minutes=2)
        failing_since = episode(world).opened_at
        (attempt,) = world.attempts()
        assert timedelta(seconds=10) <= attempt.reserved_at - failing_since
        assert attempt.reserved_at - failing_since < timedelta(seconds=13)


@pytest.mark.parametrize("first_delay", [timedelta(0), timedelta(minutes=2)], ids=str)
async def test_no_retry_waits_for_the_logs_of_others(first_delay: timedelta) -> None:
    models = [f"model-{number}" for number in range(12)]
    world = World(
        *models,
        breaker=NEVER_OPENS,
        max_retries_per_minute=100,
        max_in_flight=100,
        causes=RULES,
        first_delay=first_delay,
    )
    world.diagnose, world.match = True, match
    world.api.before_log = asyncio.Event()
    async with world.running():
        await world.run_for(minutes=2)
        task = asyncio.create_task(world.diagnosing())
        for model_id in models:
            world.api.set_status(model_id, "BUILD_FAILED")
            world.on_retry(model_id, "ACTIVE")
        await world.run_for(minutes=5)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
    opened = {
        event.target.model_id: event.episode.opened_at
        for event in world.events
        if isinstance(event, DeploymentFailing)
    }
    waited = [each.reserved_at - opened[each.model_id] for each in world.attempts()]
    assert len(waited) == len(models)
    assert max(waited) < max(first_delay, timedelta(seconds=10)) + timedelta(seconds=3)


async def test_the_retry_that_waited_for_its_cause_is_sent_when_that_is_known() -> None:
    async with diagnosing(first_delay=timedelta(0)) as world:
        logs(world, RESET)
        world.api.set_status("llama", "BUILD_FAILED")
        await world.run_for(minutes=2)
        (attempt,) = world.attempts()
        assert attempt.reserved_at == episode(world).opened_at, "it does not wait for a tick"


async def test_an_api_that_tells_nothing_leaves_the_cause_unknown() -> None:
    async with diagnosing() as world:
        world.api.log_error = AnswerLost("bad gateway", code="502")
        fails(world)
        await world.run_for(hours=6, every=RARELY)
        assert set(causes(world)) == {Cause.UNKNOWN}
        assert len(world.api.posts) == 4


async def test_a_start_that_was_never_scheduled_is_a_lack_of_capacity() -> None:
    async with diagnosing() as world:
        name = world.api.model("llama").deployment.ref.id
        world.api.starts[name] = [Startup("SCHEDULING", "STALLED")]
        fails(world)
        await world.run_for(minutes=10)
        assert set(causes(world)) == {Cause.CAPACITY}
        (_, first), (_, second), *_ = world.api.posts
        assert second - first < timedelta(minutes=5), "the backoff of this cause is a minute"


async def test_while_it_is_off_every_cause_is_unknown_and_counted() -> None:
    async with diagnosing() as world:
        world.diagnose = False
        await world.reload(diagnose=False)
        fails(world, MISSING)
        await world.run_for(minutes=10)
        assert world.api.log_reads == []
        assert set(causes(world)) == {Cause.UNKNOWN}
        assert episode(world).explanation is None


async def test_the_log_is_read_from_the_beginning_of_the_build_that_failed() -> None:
    async with diagnosing() as world:
        world.api.set_status("llama", "BUILDING")
        await world.run_for(minutes=2)
        began = world.target("llama").status_since
        await world.run_for(minutes=3)
        fails(world, MISSING)
        await world.run_for(minutes=2)
        since, _ = world.api.log_reads[0]
        assert since == began
        await world.run_for(minutes=10)
        (attempt,) = world.attempts()
        since, _ = world.api.log_reads[1]
        assert attempt.sent_at is not None
        assert attempt.sent_at <= since


async def test_the_line_is_in_no_event_of_the_log() -> None:
    async with diagnosing() as world:
        stream = io.StringIO()
        world.engine.listener.add(LogListener(stream, lambda: "", level="debug", form="json"))
        fails(world, f"{MISSING} hunter2")
        await world.run_for(hours=1, every=RARELY)
        assert '"event": "cause_found"' in stream.getvalue()
        assert "hunter2" not in stream.getvalue()
