"""What every ledger holds of the replicas."""

from dataclasses import replace

from tests.contract.test_ledger import Bench
from tests.fakes.records import NOW, ago
from watchdog.domain.replica import Replica

FIRST = Replica("daemon:a:1", "1.0.0", ago(hours=2), ago(hours=1), NOW, active=True)
SECOND = replace(FIRST, id="daemon:b:2", started_at=ago(hours=3), active=False)
THIRD = replace(SECOND, id="daemon:c:3", started_at=ago(hours=1))


async def save(bench: Bench, *replicas: Replica) -> None:
    for each in replicas:
        await bench.do(lambda tx, each=each: tx.replicas.save(each))  # type: ignore[misc]


async def test_the_active_one_is_told_first_then_the_longest_running(bench: Bench) -> None:
    await save(bench, THIRD, SECOND, FIRST)
    assert await bench.do(lambda tx: list(tx.replicas.all())) == [FIRST, SECOND, THIRD]


async def test_what_one_says_again_takes_the_place_of_what_it_said(bench: Bench) -> None:
    await save(bench, replace(FIRST, seen_at=ago(minutes=1)), FIRST)
    assert await bench.do(lambda tx: list(tx.replicas.all())) == [FIRST]


async def test_one_that_is_active_takes_that_from_the_others(bench: Bench) -> None:
    await save(bench, FIRST, SECOND, replace(THIRD, active=True))
    found = await bench.do(lambda tx: list(tx.replicas.all()))
    assert found == [replace(THIRD, active=True), SECOND, replace(FIRST, active=False)]


async def test_one_that_is_removed_takes_its_configuration_along(bench: Bench) -> None:
    await save(bench, FIRST, SECOND)
    await bench.do(lambda tx: tx.replicas.configure(FIRST.id, ["m1"]))
    await bench.do(lambda tx: tx.replicas.remove(FIRST.id))
    assert await bench.do(lambda tx: list(tx.replicas.all())) == [SECOND]
    assert await bench.do(lambda tx: tx.replicas.configured([FIRST.id])) == set()


async def test_what_any_of_them_is_configured_with(bench: Bench) -> None:
    await bench.do(lambda tx: tx.replicas.configure("a", ["m1", "m2"]))
    await bench.do(lambda tx: tx.replicas.configure("b", ["m2", "m3"]))
    await bench.do(lambda tx: tx.replicas.configure("c", ["m4"]))
    assert await bench.do(lambda tx: tx.replicas.configured(["a", "b"])) == {"m1", "m2", "m3"}
    await bench.do(lambda tx: tx.replicas.configure("a", []))
    assert await bench.do(lambda tx: tx.replicas.configured(["a", "b"])) == {"m2", "m3"}
    assert await bench.do(lambda tx: tx.replicas.configured([])) == set()
