"""Lists that are shown together are cut at one time."""

from datetime import datetime

import pytest

from tests.fakes.records import ago
from watchdog.cli.cut import cut_together


@pytest.mark.parametrize(
    ("lists", "shown"),
    [
        pytest.param([[1, 2, 3], [5]], [[1, 2, 3], [5]], id="nothing-cut"),
        pytest.param([[1, 2, 3, 30], [5, 29, 31]], [[1, 2, 3], [5, 29]], id="one-cut"),
        pytest.param([[1, 2, 3, 4], [10, 20, 30, 40]], [[1, 2, 3], []], id="both-cut"),
        pytest.param([[], []], [[], []], id="empty"),
    ],
)
def test_nothing_is_shown_from_before_what_another_list_lacks(
    lists: list[list[int]], shown: list[list[int]]
) -> None:
    """The numbers are how many minutes ago something happened."""

    def at(minutes: int) -> datetime:
        return ago(minutes=minutes)

    assert cut_together(*((each, at) for each in lists), limit=3) == shown
