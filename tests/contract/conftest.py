"""Each kind of ledger in its turn."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.contract.test_ledger import KINDS, Bench, opened


@pytest.fixture(params=KINDS)
async def bench(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Bench]:
    async with opened(request.param, tmp_path) as made:
        yield made
