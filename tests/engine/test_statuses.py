"""A target's status is recorded when it changes, and only then."""

from datetime import datetime

import pytest

from tests.fakes.engine import START, World, at

pytestmark = pytest.mark.looptime(noop_cycles=0)


async def written(world: World) -> list[tuple[datetime, str | None]]:
    changes = await world.ledger.transact(lambda tx: list(tx.statuses.since(START)))
    return [(change.at, change.status) for change in changes]


async def test_each_change_is_a_row_and_nothing_else_is() -> None:
    world = World("llama")
    world.api.set_status("llama", "BUILD_FAILED")
    world.on_retry("llama", "BUILDING")
    async with world.running():
        await world.run_for(minutes=3)
        world.api.set_status("llama", "ACTIVE")
        await world.run_for(minutes=30)
    statuses = await written(world)
    assert [status for _, status in statuses] == ["BUILD_FAILED", "BUILDING", "ACTIVE"]
    assert statuses[0][0] == at(seconds=0)
    assert statuses[-1][0] == world.target("llama").status_since


async def test_what_is_seen_no_more_is_a_change() -> None:
    world = World("llama", "phi")
    for model_id in ("llama", "phi"):
        world.api.set_status(model_id, "ACTIVE")
    async with world.running():
        await world.run_for(minutes=1)
        del world.models["llama"]
        await world.reload()
        await world.run_for(minutes=1)
    assert [status for _, status in await written(world)] == ["ACTIVE", None, "ACTIVE"]
