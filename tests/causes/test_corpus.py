"""Ends of logs as the tools print them, with noise around: each says its cause.

The folder that a log is in is its cause. All of them are written for this corpus.
"""

from pathlib import Path

import pytest

from watchdog.config.causes import Catalogue
from watchdog.domain.cause_search import find_cause
from watchdog.domain.causes import PERMANENT, Cause, Evidence
from watchdog.text.log import log_lines

LOGS = sorted((Path(__file__).parent / "logs").glob("*/*.log"))
CATALOGUE = Catalogue()


def found(log: Path) -> Cause:
    text = log.read_bytes().decode("utf-8", errors="replace")
    return find_cause(Evidence(log_lines(text)), CATALOGUE).cause


def test_there_are_logs_of_each_cause() -> None:
    assert {log.parent.name for log in LOGS} == set(Cause)
    assert len(LOGS) >= 60


@pytest.mark.parametrize("log", LOGS, ids=lambda log: f"{log.parent.name}-{log.stem}")
def test_a_log_is_taken_for_what_it_is(log: Path) -> None:
    assert found(log) is Cause(log.parent.name)


@pytest.mark.parametrize("log", LOGS, ids=lambda log: f"{log.parent.name}-{log.stem}")
def test_a_log_with_a_transient_end_is_never_taken_for_a_permanent_failure(log: Path) -> None:
    lines = log_lines(log.read_bytes().decode("utf-8", errors="replace"))
    ends = "curl: (56) Recv failure: Connection reset by peer"
    assert find_cause(Evidence((*lines, ends)), CATALOGUE).cause not in PERMANENT
