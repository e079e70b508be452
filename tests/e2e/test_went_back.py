"""A backup of the ledger that replaces the ledger of a running daemon, which has sent retries
since."""

import json
import signal
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from psycopg import sql

from tests.fakes.postgres import Postgres, shared
from tests.fakes.processes import (
    config_file,
    daemon,
    emulator,
    free_port,
    get,
    posts,
    run,
    running,
)
from watchdog.ledger.postgres import TRANSACTION

FAILS: dict[str, object] = {
    "id": "fails4vr",
    "name": "fails",
    "deploys": [["BUILD_FAILED"], [{"BUILDING": "300ms"}, "BUILD_FAILED"]],
}
LIMITS = {"max_attempts": 2, "max_attempts_per_window": 2}


def sqlite_backup(path: Path) -> Callable[[], object]:
    """Make one; the returned function moves it in."""
    copy = path.with_name("backup.db")
    connection = sqlite3.connect(path)
    connection.execute("VACUUM INTO ?", (str(copy),))
    connection.close()
    return lambda: copy.rename(path)


def postgres_backup(url: str) -> Callable[[], object]:
    """Make one of the tables whose newer rows a fail-over would lose; the returned function puts it
    in their place. It does that between two transactions of the daemon: a running one may hold a
    table that is needed here, and wait for another table that is already emptied."""
    name = Postgres.schema_of(url)
    schema = sql.Identifier(name)
    copy, tables = sql.Identifier(f"{name}_copy"), ("meta", "targets")
    shared().execute(sql.SQL("CREATE SCHEMA {}").format(copy))
    for table in map(sql.Identifier, tables):
        make = sql.SQL("CREATE TABLE {}.{} AS TABLE {}.{}")
        shared().execute(make.format(copy, table, schema, table))
    parts: list[sql.Composed] = [
        sql.SQL("SELECT pg_advisory_xact_lock({}, hashtext({}))").format(TRANSACTION, name)
    ]
    parts += [
        sql.SQL("TRUNCATE {}.{} CASCADE").format(schema, sql.Identifier(table))
        for table in ("attempts", "episodes", *tables)
    ]
    parts += [
        sql.SQL("INSERT INTO {}.{} SELECT * FROM {}.{}").format(schema, each, copy, each)
        for each in map(sql.Identifier, tables)
    ]
    return lambda: shared().execute(sql.SQL("; ").join(parts))


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_what_was_sent_since_a_backup_still_counts_when_it_is_moved_in(
    kind: str, tmp_path: Path
) -> None:
    path = tmp_path / "ledger.db"
    url = shared().new_schema() if kind == "postgresql" else f"sqlite:///{path}"
    with emulator(tmp_path, [FAILS]) as api:
        config = config_file(tmp_path, api, ["fails4vr"], store={"url": url}, policy=LIMITS)
        # Makes the ledger.
        assert run("pause", "--all", "--for", "1s", "--create", "--config", config).returncode == 0
        move_in = postgres_backup(url) if kind == "postgresql" else sqlite_backup(path)
        port = free_port()
        with running(daemon(config, BASETEN_WATCHDOG_SERVER__PORT=str(port))) as process:
            process.event("gave_up")
            move_in()
            assert process.event("ledger_went_back")["put_back"] == 2
            assert process.event("retry_suppressed")["decision_reason"] == "window_spent"
            assert len(posts(api)) == 2
            _, shown = get(f"http://127.0.0.1:{port}/metrics")
            assert "\nbaseten_watchdog_ledger_went_back_total 1.0\n" in shown
            process.signal(signal.SIGTERM)
            assert process.wait() == 0
            assert '"internal_error"' not in "".join(process.lines)
        history = run("history", "--json", "--config", config).stdout
        assert [each["outcome"] for each in json.loads(history)["attempts"]] == ["accepted"] * 2
