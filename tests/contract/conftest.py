"""Each kind of ledger in its turn."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.contract.test_ledger import KINDS, Bench, opened
from tests.fakes.processes import PATIENCE_SECONDS
from watchdog.ledger.postgres import PostgresDatabase
from watchdog.ledger.sqlite import SqliteDatabase


@pytest.fixture(autouse=True)
def _in_no_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the contract says does not depend on how long a transaction takes."""
    for database in (PostgresDatabase, SqliteDatabase):
        monkeypatch.setattr(database, "busy_seconds", PATIENCE_SECONDS)


@pytest.fixture(params=KINDS)
async def bench(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Bench]:
    async with opened(request.param, tmp_path) as made:
        yield made
