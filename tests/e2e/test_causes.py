"""Where the lines of a log get to, and where they do not."""

import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.fakes.processes import (
    cli,
    config_file,
    daemon,
    emulator,
    eventually,
    free_port,
    get,
    requests,
    running,
)

SECRETS = ("hf_PlantedInTheCause", "sk-PlantedBesideIt", "PlantedPassword")
FAILS: dict[str, Any] = {
    "id": "fails4vr",
    "name": "fails",
    "deploys": [
        {
            "steps": ["BUILD_FAILED"],
            "log": [
                f"export OPENAI_API_KEY={SECRETS[1]}",
                f"401 Client Error: Unauthorized for url: https://hub.example.com/?token={SECRETS[0]}",
                f"cloning https://bot:{SECRETS[2]}@git.example.com/team/model.git",
            ],
        }
    ],
}
OPTIONAL = {"get_logs", "list_startups", "list_audit_logs"}


def failures(metrics: str) -> dict[str, float]:
    """The causes that were counted, and how often."""
    found = re.findall(
        r'^baseten_watchdog_failures_total{cause="(\w+)"} (\S+)$', metrics, re.MULTILINE
    )
    return {cause: float(count) for cause, count in found if float(count)}


def cells(ledger: Path) -> Iterator[tuple[str, str, object]]:
    """Each value in the ledger, with its table and its column."""
    with sqlite3.connect(ledger) as connection:
        tables = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")
        for (table,) in tables.fetchall():
            rows = connection.execute(f"SELECT * FROM {table}")
            columns = [column for column, *_ in rows.description]
            for row in rows:
                yield from ((table, *cell) for cell in zip(columns, row, strict=True))
    connection.close()


def test_a_secret_in_a_log_is_only_in_the_history_of_its_model(tmp_path: Path) -> None:
    with emulator(tmp_path, [FAILS]) as api:
        port = free_port()
        config = config_file(tmp_path, api, ["fails4vr"], server={"port": port})
        with running(daemon(config)) as process:
            assert process.event("gave_up")["decision_reason"] == "cause_permanent"
            told = cli("history", "fails4vr", "--config", config).stdout
            assert [secret for secret in SECRETS if secret not in told] == []
            page = f"http://127.0.0.1:{port}"
            metrics = get(f"{page}/metrics")[1]
            everywhere = [
                *(cli(*words, "--config", config).stdout for words in _COMMANDS),
                *(get(page + path)[1] for path in ("/", "/targets/fails4vr")),
                metrics,
            ]
            process.stop()
        assert failures(metrics) == {"configuration": 2}
        assert all("configuration" in said for said in everywhere[:2])
        everywhere += process.lines
        assert [secret for secret in SECRETS if secret in "".join(everywhere)] == []
    holding = {
        (table, column)
        for table, column, value in cells(tmp_path / "ledger.db")
        if any(secret in str(value) for secret in SECRETS)
    }
    assert holding == {("findings", "error_lines")}


_COMMANDS = (
    ("history",),
    ("history", "--json"),
    ("status",),
    ("status", "-o", "wide"),
    ("status", "--json"),
)


def test_without_diagnosis_nothing_is_fetched_and_every_cause_is_unknown(tmp_path: Path) -> None:
    with emulator(tmp_path, [FAILS]) as api:
        port = free_port()
        config = config_file(tmp_path, api, ["fails4vr"], server={"port": port}, diagnose=False)
        with running(daemon(config)) as process:
            assert process.event("gave_up")["decision_reason"] == "episode_spent"
            eventually(lambda: failures(get(f"http://127.0.0.1:{port}/metrics")[1]))
            assert set(failures(get(f"http://127.0.0.1:{port}/metrics")[1])) == {"unknown"}
            process.stop()
        asked = {request["operation"] for request in requests(api)}
    assert "retry" in asked
    assert asked & OPTIONAL == set()
