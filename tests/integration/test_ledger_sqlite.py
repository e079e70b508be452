"""What only the real ledger has: a file, its locks, its schema, and other processes."""

import asyncio
import os
import signal
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine

from tests.contract.test_ledger import MINUTE, FixedClock
from tests.fakes.records import NOW, ago, failing, healthy
from tests.fakes.schemas import described
from tests.fakes.sqlite import listening
from watchdog.domain.plan import Claim
from watchdog.domain.records import Decision, DecisionKind, DecisionReason, Health
from watchdog.engine.ports import LedgerUnavailable
from watchdog.ledger import LedgerMissing, LedgerSetupError, Role, SqlLedger
from watchdog.ledger.opening import SCHEMA, create, migrate_all
from watchdog.ledger.schema import metadata

BASE_URL = "https://api.example.com"


def opened(folder: Path, role: Role = Role.DAEMON, **more: Any) -> SqlLedger:
    values: Any = {"base_url": BASE_URL, "clock": FixedClock()} | more
    return SqlLedger.open(f"sqlite:///{folder}/state/ledger.db", role=role, **values)


async def use(ledger: SqlLedger, work: Callable[[Any], Any] = lambda tx: None) -> Any:
    try:
        return await ledger.transact(work)
    finally:
        await ledger.close()


async def test_only_its_owner_can_read_it(tmp_path: Path) -> None:
    ledger = opened(tmp_path)
    await ledger.transact(lambda tx: tx.meta.set("a", "b"))
    folder = tmp_path / "state"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
    assert {"ledger.db", "ledger.db-wal", "ledger.db-shm"} <= set(modes)
    assert set(modes.values()) == {0o600}
    await ledger.close()


async def test_rows_with_fractions_of_a_second_name_the_same_deployment(tmp_path: Path) -> None:
    await use(opened(tmp_path), lambda tx: tx.targets.add(failing()))
    with sqlite3.connect(tmp_path / "state" / "ledger.db") as database:
        for table in ("targets", "episodes"):
            database.execute(
                f"UPDATE {table} SET deployment_created_at = deployment_created_at + 7"
            )
    database.close()
    assert await use(opened(tmp_path), lambda tx: tx.targets.all()) == [failing()]


async def test_it_is_made_once_and_keeps_everything(tmp_path: Path) -> None:
    first = opened(tmp_path)
    assert first.created
    await use(first, lambda tx: tx.targets.add(failing()))
    second = opened(tmp_path, role=Role.READER)
    assert not second.created
    assert second.created_at == first.created_at
    assert await use(second, lambda tx: tx.targets.all()) == [failing()]


async def test_each_role_has_one_holder_and_readers_need_none(tmp_path: Path) -> None:
    daemon = opened(tmp_path)
    with pytest.raises(LedgerSetupError, match=rf"another daemon \(pid {os.getpid()}\)"):
        opened(tmp_path)
    command = opened(tmp_path, role=Role.COMMAND)
    await use(opened(tmp_path, role=Role.READER))
    assert not command.knows_dead(daemon.owner, MINUTE)
    assert not daemon.knows_dead(command.owner, MINUTE)
    await command.close()
    assert daemon.knows_dead(command.owner, MINUTE)
    assert daemon.knows_dead("daemon:of-an-earlier-life", MINUTE)
    assert not daemon.knows_dead(daemon.owner, MINUTE)
    await daemon.close()
    await use(opened(tmp_path))


@pytest.mark.parametrize(
    ("spoil", "role", "says"),
    [
        pytest.param(None, Role.READER, "there is no ledger", id="missing"),
        pytest.param(
            b"not a database at all" * 99, Role.DAEMON, "file is not a database", id="corrupt"
        ),
        pytest.param("9999", Role.DAEMON, "newer version", id="newer-schema"),
        pytest.param("", Role.READER, "not up to date", id="older-schema-for-a-reader"),
    ],
)
async def test_what_cannot_be_used_is_refused_in_one_line(
    spoil: bytes | str | None, role: Role, says: str, tmp_path: Path
) -> None:
    path = tmp_path / "state/ledger.db"
    if spoil is not None:
        await use(opened(tmp_path))
        if isinstance(spoil, bytes):
            path.write_bytes(spoil)
        else:
            with sqlite3.connect(path) as connection:
                connection.execute("UPDATE alembic_version SET version_num = ?", (spoil,))
                connection.execute(
                    "UPDATE meta SET value = ? WHERE key = 'oldest_schema'", (spoil,)
                )
            connection.close()
    with pytest.raises(LedgerSetupError, match=says) as refused:
        opened(tmp_path, role=role)
    assert "\n" not in str(refused.value)
    assert (refused.type is LedgerMissing) == (spoil is None)


async def test_a_ledger_belongs_to_one_api(tmp_path: Path) -> None:
    await use(opened(tmp_path))
    with pytest.raises(LedgerSetupError, match=r"not of https://other\.example\.com"):
        opened(tmp_path, base_url="https://other.example.com")


async def test_a_failed_opening_gives_the_lock_back(tmp_path: Path) -> None:
    await use(opened(tmp_path))
    with pytest.raises(LedgerSetupError):
        opened(tmp_path, base_url="https://other.example.com")
    await use(opened(tmp_path))


async def test_a_ledger_that_stops_answering_says_so_and_recovers(tmp_path: Path) -> None:
    ledger = opened(tmp_path)
    await ledger.transact(lambda tx: tx.meta.set("a", "b"))
    path = tmp_path / "state/ledger.db"
    with sqlite3.connect(path) as connection:
        connection.execute("ALTER TABLE meta RENAME TO elsewhere")
    with pytest.raises(LedgerUnavailable, match="no such table: meta"):
        await ledger.transact(lambda tx: tx.meta.get("a"))
    with connection:
        connection.execute("ALTER TABLE elsewhere RENAME TO meta")
    connection.close()
    assert await use(ledger, lambda tx: tx.meta.get("a")) == "b"


async def test_a_transaction_waits_for_another_process_to_finish(tmp_path: Path) -> None:
    ledger = opened(tmp_path)
    other = sqlite3.connect(tmp_path / "state/ledger.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    writing = asyncio.ensure_future(ledger.transact(lambda tx: tx.meta.set("a", "ours")))
    await asyncio.sleep(0)
    other.execute("INSERT INTO meta VALUES ('a', 'theirs')")
    other.execute("COMMIT")
    other.close()
    await writing
    assert await use(ledger, lambda tx: tx.meta.get("a")) == "ours"


KILLED = """
import asyncio, os, signal, sys
from tests.integration.test_ledger_sqlite import opened
from tests.fakes.records import failing, healthy
from pathlib import Path

def work(tx):
    tx.targets.add(failing())
    os.kill(os.getpid(), signal.SIGKILL)

async def main():
    ledger = opened(Path(sys.argv[1]))
    await ledger.transact(lambda tx: tx.targets.add(healthy(model_id="m0")))
    await ledger.transact(work)

asyncio.run(main())
"""


async def test_a_process_killed_in_a_transaction_leaves_what_it_had_committed(
    tmp_path: Path,
) -> None:
    root = Path(__file__).parents[2]
    done = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", KILLED, str(tmp_path)], cwd=root, check=False
    )
    assert done.returncode == -signal.SIGKILL
    found = await use(opened(tmp_path), lambda tx: tx.targets.all())
    assert found == [healthy(model_id="m0")]


async def test_a_cancelled_caller_does_not_undo_a_transaction(tmp_path: Path) -> None:
    ledger = opened(tmp_path)
    caller = asyncio.ensure_future(ledger.transact(lambda tx: tx.meta.set("a", "b")))
    await asyncio.sleep(0)
    caller.cancel()
    assert await use(ledger, lambda tx: tx.meta.get("a")) == "b"


def test_a_new_ledger_has_the_schema_that_all_migrations_make(tmp_path: Path) -> None:
    found = []
    for make in (create, migrate_all):
        engine = create_engine(f"sqlite:///{tmp_path}/{make.__name__}.db")
        with engine.begin() as connection:
            make(connection)
        with engine.connect() as connection:
            context = MigrationContext.configure(connection)
            assert context.get_current_revision() == SCHEMA
            assert compare_metadata(context, metadata) == []
            found.append(described(connection))
        engine.dispose()
    assert found[0] == found[1]


async def plans_of(folder: Path, work: Callable[[Any], Any]) -> dict[str, list[str]]:
    """SQLite's plan of each statement that the work executes on a new ledger."""
    ledger = opened(folder)
    statements: dict[str, Any] = {}

    def note(_c: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if statement.startswith(("SELECT", "UPDATE")):
            statements[statement] = parameters

    with listening("before_cursor_execute", note):
        await use(ledger, work)
    with sqlite3.connect(folder / "state/ledger.db") as connection:
        plans = {
            statement: connection.execute(f"EXPLAIN QUERY PLAN {statement}", parameters).fetchall()
            for statement, parameters in statements.items()
        }
    connection.close()
    return {statement: [row[3] for row in plan] for statement, plan in plans.items()}


async def test_no_query_of_a_tick_or_a_reservation_reads_a_whole_table(tmp_path: Path) -> None:
    """So that claims and reservations stay as fast however long the history is."""

    def work(tx: Any) -> None:
        tx.targets.due(NOW, limit=9, interval=MINUTE, claims={})
        tx.targets.next_planned(NOW)
        tx.targets.plan({"m1": Claim(0, NOW, NOW)})
        tx.targets.get("m1")
        tx.attempts.of(failing(), since=ago(hours=24), dated=ago(hours=24))
        tx.usage.of_fleet(date=NOW, most=50)
        tx.attempts.pending()
        tx.queue.ahead(1, NOW, "m1", seen_since=ago(hours=1))
        tx.queue.first_waiting(DecisionReason.FLEET_IN_FLIGHT)

    plans = await plans_of(tmp_path, work)
    for statement, plan in plans.items():
        whole = {line for line in plan if line.startswith(("SCAN attempts", "SCAN targets"))}
        # These indexes hold only the pending attempts and the targets that wait.
        some = {
            "SCAN attempts USING INDEX uq_attempts_pending",
            "SCAN targets USING INDEX ix_targets_queued",
        }
        assert whole <= some, statement
    assert len(plans) >= 8


async def test_what_the_breaker_counts_is_read_from_one_index(tmp_path: Path) -> None:
    """So that a decision about a failing target is as fast in a large fleet."""

    def work(tx: Any) -> None:
        tx.breaker.began_to_fail(ago(hours=1), among=None, but="m1", most=9)
        tx.breaker.not_failing(ago(hours=1), among=None, but="m1")

    for statement, plan in (await plans_of(tmp_path, work)).items():
        read = [line for line in plan if " targets " in line]
        assert read, statement
        assert all("COVERING INDEX ix_targets_breaker" in line for line in read), statement


async def test_no_command_migrates_the_ledger_under_a_daemon_of_an_older_version(
    tmp_path: Path,
) -> None:
    daemon = opened(tmp_path)
    with sqlite3.connect(tmp_path / "state/ledger.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '0002'")
    connection.close()
    for role in (Role.OPERATOR, Role.COMMAND):
        with pytest.raises(LedgerSetupError, match="start the daemon of this version first"):
            opened(tmp_path, role=role)
    await daemon.close()


async def test_a_newer_ledger_is_used_where_it_says_that_this_program_may(tmp_path: Path) -> None:
    await use(opened(tmp_path), lambda tx: tx.targets.add(failing()))
    with sqlite3.connect(tmp_path / "state/ledger.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.execute("ALTER TABLE targets ADD COLUMN colour TEXT")
        connection.execute("CREATE TABLE colours (id TEXT PRIMARY KEY)")
    connection.close()
    ledger = opened(tmp_path)
    assert not ledger.created
    assert await use(ledger, lambda tx: tx.targets.all()) == [failing()]


async def test_what_an_older_program_wrote_goes_before_what_it_does_not_know(
    tmp_path: Path,
) -> None:
    """It reads words that it knows, and leaves the columns that it does not know as they are."""
    broken = failing(
        status="INACTIVE",
        health=Health.BROKEN,
        failing_since=None,
        inactive_as=Health.BROKEN,
        in_progress_since=ago(hours=1),
        decision=Decision(DecisionKind.NOTHING, DecisionReason.BROKEN),
    )
    await use(opened(tmp_path), lambda tx: tx.targets.add(broken))
    with sqlite3.connect(tmp_path / "state/ledger.db") as connection:
        words = "SELECT health, decision_reason FROM targets"
        assert connection.execute(words).fetchall() == [("not_retryable", "not_retryable")]
        connection.execute("UPDATE targets SET version = 1, status = 'BUILDING'")
        connection.execute("UPDATE targets SET health = 'in_progress'")
        connection.execute("UPDATE targets SET decision_reason = 'in_progress'")
    connection.close()
    (found,) = await use(opened(tmp_path), lambda tx: tx.targets.all())
    assert (found.health, found.inactive_as) == (Health.IN_PROGRESS, None)
    assert (found.in_progress_since, found.decision.reason) == (None, DecisionReason.IN_PROGRESS)
