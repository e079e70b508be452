"""What is broken, slow or not judged yet, on every ledger."""

from dataclasses import replace

import pytest

from tests.contract.test_ledger import Bench
from tests.fakes.records import NOW, ago, healthy
from watchdog.domain.records import (
    Breakage,
    Decision,
    DecisionKind,
    DecisionReason,
    Health,
    Target,
)

BROKEN = healthy(
    status="UNHEALTHY",
    health=Health.BROKEN,
    decision=Decision(DecisionKind.NOTHING, DecisionReason.BROKEN),
)


@pytest.mark.parametrize(
    "target",
    [
        pytest.param(BROKEN, id="broken"),
        pytest.param(
            healthy(
                status="INACTIVE", health=Health.NOT_RETRYABLE, inactive_as=Health.NOT_RETRYABLE
            ),
            id="not-judged",
        ),
        pytest.param(
            healthy(
                status="DEACTIVATING",
                health=Health.IN_PROGRESS,
                inactive_as=Health.BROKEN,
                in_progress_since=ago(hours=1),
            ),
            id="on-its-way-down",
        ),
    ],
)
async def test_what_is_written_is_read(bench: Bench, target: Target) -> None:
    await bench.add(target)
    assert await bench.do(lambda tx: tx.targets.get("m1")) == target
    changed = await bench.do(lambda tx: tx.targets.save(replace(target, name="llama")))
    assert await bench.do(lambda tx: tx.targets.get("m1")) == changed
    assert changed.health is target.health


async def test_since_when_it_is_in_progress_is_never_ahead(bench: Bench) -> None:
    await bench.add(healthy(health=Health.IN_PROGRESS, in_progress_since=ago(hours=-1)))
    await bench.do(lambda tx: tx.breakages.begin([Breakage("m1", ago(hours=-1), "FAILED")]))
    await bench.do(lambda tx: tx.clamp_future())
    target = await bench.do(lambda tx: tx.targets.get("m1"))
    assert target is not None
    assert target.in_progress_since == NOW
    (breakage,) = await bench.do(lambda tx: tx.breakages.newest("m1", limit=9))
    assert breakage.began_at == NOW


async def test_when_targets_were_broken(bench: Bench) -> None:
    first, missing = Breakage("m1", ago(hours=9), "FAILED"), Breakage("m2", ago(hours=5), None)
    await bench.do(lambda tx: tx.breakages.begin([first, missing]))
    await bench.do(lambda tx: tx.breakages.end(["m1", "m3"], ago(hours=8)))
    again = Breakage("m1", ago(hours=2), "UNHEALTHY")
    await bench.do(lambda tx: tx.breakages.begin([again]))
    ended = replace(first, ended_at=ago(hours=8))
    found = await bench.do(lambda tx: list(tx.breakages.newest(None, limit=9)))
    assert found == [again, missing, ended]
    assert await bench.do(lambda tx: list(tx.breakages.newest("m1", limit=1))) == [again]
    await bench.do(lambda tx: tx.breakages.begin([]))
    await bench.do(lambda tx: tx.breakages.end([], NOW))
    assert await bench.do(lambda tx: tx.prune(ago(hours=3))) == 1
    assert await bench.do(lambda tx: list(tx.breakages.newest(None, limit=9))) == [again, missing]
