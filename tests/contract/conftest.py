"""Each kind of ledger in its turn."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.contract.test_ledger import KINDS, Bench, opened, opened_twice


@pytest.fixture(params=KINDS)
async def bench(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Bench]:
    async with opened(request.param, tmp_path) as made:
        yield made


@pytest.fixture(params=KINDS)
async def beside(
    request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[tuple[Bench, Bench]]:
    """One ledger as two processes have it open: in retry mode, and in observe mode."""
    async with opened_twice(request.param, tmp_path) as made:
        yield made
