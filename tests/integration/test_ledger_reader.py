"""A ledger's reader: what the page reads with, beside the transactions that retry."""

import asyncio
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.contract.test_ledger import FixedClock
from tests.fakes.postgres import shared
from tests.fakes.records import failing
from tests.integration.test_ledger_sqlite import BASE_URL
from watchdog.engine.ports import LedgerTransaction, LedgerUnavailable
from watchdog.ledger import Role, SqlLedger

_LONG_SECONDS = 60


@pytest.fixture(params=["sqlite", "postgresql"])
async def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[SqlLedger]:
    url = f"sqlite:///{tmp_path}/ledger.db"
    if request.param == "postgresql":
        url = shared().new_schema()
    made = SqlLedger.open(url, clock=FixedClock(), base_url=BASE_URL, role=Role.DAEMON)
    yield made
    await made.close()


class Holding:
    """Work that writes a target and lasts until `go_on` is set."""

    def __init__(self) -> None:
        self.has_begun = asyncio.Event()
        self.go_on = threading.Event()
        self._loop = asyncio.get_running_loop()

    def write(self, tx: LedgerTransaction) -> None:
        tx.targets.add(failing())
        self._hold()

    def read(self, tx: LedgerTransaction) -> int:
        before = len(tx.targets.all())
        self._hold()
        assert len(tx.targets.all()) == before, "a reader sees one moment"
        return before

    def _hold(self) -> None:
        self._loop.call_soon_threadsafe(self.has_begun.set)
        assert self.go_on.wait(_LONG_SECONDS)


async def test_it_waits_for_no_transaction_under_way(ledger: SqlLedger) -> None:
    reader, holding = ledger.reader(), Holding()
    try:
        writing = asyncio.create_task(ledger.transact(holding.write))
        await holding.has_begun.wait()
        assert await reader.transact(lambda tx: tx.targets.all()) == []
        holding.go_on.set()
        await writing
        assert await reader.transact(lambda tx: tx.targets.all()) == [failing()]
    finally:
        holding.go_on.set()
        await reader.close()


async def test_no_transaction_waits_for_it(ledger: SqlLedger) -> None:
    reader, holding = ledger.reader(), Holding()
    try:
        reading = asyncio.create_task(reader.transact(holding.read))
        await holding.has_begun.wait()
        await ledger.transact(lambda tx: tx.targets.add(failing()))
        assert await ledger.hold_active()
        holding.go_on.set()
        assert await reading == 0
    finally:
        holding.go_on.set()
        await reader.close()


async def test_it_cannot_write(ledger: SqlLedger) -> None:
    reader = ledger.reader()
    with pytest.raises(LedgerUnavailable, match=r"(?i)read-?only"):
        await reader.transact(lambda tx: tx.targets.add(failing()))
    assert await reader.transact(lambda tx: tx.targets.all()) == []
    await reader.close()
