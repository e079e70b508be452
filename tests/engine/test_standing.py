"""When a replica is the active one, and when it gives that up for another one."""

import asyncio

import pytest

from tests.fakes.engine import LoopClock
from tests.fakes.ledger import InMemoryLedger
from watchdog.engine.events import BecameActive, BecameStandby, Event
from watchdog.engine.lifecycle.leadership import Leadership
from watchdog.engine.lifecycle.ledger_watch import WatchedLedger
from watchdog.engine.ports import LedgerTransaction, LedgerUnavailable

pytestmark = pytest.mark.looptime(noop_cycles=0)

AWAY = LedgerUnavailable("away")


class Replica:
    """One that asks each second, and works as often as it does."""

    def __init__(self, ledger: InMemoryLedger) -> None:
        self.ledger = ledger
        self.told: list[Event] = []
        clock = LoopClock()
        watched = self._watched = WatchedLedger(ledger, clock, lambda _: None)
        self.leadership = Leadership(watched, clock, self.told.append)

    @property
    def active(self) -> bool:
        return bool(self.leadership.term)

    async def tick(self) -> None:
        await self.leadership.tick()
        try:
            await self._watched.transact(_work)
        except LedgerUnavailable:
            return

    def lose(self) -> None:
        """The server does not answer this one."""
        self.ledger.fail_with = self.ledger.lock_fails_with = AWAY

    def find(self) -> None:
        self.ledger.fail_with = self.ledger.lock_fails_with = None


def _work(tx: LedgerTransaction) -> None:
    tx.targets.watched()


def two() -> tuple[Replica, Replica]:
    ledger = InMemoryLedger(LoopClock())
    return Replica(ledger), Replica(ledger.beside(observe=False))


async def seconds(count: int, *replicas: Replica) -> None:
    for _ in range(count):
        for replica in replicas:
            await replica.tick()
        await asyncio.sleep(1)


async def test_the_first_that_asks_is_active_and_the_other_stands_by() -> None:
    first, second = two()
    await seconds(3, first, second)
    assert (first.told, second.told) == ([BecameActive()], [BecameStandby()])


async def test_a_short_outage_changes_nothing() -> None:
    first, second = two()
    await seconds(3, first, second)
    for _ in range(3):
        first.lose()
        await seconds(29, first, second)
        first.find()
        await seconds(2, first, second)
    assert (first.told, second.told) == ([BecameActive()], [BecameStandby()])


async def test_a_replica_without_the_ledger_for_half_a_minute_gives_up_its_term() -> None:
    first, second = two()
    await seconds(3, first, second)
    first.lose()
    await seconds(33, first, second)
    why = "the ledger has not answered for 30 s"
    assert first.told == [BecameActive(), BecameStandby(why=why)]
    assert second.active
    first.find()
    await seconds(30, first, second)
    assert not first.active
    second.lose()
    await seconds(40, first, second)
    assert first.active


async def test_one_that_holds_the_lock_and_cannot_work_lets_another_one_work() -> None:
    first, second = two()
    await seconds(3, first, second)
    first.ledger.fail_with = AWAY
    await seconds(33, first, second)
    assert (first.active, second.active) == (False, True)


async def test_an_active_replica_that_cannot_query_its_lock_gives_up_its_term() -> None:
    first, second = two()
    await seconds(3, first, second)
    first.ledger.lock_fails_with = AWAY
    await seconds(33, first, second)
    assert (first.active, second.active) == (False, True)


async def test_one_that_gave_up_and_has_nobody_beside_it_tries_again() -> None:
    first, _ = two()
    await seconds(3, first)
    assert await first.leadership.give_up("the watch list was not taken up")
    assert not first.active
    await seconds(4, first)
    assert not first.active, "the others get their chance"
    await seconds(3, first)
    assert first.active
    assert first.told[1:] == [
        BecameStandby(why="the watch list was not taken up"),
        BecameActive(),
    ]


async def test_where_there_can_be_no_other_an_outage_of_any_length_changes_nothing() -> None:
    only = Replica(InMemoryLedger(LoopClock()))
    await seconds(3, only)
    only.lose()
    await seconds(100, only)
    assert only.active
    assert not await only.leadership.give_up("no")
    only.find()
    await seconds(3, only)
    assert only.told == [BecameActive()]
