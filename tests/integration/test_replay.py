"""`replay` over a real ledger."""

import asyncio
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from tests.fakes.records import healthy
from watchdog.cli.program import app
from watchdog.clock import SystemClock
from watchdog.domain.causes import Cause, Explanation
from watchdog.domain.records import (
    Attempt,
    DeploymentRef,
    Episode,
    EpisodeResult,
    Outcome,
    Resolution,
    StatusChange,
)
from watchdog.engine.ports import LedgerTransaction
from watchdog.ledger import Role, SqlLedger

NOW = datetime.now(UTC)
"""The command reads the clock of the machine."""

REF = DeploymentRef("d-1", NOW - timedelta(days=3))
MINUTE = timedelta(minutes=1)
OPENED = NOW - timedelta(hours=20)
FIRST, SECOND = OPENED + 5 * MINUTE, OPENED + 14 * MINUTE
"""The default policy retries 5 minutes after the failure, and 5 minutes after the next one."""


def an_episode(**changes: Any) -> Episode:
    episode = Episode("e-1", "model-a", REF, "BUILD_FAILED", OPENED, OPENED)
    ended: dict[str, Any] = {"ended_at": OPENED + 18 * MINUTE, "result": EpisodeResult.RECOVERED}
    return replace(episode, **ended | changes)


def an_attempt(number: int, at: datetime, resolution: Resolution, after: timedelta) -> Attempt:
    return Attempt(
        id=f"a-{number}",
        model_id="model-a",
        episode_id="e-1",
        number=number,
        owner="daemon:h:1",
        reserved_at=at,
        sent_at=at,
        outcome=Outcome.ACCEPTED,
        resolution=resolution,
        resolved_at=at + after,
        deployment=REF,
    )


TWO = (
    an_attempt(1, FIRST, Resolution.REFAILED, 4 * MINUTE),
    an_attempt(2, SECOND, Resolution.RECOVERED, 4 * MINUTE),
)


async def _write(url: str, episode: Episode, attempts: tuple[Attempt, ...]) -> None:
    base_url = "https://api.baseten.co"
    ledger = SqlLedger.open(url, clock=SystemClock(), base_url=base_url, role=Role.DAEMON)

    def fill(tx: LedgerTransaction) -> None:
        tx.targets.add(healthy(model_id="model-a", name="llama", observed_at=NOW))
        tx.episodes.save(episode)
        tx.statuses.add([StatusChange("model-a", OPENED, "BUILD_FAILED")])
        for attempt in attempts:
            tx.attempts.add(attempt)

    await ledger.transact(fill)
    await ledger.close()


def replayed(
    folder: Path,
    *arguments: str,
    policy: str = "",
    episode: Episode | None = None,
    attempts: tuple[Attempt, ...] = TWO,
) -> str:
    """What `replay` prints of this one episode, judged by a policy without jitter."""
    url = f"sqlite:///{folder}/ledger.db"
    asyncio.run(_write(url, episode or an_episode(), attempts))
    file = folder / "new.yaml"
    file.write_text(f"store: {{url: '{url}'}}\npolicy: {{jitter: 0, {policy}}}\n")
    result = CliRunner().invoke(app, ["replay", *arguments, "--config", str(file)])
    assert result.exit_code == 0, result.output
    return result.stdout


def the_one(folder: Path, **given: Any) -> dict[str, Any]:
    (found,) = json.loads(replayed(folder, "--json", **given))
    assert isinstance(found, dict)
    return found


def test_the_same_policy_would_have_done_the_same(tmp_path: Path) -> None:
    found = the_one(tmp_path)
    assert found["verdict"] == "same"
    assert (found["was_sent"], len(found["would_send_at"])) == (2, 2)
    assert [each["reason"] for each in found["held"]] == ["first_delay", "backoff"]


def test_one_with_fewer_attempts_gives_up_before(tmp_path: Path) -> None:
    found = the_one(tmp_path, policy="max_attempts: 1")
    assert (found["verdict"], found["gave_up"]) == ("fewer", "episode_spent")
    assert found["gave_up_at"] == (FIRST + 4 * MINUTE).isoformat()
    assert found["unknown_at"] is None


def test_what_an_earlier_retry_would_have_brought_is_unknown(tmp_path: Path) -> None:
    found = the_one(tmp_path, policy="first_delay: 0s")
    assert (found["verdict"], found["would_send_at"]) == ("unknown", [])
    assert found["unknown_at"] == OPENED.isoformat()


def test_what_a_later_retry_would_have_brought_is_unknown(tmp_path: Path) -> None:
    found = the_one(tmp_path, policy="backoff: 20m")
    assert (found["verdict"], len(found["would_send_at"])) == ("unknown", 1)
    assert found["unknown_at"] == (FIRST + 24 * MINUTE).isoformat()


def test_one_that_is_slower_than_a_person_sends_nothing(tmp_path: Path) -> None:
    by_person = an_episode(result=EpisodeResult.REPLACED)
    refailed = (an_attempt(1, FIRST, Resolution.REFAILED, 4 * MINUTE),)
    found = the_one(tmp_path, policy="first_delay: 1h", episode=by_person, attempts=refailed)
    assert (found["verdict"], found["would_send_at"]) == ("fewer", [])


def test_a_cause_that_is_never_retried_is_followed_once_it_is_known(tmp_path: Path) -> None:
    at = FIRST + 4 * MINUTE
    explained = an_episode(explanation=Explanation(Cause.MEMORY, "mark", at))
    found = the_one(tmp_path, policy="causes: {memory: never}", episode=explained)
    assert (found["verdict"], found["gave_up"]) == ("fewer", "cause_permanent")
    assert len(found["would_send_at"]) == 1


def test_an_open_episode_that_waits_is_not_over(tmp_path: Path) -> None:
    still_open = an_episode(result=None, ended_at=None)
    found = the_one(
        tmp_path, policy="first_delay: 30h, window: 40h", episode=still_open, attempts=()
    )
    assert (found["verdict"], found["would_send_at"]) == ("lasts", [])


@pytest.mark.parametrize(
    ("since", "episodes"), [("19h", 0), ("21h", 1)], ids=["begun later", "begun before"]
)
def test_since_says_how_far_back(tmp_path: Path, since: str, episodes: int) -> None:
    assert len(json.loads(replayed(tmp_path, "--json", "--since", since))) == episodes


def test_the_table_has_a_line_for_each_episode_and_totals(tmp_path: Path) -> None:
    lines = replayed(tmp_path, "llama", policy="max_attempts: 1").splitlines()
    assert "gives up after 9m: episode_spent" in lines[1]
    assert lines[3] == "1 episode. 1 fewer: fewer retries, and all that they brought is known."
    assert lines[4] == "2 retries were sent; 1 of these would be."


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--since", "-3d"], "--since: not a duration"),
        (["nobody"], "there is no model 'nobody'"),
    ],
)
def test_wrong_arguments_are_one_line(tmp_path: Path, arguments: list[str], problem: str) -> None:
    replayed(tmp_path)
    result = CliRunner().invoke(app, ["replay", *arguments, "--config", str(tmp_path / "new.yaml")])
    assert result.exit_code == 2
    (line,) = result.stderr.splitlines()
    assert problem in line
