"""What is broken, slow or not judged yet, on every ledger."""

from dataclasses import replace

import pytest

from tests.contract.test_ledger import Subject
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
async def test_what_is_written_is_read(subject: Subject, target: Target) -> None:
    await subject.add(target)
    assert await subject.do(lambda tx: tx.targets.get("m1")) == target
    changed = await subject.do(lambda tx: tx.targets.save(replace(target, name="llama")))
    assert await subject.do(lambda tx: tx.targets.get("m1")) == changed
    assert changed.health is target.health


async def test_since_when_a_target_is_in_progress_is_never_in_the_future(subject: Subject) -> None:
    await subject.add(healthy(health=Health.IN_PROGRESS, in_progress_since=ago(hours=-1)))
    await subject.do(lambda tx: tx.breakages.begin([Breakage("m1", ago(hours=-1), "FAILED")]))
    await subject.do(lambda tx: tx.clamp_future())
    target = await subject.do(lambda tx: tx.targets.get("m1"))
    assert target is not None
    assert target.in_progress_since == NOW
    (breakage,) = await subject.do(lambda tx: tx.breakages.newest("m1", limit=9))
    assert breakage.began_at == NOW


async def test_times_of_breakages_are_stored(subject: Subject) -> None:
    first, missing = Breakage("m1", ago(hours=9), "FAILED"), Breakage("m2", ago(hours=5), None)
    await subject.do(lambda tx: tx.breakages.begin([first, missing]))
    await subject.do(lambda tx: tx.breakages.end(["m1", "m3"], ago(hours=8)))
    again = Breakage("m1", ago(hours=2), "UNHEALTHY")
    await subject.do(lambda tx: tx.breakages.begin([again]))
    ended = replace(first, ended_at=ago(hours=8))
    found = await subject.do(lambda tx: list(tx.breakages.newest(None, limit=9)))
    assert found == [again, missing, ended]
    assert await subject.do(lambda tx: list(tx.breakages.newest("m1", limit=1))) == [again]
    await subject.do(lambda tx: tx.breakages.begin([]))
    await subject.do(lambda tx: tx.breakages.end([], NOW))
    assert await subject.do(lambda tx: tx.prune(ago(hours=3))) == 1
    assert await subject.do(lambda tx: list(tx.breakages.newest(None, limit=9))) == [again, missing]
