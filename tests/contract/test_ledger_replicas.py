"""What every ledger stores about the replicas."""

from dataclasses import replace

from tests.contract.test_ledger import Subject
from tests.fakes.records import NOW, ago
from watchdog.domain.replica import Replica

FIRST = Replica("daemon:a:1", "1.0.0", ago(hours=2), ago(hours=1), NOW, active=True)
SECOND = replace(FIRST, id="daemon:b:2", started_at=ago(hours=3), active=False)
THIRD = replace(SECOND, id="daemon:c:3", started_at=ago(hours=1))


async def save(subject: Subject, *replicas: Replica) -> None:
    for each in replicas:
        await subject.do(lambda tx, each=each: tx.replicas.save(each))  # type: ignore[misc]


async def test_the_active_replica_is_first_then_the_longest_running(subject: Subject) -> None:
    await save(subject, THIRD, SECOND, FIRST)
    assert await subject.do(lambda tx: list(tx.replicas.all())) == [FIRST, SECOND, THIRD]


async def test_a_replicas_new_row_replaces_its_old_one(subject: Subject) -> None:
    await save(subject, replace(FIRST, seen_at=ago(minutes=1)), FIRST)
    assert await subject.do(lambda tx: list(tx.replicas.all())) == [FIRST]


async def test_when_a_replica_becomes_active_no_other_is(subject: Subject) -> None:
    await save(subject, FIRST, SECOND, replace(THIRD, active=True))
    found = await subject.do(lambda tx: list(tx.replicas.all()))
    assert found == [replace(THIRD, active=True), SECOND, replace(FIRST, active=False)]


async def test_removing_a_replica_removes_its_configuration(subject: Subject) -> None:
    await save(subject, FIRST, SECOND)
    await subject.do(lambda tx: tx.replicas.configure(FIRST.id, ["m1"]))
    await subject.do(lambda tx: tx.replicas.remove(FIRST.id))
    assert await subject.do(lambda tx: list(tx.replicas.all())) == [SECOND]
    assert await subject.do(lambda tx: tx.replicas.configured([FIRST.id])) == set()


async def test_the_models_of_any_of_several_replicas_are_found(subject: Subject) -> None:
    await subject.do(lambda tx: tx.replicas.configure("a", ["m1", "m2"]))
    await subject.do(lambda tx: tx.replicas.configure("b", ["m2", "m3"]))
    await subject.do(lambda tx: tx.replicas.configure("c", ["m4"]))
    assert await subject.do(lambda tx: tx.replicas.configured(["a", "b"])) == {"m1", "m2", "m3"}
    await subject.do(lambda tx: tx.replicas.configure("a", []))
    assert await subject.do(lambda tx: tx.replicas.configured(["a", "b"])) == {"m2", "m3"}
    assert await subject.do(lambda tx: tx.replicas.configured([])) == set()
