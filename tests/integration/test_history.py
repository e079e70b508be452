"""`history` and `status` of models that are broken, over a real ledger."""

import asyncio
import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from tests.fakes.records import NOW, ago, an_attempt, an_episode, healthy
from watchdog.cli.history_lines import Past, retry_results
from watchdog.cli.program import app
from watchdog.clock import SystemClock
from watchdog.domain.breaker import Opening
from watchdog.domain.records import (
    Action,
    ActionKind,
    Breakage,
    Decision,
    DecisionKind,
    DecisionReason,
    EpisodeResult,
    Health,
    Resolution,
)
from watchdog.engine.ports import LedgerTransaction
from watchdog.ledger import Role, SqlLedger

OVER = Breakage("model-a", ago(hours=9), "INACTIVE", ended_at=ago(hours=7))
LASTS = Breakage("model-a", ago(hours=1), "UNHEALTHY")
MISSING = Breakage("model-b", ago(hours=2), None)
BROKEN = healthy(
    model_id="model-a",
    status="UNHEALTHY",
    health=Health.BROKEN,
    decision=Decision(DecisionKind.NOTHING, DecisionReason.BROKEN),
    observed_at=NOW,
)


async def _write(url: str) -> None:
    base_url = "https://api.baseten.co"
    ledger = SqlLedger.open(url, clock=SystemClock(), base_url=base_url, role=Role.DAEMON)

    def fill(tx: LedgerTransaction) -> None:
        tx.targets.add(BROKEN)
        tx.breakages.begin([OVER, LASTS, MISSING])

    await ledger.transact(fill)
    await ledger.close()


def _run(folder: Path, *arguments: str) -> str:
    url = f"sqlite:///{folder}/ledger.db"
    if not (folder / "ledger.db").exists():
        asyncio.run(_write(url))
    file = folder / "watchdog.yaml"
    file.write_text(f"store: {{url: '{url}'}}\nmodels: [{{id: model-a}}]\n")
    result = CliRunner().invoke(app, [*arguments, "--config", str(file)])
    assert result.exit_code == 0, result.output
    return result.stdout


def test_the_history_says_since_when_and_until_when_a_model_was_broken(tmp_path: Path) -> None:
    lines = _run(tmp_path, "history").splitlines()[1:]
    found = ["broken: UNHEALTHY", "broken: missing", "broken ended", "broken: INACTIVE"]
    assert [next(each for each in found if each in line) for line in lines] == found
    assert "broken for 2h" in lines[2]


def test_the_history_begins_when_it_is_told_to(tmp_path: Path) -> None:
    hours = (SystemClock().now() - NOW) // timedelta(hours=1)
    since = ("history", "--since", f"{hours + 8}h")
    lines = _run(tmp_path, *since).splitlines()[1:]
    assert ["broken: INACTIVE" in line for line in lines] == [False, False, False]
    assert "broken ended" in lines[-1]
    found = json.loads(_run(tmp_path, *since, "--json"))["broken"]
    assert [each["status"] for each in found] == ["UNHEALTHY", None, "INACTIVE"]
    assert _run(tmp_path, "history", "model-a", "--since", "1s").count("broken:") == 0


RETRY, TWICE, PAUSE = (
    Action(ago(minutes=50), ActionKind.RETRY, "model-a", "ann@desk", "", id=1),
    Action(ago(minutes=30), ActionKind.RETRY, "model-a", "ann@desk", "", id=2),
    Action(ago(minutes=20), ActionKind.PAUSE, None, "ann@desk", "incident", until=ago(minutes=10)),
)
RECOVERED = EpisodeResult.RECOVERED
OWN = an_attempt(
    model_id="model-a",
    owner="command:desk:5f3a2c",
    reserved_at=ago(minutes=50) + timedelta(seconds=2),
    resolution=Resolution.RECOVERED,
    resolved_at=ago(minutes=40),
)
DAEMONS = an_attempt(
    id="a2", model_id="model-a", owner="daemon:pod:1", reserved_at=ago(minutes=29, seconds=50)
)


def test_what_came_of_a_retry_that_an_operator_ordered() -> None:
    assert retry_results([TWICE, RETRY, PAUSE], [DAEMONS, OWN]) == {1: "recovered", 2: "not sent"}
    again = replace(RETRY, at=RETRY.at + timedelta(seconds=1), id=3)
    assert retry_results([again, RETRY], [OWN]) == {1: "not sent", 3: "recovered"}


def test_the_history_of_all_is_one_list_in_true_order() -> None:
    opening = Opening("o1", ago(minutes=45), 3, 1, condition_until=ago(minutes=35))
    past = Past(
        [replace(an_episode(), opened_at=ago(hours=2), ended_at=ago(minutes=40), result=RECOVERED)],
        [OWN], [RETRY, PAUSE], [LASTS], [opening], [],
        findings={}, names={}, start=None, cut=False, one=False,
    )  # fmt: skip
    assert [cells[1] for _, cells in past.lines()] == [
        "pause",
        "failing ended",
        "breaker opened",
        "attempt 1",
        "retry",
        "broken: UNHEALTHY",
        "failing: BUILD_FAILED",
    ]


def test_the_history_of_one_model_as_json_has_nothing_of_the_breaker(tmp_path: Path) -> None:
    of_one = json.loads(_run(tmp_path, "history", "model-a", "--json"))
    assert of_one.keys() == {"episodes", "attempts", "actions", "broken"}
    of_all = json.loads(_run(tmp_path, "history", "--json"))
    assert of_all.keys() - of_one.keys() == {"openings", "canaries"}


def test_the_history_of_one_model_as_json_has_its_breakages(tmp_path: Path) -> None:
    found: list[dict[str, Any]] = json.loads(_run(tmp_path, "history", "model-a", "--json"))[
        "broken"
    ]
    assert [each["status"] for each in found] == ["UNHEALTHY", "INACTIVE"]
    assert found[0]["ended_at"] is None
    assert found[1]["ended_at"] is not None


def test_the_status_of_a_broken_model_is_that(tmp_path: Path) -> None:
    (target,) = json.loads(_run(tmp_path, "status", "--json"))["targets"]
    assert (target["state"], target["decision_reason"]) == ("broken", "broken")
    assert "broken" in _run(tmp_path, "status")


@pytest.mark.parametrize("since", ["0s", "0h0m", "0ms", "99999999d"])
def test_a_time_that_no_history_can_begin_at_is_one_line(since: str, tmp_path: Path) -> None:
    _run(tmp_path, "history")
    file = str(tmp_path / "watchdog.yaml")
    result = CliRunner().invoke(app, ["history", "--since", since, "--config", file])
    assert result.exit_code == 2
    assert result.stderr == "error: --since: must be more than 0s and at most 3650d\n"
