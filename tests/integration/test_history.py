"""`history` and `status` of models that are broken, over a real ledger."""

import asyncio
import json
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from tests.fakes.records import NOW, ago, healthy
from watchdog.cli import app
from watchdog.clock import SystemClock
from watchdog.domain.records import Breakage, Decision, DecisionKind, DecisionReason, Health
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
    found = ["broken: UNHEALTHY", "broken: missing", "broken: INACTIVE"]
    assert [next(each for each in found if each in line) for line in lines] == found
    assert "after 2h" in lines[-1]


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
