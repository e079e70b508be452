"""Why it failed and who acted: read from the API in the background, without delaying anything."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import timedelta

import pytest

from tests.fakes.engine import World
from watchdog.domain.episode_notes import EpisodeNotes
from watchdog.engine.ports import Act, AnswerLost, Forbidden

pytestmark = pytest.mark.looptime(noop_cycles=0)

LINES = ("Traceback (most recent call last):", "CUDA out of memory")


class Asked:
    """A world whose watchdog reads causes, after a test has made everything happen."""

    def __init__(self) -> None:
        self.world = World("llama", first_delay=timedelta(0))
        self.world.diagnose = True

    @asynccontextmanager
    async def running(self) -> AsyncIterator[World]:
        async with self.world.running():
            yield self.world
            task = asyncio.create_task(self.world.diagnosing())
            await asyncio.sleep(1)
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def findings(self) -> list[EpisodeNotes]:
        found = await self.world.ledger.transact(lambda tx: tx.findings.of("llama"))
        return list(found.values())

    def deployment(self) -> str:
        return self.world.api.model("llama").deployment.ref.id

    def acted(
        self,
        event: str,
        *,
        own: bool = False,
        who: str = "ann@example.com",
        deployment_id: str | None = None,
    ) -> None:
        act = Act(self.world.clock.now(), event, who, own, deployment_id)
        self.world.api.audit["llama"] = [*self.world.api.audit.get("llama", ()), act]


async def test_the_error_lines_of_a_new_failure_are_kept_with_its_episode() -> None:
    asked = Asked()
    async with asked.running() as world:
        await world.run_for(minutes=2)
        world.api.logs[asked.deployment()] = LINES
        world.api.set_status("llama", "BUILD_FAILED")
        await world.run_for(minutes=2)
    assert await asked.findings() == [EpisodeNotes(LINES)]


async def test_who_ended_an_episode_is_kept_and_our_own_retries_do_not_count() -> None:
    asked = Asked()
    async with asked.running() as world:
        await world.run_for(minutes=2)
        world.api.set_status("llama", "BUILD_FAILED")
        world.on_retry("llama", "BUILD_FAILED")
        await world.run_for(minutes=2)
        asked.acted("MODEL_DEPLOYED")
        asked.acted("SECRET_UPDATED", who="bob@example.com")
        asked.acted("MODEL_DEPLOYMENT_RETRIED", own=True, who="API key watchdog")
        world.api.push("llama", "BUILDING")
        await world.run_for(minutes=2)
    assert await asked.findings() == [EpisodeNotes(actor="pushed by ann@example.com")]


async def test_an_act_on_another_deployment_of_the_model_is_not_what_ended_the_episode() -> None:
    asked = Asked()
    async with asked.running() as world:
        world.api.set_status("llama", "BUILD_FAILED")
        await world.run_for(minutes=2)
        asked.acted("MODEL_DEPLOYED", deployment_id=asked.deployment())
        asked.acted("MODEL_DEPLOYMENT_DEACTIVATED", who="bob@example.com", deployment_id="old")
        world.api.push("llama", "BUILDING")
        await world.run_for(minutes=2)
    assert await asked.findings() == [EpisodeNotes(actor="pushed by ann@example.com")]


async def test_a_key_that_may_not_read_the_audit_log_causes_no_finding_and_no_error() -> None:
    asked = Asked()
    asked.world.api.log_error = Forbidden("forbidden", code="403")
    async with asked.running() as world:
        world.api.set_status("llama", "BUILD_FAILED")
        await world.run_for(minutes=3)
        world.api.push("llama", "BUILDING")
        await world.run_for(minutes=3)
    assert await asked.findings() == []
    assert "internal_error" not in world.log()


async def test_answers_that_fail_or_are_empty_are_normal() -> None:
    for error in (None, AnswerLost("bad gateway", code="502")):
        asked = Asked()
        asked.world.api.log_error = error
        async with asked.running() as world:
            world.api.set_status("llama", "BUILD_FAILED")
            await world.run_for(minutes=30)
        assert await asked.findings() == []
        assert "internal_error" not in world.log()


async def test_what_still_waits_when_it_is_turned_off_is_not_asked() -> None:
    asked = Asked()
    async with asked.running() as world:
        world.api.logs[asked.deployment()] = LINES
        world.api.set_status("llama", "BUILD_FAILED")
        await world.run_for(minutes=2)
        world.live.current = replace(world.settings, diagnose=False)
    assert await asked.findings() == []


async def test_nothing_is_asked_while_it_is_off() -> None:
    asked = Asked()
    asked.world.diagnose = False
    async with asked.running() as world:
        world.api.logs[asked.deployment()] = LINES
        world.api.set_status("llama", "BUILD_FAILED")
        await world.run_for(minutes=2)
    assert await asked.findings() == []
