"""Some of the seeds, for `make test`: `test_simulation.py` has the others."""

import pytest

from tests.simulation.running import broken

SOME = 20

_AT_A_TIME = 5


@pytest.mark.parametrize(
    "first", range(0, SOME, _AT_A_TIME), ids=lambda first: f"from-seed-{first}"
)
def test_nothing_is_broken(first: int) -> None:
    assert broken(range(first, first + _AT_A_TIME)) == ""
