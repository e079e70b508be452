"""`kill -9` at every boundary of an attempt, then a restart: the accounts agree."""

import asyncio
import signal
import sys
from pathlib import Path

import pytest

from tests.chaos.crashing import POINTS, SENT
from tests.fakes.processes import (
    Process,
    config_file,
    daemon,
    emulator,
    environment,
    posts,
    running,
)
from watchdog.clock import SystemClock
from watchdog.domain.records import Attempt, Outcome
from watchdog.ledger import Role, SqlLedger

MODEL = "fails4vr"
FAILS_FOR_EVER = {
    "id": MODEL,
    "name": "fails",
    "deploys": [["BUILD_FAILED"], [{"BUILDING": "1s"}, "BUILD_FAILED"]],
}
CRASHING = Path(__file__).with_name("crashing.py")


def attempts_in(folder: Path, url: str) -> list[Attempt]:
    async def read() -> list[Attempt]:
        ledger = SqlLedger.open(
            f"sqlite:///{folder}/ledger.db",
            clock=SystemClock(),
            base_url=url,
            role=Role.READER,
        )
        try:
            return list(
                reversed(await ledger.transact(lambda tx: tx.attempt_history(None, limit=100)))
            )
        finally:
            await ledger.close()

    return asyncio.run(read())


@pytest.mark.parametrize("point", POINTS)
def test_after_a_kill_every_post_is_accounted_for_and_no_limit_is_exceeded(
    point: str, tmp_path: Path
) -> None:
    with emulator(tmp_path, [FAILS_FOR_EVER]) as url:
        config = config_file(tmp_path, url, [MODEL])
        arguments = [sys.executable, str(CRASHING), point, str(config)]
        root = str(Path(__file__).parents[2])
        with running(Process(arguments, environment(PYTHONPATH=root))) as first:
            assert first.wait() == -signal.SIGKILL, "".join(first.lines)
        assert len(posts(url)) == (point in SENT)

        with running(daemon(config)) as second:
            assert second.event("gave_up")["decision_reason"] == "episode_spent"
            second.signal(signal.SIGTERM)
            assert second.wait() == 0
        sent, attempts = posts(url), attempts_in(tmp_path, url)

    assert {request["status"] for request in sent} <= {"BUILD_FAILED"}
    assert sum(attempt.outcome.charged for attempt in attempts) == 2
    assert all(attempt.resolved_at is not None for attempt in attempts)
    outcomes = [attempt.outcome for attempt in attempts]
    assert set(outcomes) <= {Outcome.ACCEPTED, Outcome.UNKNOWN}
    assert outcomes.count(Outcome.ACCEPTED) <= len(sent) <= len(attempts)
