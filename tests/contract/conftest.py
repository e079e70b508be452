"""Runs each test with each kind of ledger."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.contract.test_ledger import KINDS, Subject, opened, opened_twice
from tests.fakes.processes import PATIENCE_SECONDS
from watchdog.ledger.line import Line
from watchdog.ledger.sqlite import SqliteDatabase


@pytest.fixture(autouse=True)
def in_no_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """These tests do not depend on how long a transaction takes."""
    monkeypatch.setattr(Line, "call_seconds", PATIENCE_SECONDS)
    monkeypatch.setattr(SqliteDatabase, "busy_seconds", PATIENCE_SECONDS)


@pytest.fixture(params=KINDS)
async def subject(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Subject]:
    async with opened(request.param, tmp_path) as made:
        yield made


@pytest.fixture(params=KINDS)
async def beside(
    request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[tuple[Subject, Subject]]:
    """One ledger, opened as by two processes: in retry mode, and in observe mode."""
    async with opened_twice(request.param, tmp_path) as made:
        yield made
