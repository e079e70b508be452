"""`history --fleet`, over a real ledger."""

import asyncio
import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.fakes.records import NOW, ago
from watchdog.cli.program import app
from watchdog.clock import SystemClock
from watchdog.domain.breaker import Canary, CanaryResult, ClosedBy, Opening
from watchdog.engine.ports import LedgerTransaction
from watchdog.ledger import Role, SqlLedger

OLD = Opening(
    "o1",
    opened_at=ago(hours=3),
    failures=4,
    not_failing=2,
    condition_until=ago(hours=2),
    closed_at=ago(hours=1),
    closed_by=ClosedBy.CANARY,
)
LAPSED = replace(
    OLD, id="o0", opened_at=ago(hours=40), closed_at=ago(hours=12), closed_by=ClosedBy.LAPSED
)
NEW = Opening("o2", opened_at=ago(minutes=3), failures=3, not_failing=0, condition_until=NOW)
FAILED = Canary(
    "c1",
    "o1",
    "model-a",
    named_at=ago(minutes=100),
    attempt_id="a1",
    ended_at=ago(minutes=90),
    result=CanaryResult.FAILED,
)
UNSENT = replace(
    FAILED, id="c2", model_id="model-b", named_at=ago(minutes=80), result=CanaryResult.UNSENT
)
UNDER_WAY = Canary("c3", "o2", "model-c", named_at=ago(minutes=1))


@pytest.fixture
def config(tmp_path: Path) -> Path:
    url = f"sqlite:///{tmp_path}/ledger.db"
    asyncio.run(_write(url))
    file = tmp_path / "watchdog.yaml"
    file.write_text(f"store: {{url: '{url}'}}\nmodels: [{{id: model-a}}]\n")
    return file


async def _write(url: str) -> None:
    base_url = "https://api.baseten.co"
    ledger = SqlLedger.open(url, clock=SystemClock(), base_url=base_url, role=Role.DAEMON)

    def fill(tx: LedgerTransaction) -> None:
        for opening in (LAPSED, OLD, NEW):
            tx.breaker.save_opening(opening)
        for canary in (FAILED, UNSENT, UNDER_WAY):
            tx.breaker.save_canary(canary)

    await ledger.transact(fill)
    await ledger.close()


def run(*arguments: object) -> str:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output
    return result.stdout


def test_it_is_told_newest_first(config: Path) -> None:
    lines = run("history", "--fleet", "--config", config).splitlines()[1:]
    assert [" ".join(line.split()[1:]) for line in lines] == [
        "canary model-c under way",
        "breaker opened - open 3 models began to fail, 0 did not",
        "breaker closed - canary_passed after 2h",
        "canary model-b unsent was not retried in time; the next canary is named",
        "canary model-a failed after 10m",
        "breaker opened - closed 4 models began to fail, 2 did not",
        "breaker closed - lapsed after 1d4h; no process judged it for the last 24h",
        "breaker opened - closed 4 models began to fail, 2 did not",
    ]
    shortest = run("history", "--fleet", "--limit", "1", "--config", config).splitlines()[1:]
    assert len(shortest) == 2


def test_it_is_told_as_json(config: Path) -> None:
    told = json.loads(run("history", "--fleet", "--json", "--config", config))
    assert [(each["opening_id"], each["closed_by"]) for each in told["openings"]] == [
        ("o2", None),
        ("o1", "canary_passed"),
        ("o0", "lapsed"),
    ]
    assert [each["result"] for each in told["canaries"]] == [None, "unsent", "failed"]
    assert told["openings"][0]["opened_at"] == (NOW - timedelta(minutes=3)).isoformat()


def test_it_is_about_no_single_model(config: Path) -> None:
    arguments = ["history", "model-a", "--fleet", "--config", str(config)]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code != 0
    assert "leave MODEL out" in result.stderr
