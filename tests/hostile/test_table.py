"""What may go wrong, and what the daemon makes of it: one row each, in `table_starts.py`,
`table_daemon.py` and `table_models.py`.

Every row is played on the real daemon, as a process of its own, over real sockets, against the real
emulator, beside a healthy neighbour that fails meanwhile and must be retried as ever. After each
row: no traceback, no API key and no escape sequence in any log line or in the ledger's files, and
no retry that is not on record.

Rows are played side by side: they mostly wait.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import pytest

from tests.hostile.emulated import emulated
from tests.hostile.rows import VICTIM, OneDaemon, OneModel, Refused, model, play_together
from tests.hostile.table_daemon import API, CLOCKS, LEDGERS, PROCESSES
from tests.hostile.table_models import LOGS, LOOKS, PEOPLE, RETRIES, TIMEOUTS
from tests.hostile.table_starts import STARTS

ABREAST = 12
"""So many daemons are started side by side: more would only wait for one another."""

Row = TypeVar("Row", Refused, OneDaemon)


def test_a_start_is_refused_in_one_line(tmp_path: Path, subtests: pytest.Subtests) -> None:
    with emulated([model(VICTIM)]) as api:
        play_abreast(STARTS, lambda row, folder: row.play(folder, api), tmp_path, subtests)
        assert not api.posts(VICTIM)


@pytest.mark.parametrize(
    "rows",
    [
        pytest.param(LEDGERS, id="ledger-faults"),
        pytest.param(CLOCKS, id="clock-steps"),
        pytest.param(PROCESSES, id="process-faults"),
        pytest.param(API, id="api-faults"),
    ],
)
def test_a_daemon_survives(
    rows: Sequence[OneDaemon], tmp_path: Path, subtests: pytest.Subtests
) -> None:
    play_abreast(rows, OneDaemon.play, tmp_path, subtests)


@pytest.mark.parametrize(
    ("rows", "timeout"),
    [
        pytest.param([*LOOKS, *RETRIES, *PEOPLE], "20s", id="within-a-long-timeout"),
        pytest.param(LOGS, "20s", id="logs"),
        # Each of these waits for as long at least once.
        pytest.param(TIMEOUTS, "4s", id="beyond-a-short-timeout"),
    ],
)
def test_one_model_harms_no_other(
    rows: Sequence[OneModel], timeout: str, tmp_path: Path, subtests: pytest.Subtests
) -> None:
    play_together(rows, tmp_path, subtests, timeout=timeout)


def test_no_two_rows_share_an_id() -> None:
    alone = [*LEDGERS, *CLOCKS, *PROCESSES, *API]
    together = [*LOOKS, *RETRIES, *LOGS, *PEOPLE, *TIMEOUTS]
    ids = [row.id for rows in (STARTS, alone, together) for row in rows]
    assert len(set(ids)) == len(ids) == 94


def play_abreast(
    rows: Sequence[Row],
    play: Callable[[Row, Path], None],
    folder: Path,
    subtests: pytest.Subtests,
) -> None:
    folders = [folder / row.id for row in rows]
    for each in folders:
        each.mkdir()
    with ThreadPoolExecutor(ABREAST) as pool:
        played = [pool.submit(play, *each) for each in zip(rows, folders, strict=True)]
    for row, outcome in zip(rows, played, strict=True):
        with subtests.test(row.id):
            outcome.result()
