"""`replay` over a real ledger."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from tests.fakes.records import healthy
from watchdog.cli.program import app
from watchdog.clock import SystemClock
from watchdog.domain.breaker import ClosedBy, Opening
from watchdog.domain.causes import Cause, Explanation
from watchdog.domain.discovery import Discovered
from watchdog.domain.records import (
    Attempt,
    DeploymentRef,
    Episode,
    EpisodeResult,
    Outcome,
    Resolution,
    StatusChange,
)
from watchdog.engine.fleet import discovered
from watchdog.engine.ports import LedgerTransaction
from watchdog.ledger import Role, SqlLedger

NOW = datetime.now(UTC)
"""The command reads the clock of the machine."""

REF = DeploymentRef("d-1", NOW - timedelta(days=3))
MINUTE = timedelta(minutes=1)
ONE_A_DAY = "fleet: {max_attempts_per_window: 1, max_retries_per_minute: 1, max_in_flight: 1}"
ONLY_ONE = "max_attempts: 1, max_attempts_per_window: 1"
"""A policy that goes with it."""

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


def _ledger(url: str) -> SqlLedger:
    base_url = "https://api.baseten.co"
    return SqlLedger.open(url, clock=SystemClock(), base_url=base_url, role=Role.DAEMON)


async def _also(url: str, write: Callable[[LedgerTransaction], None]) -> None:
    ledger = _ledger(url)
    await ledger.transact(write)
    await ledger.close()


async def _write(url: str, episode: Episode, attempts: tuple[Attempt, ...]) -> None:
    def fill(tx: LedgerTransaction) -> None:
        tx.targets.add(healthy(model_id="model-a", name="llama", observed_at=NOW))
        tx.episodes.save(episode)
        tx.statuses.add([StatusChange("model-a", OPENED, "BUILD_FAILED")])
        for attempt in attempts:
            tx.attempts.add(attempt)

    await _also(url, fill)


def replayed(
    folder: Path,
    *arguments: str,
    policy: str = "",
    episode: Episode | None = None,
    attempts: tuple[Attempt, ...] = TWO,
    more: str = "",
    also: Callable[[LedgerTransaction], None] | None = None,
) -> str:
    """What `replay` prints of this one episode, and what `also` writes into the ledger, judged by a
    policy without jitter. `more` are other sections of the configuration."""
    url = f"sqlite:///{folder}/ledger.db"
    asyncio.run(_write(url, episode or an_episode(), attempts))
    if also is not None:
        asyncio.run(_also(url, also))
    file = folder / "new.yaml"
    file.write_text(f"store: {{url: '{url}'}}\npolicy: {{jitter: 0, {policy}}}\n{more}\n")
    result = CliRunner().invoke(app, ["replay", *arguments, "--config", str(file)])
    assert result.exit_code == 0, result.output
    return result.stdout


def the_one(folder: Path, *, since: str = "30d", **given: Any) -> dict[str, Any]:
    (found,) = json.loads(replayed(folder, "--json", "--since", since, **given))
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


def test_a_status_that_it_does_not_retry_is_left_alone(tmp_path: Path) -> None:
    found = the_one(tmp_path, policy="retry_on: [DEPLOY_FAILED]")
    assert (found["verdict"], found["gave_up"]) == ("fewer", "broken")
    assert (found["gave_up_at"], found["would_send_at"]) == (OPENED.isoformat(), [])


def test_a_wait_ends_with_the_episode(tmp_path: Path) -> None:
    by_person = an_episode(result=EpisodeResult.REPLACED)
    found = the_one(tmp_path, policy="first_delay: 1h", episode=by_person, attempts=())
    assert [each["until"] for each in found["held"]] == [(OPENED + 18 * MINUTE).isoformat()]


def test_the_rules_for_a_discovered_model_go_by_its_name_and_team(tmp_path: Path) -> None:
    rule = "{match: ['team-a/*'], policy: {max_attempts: 1, standing: retry}}"
    found = the_one(
        tmp_path,
        more=f"discovery: {{include: ['*']}}\nrules: [{rule}]",
        also=lambda tx: discovered.save(tx, {"model-a": Discovered("llama", "team-a")}),
    )
    assert (found["gave_up"], len(found["would_send_at"])) == ("episode_spent", 1)


def test_the_retries_of_failures_before_it_count_against_its_limits(tmp_path: Path) -> None:
    """All models together have one in 24 hours, and it was sent two hours before."""
    before = OPENED - timedelta(hours=2)
    attempt = replace(TWO[0], id="a-0", model_id="model-b", episode_id="e-0", reserved_at=before)

    def one_before(tx: LedgerTransaction) -> None:
        tx.episodes.save(replace(an_episode(), id="e-0", model_id="model-b", opened_at=before))
        tx.attempts.add(replace(attempt, sent_at=before))

    found = the_one(tmp_path, since="21h", policy=ONLY_ONE, more=ONE_A_DAY, also=one_before)
    assert [each["reason"] for each in found["held"]] == ["fleet_window_spent"]
    assert (found["verdict"], found["would_send_at"]) == ("fewer", [])


def test_a_delay_of_its_own_ends_while_the_breaker_is_open(tmp_path: Path) -> None:
    ends = OPENED + 30 * MINUTE

    def opened(tx: LedgerTransaction) -> None:
        opening = Opening("o-1", OPENED - MINUTE, 3, 4, ends, ends, ClosedBy.CANARY)
        tx.breaker.save_opening(opening)

    removed = an_episode(result=EpisodeResult.REMOVED)
    found = the_one(tmp_path, episode=removed, attempts=(), also=opened)
    assert [(each["reason"], each["until"]) for each in found["held"]] == [
        ("first_delay", FIRST.isoformat()),
        ("breaker_open", (OPENED + 18 * MINUTE).isoformat()),
    ]


def test_those_that_wait_for_the_fleet_are_retried_in_the_order_in_which_they_got_ready(
    tmp_path: Path,
) -> None:
    """All models together have one retry in 24 hours."""
    began = [NOW - timedelta(days=3) + number * MINUTE for number in range(200)]

    def fill(tx: LedgerTransaction) -> None:
        for number, at in enumerate(began):
            id_ = f"e-{len(began) - number:03}"  # The order of the ids is another one.
            opened = replace(an_episode(ended_at=None, result=None), id=id_, opened_at=at)
            tx.episodes.save(replace(opened, model_id=f"model-{number}", failing_from=at))

    url = f"sqlite:///{tmp_path}/ledger.db"
    asyncio.run(_also(url, fill))
    file = tmp_path / "new.yaml"
    file.write_text(f"store: {{url: '{url}'}}\npolicy: {{jitter: 0, {ONLY_ONE}}}\n{ONE_A_DAY}\n")
    result = CliRunner().invoke(app, ["replay", "--json", "--config", str(file)])
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    sent = [each["model_id"] for each in found if each["unknown_at"] is not None]
    assert sent == ["model-0", "model-1", "model-2"]


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
        (["--since", "0s"], "--since: must be more than 0s and at most 3650d"),
        (["--since", "99999999d"], "--since: must be more than 0s and at most 3650d"),
        (["nobody"], "there is no model 'nobody'"),
    ],
)
def test_wrong_arguments_are_one_line(tmp_path: Path, arguments: list[str], problem: str) -> None:
    replayed(tmp_path)
    result = CliRunner().invoke(app, ["replay", *arguments, "--config", str(tmp_path / "new.yaml")])
    assert result.exit_code == 2
    (line,) = result.stderr.splitlines()
    assert problem in line
