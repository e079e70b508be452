"""What only a ledger on PostgreSQL has: other replicas, a server that goes away, and its clock."""

import asyncio
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from psycopg import sql
from sqlalchemy import create_engine

from tests.contract.test_ledger import MINUTE, FixedClock
from tests.fakes.postgres import Postgres, shared
from tests.fakes.processes import PATIENCE_SECONDS
from tests.fakes.proxy import Proxy
from tests.fakes.records import failing
from tests.fakes.schemas import described
from tests.integration.test_ledger_sqlite import BASE_URL, use
from watchdog.app.ledger import open_ledger
from watchdog.app.operate import change_ledger
from watchdog.clock import SystemClock
from watchdog.config import Config
from watchdog.domain.records import Target
from watchdog.domain.replica import Replica
from watchdog.engine.ports import LedgerTransaction, LedgerUnavailable
from watchdog.engine.settings import Settings
from watchdog.engine.target import operate
from watchdog.ledger import LedgerMissing, LedgerSetupError, Role, SqlLedger, postgres
from watchdog.ledger.line import Line
from watchdog.ledger.opening import create, migrate_all
from watchdog.ledger.schema import metadata, use_on_postgresql


def opened(url: str, role: Role = Role.DAEMON, **more: Any) -> SqlLedger:
    values: Any = {"base_url": BASE_URL, "clock": FixedClock()} | more
    return SqlLedger.open(url, role=role, **values)


@pytest.fixture
def url() -> str:
    return shared().new_schema()


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    """One to be stopped and frozen."""
    made = Postgres()
    yield made
    made.remove()


async def eventually(ask: Callable[[], Any]) -> None:
    """Ask until it does not raise LedgerUnavailable."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            await ask()
        except LedgerUnavailable:
            assert time.monotonic() < deadline
        else:
            return


def cut_sessions_that_hold(url: str) -> None:
    """End the sessions that hold a lock of this ledger."""
    cut = "SELECT pg_terminate_backend(pid, 5000) FROM pg_locks WHERE locktype = 'advisory'"
    schema = Postgres.schema_of(url)
    held = f" AND objid::bigint = (hashtext('{schema}')::bigint & 4294967295)"
    shared().execute(sql.SQL(cut + held).format())


async def becomes_active(ledger: SqlLedger) -> int:
    """Its term, if it soon has one: the server frees a lock a moment after its holder's
    connection."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (term := await ledger.hold_active()) and time.monotonic() < deadline:
        pass
    return term


async def test_a_deadlock_with_another_program_is_an_outage(url: str) -> None:
    """Such as one that restores a backup, table by table."""
    ledger, schema = opened(url), sql.Identifier(Postgres.schema_of(url))
    lock = sql.SQL("LOCK TABLE {}.{} IN ACCESS EXCLUSIVE MODE")
    first, second = (lock.format(schema, sql.Identifier(name)) for name in ("attempts", "targets"))
    with (
        psycopg.connect(f"{shared().address} dbname=postgres") as other,
        ThreadPoolExecutor(1) as beside,
    ):
        # So the server ends the transaction of the ledger, and not this one.
        other.execute("SET deadlock_timeout = '1h'")
        other.execute(first)

        def both(tx: LedgerTransaction) -> None:
            tx.targets.watched()
            beside.submit(other.execute, second)
            while not shared().is_waiting(other.info.backend_pid):
                pass
            tx.attempts.pending()

        with pytest.raises(LedgerUnavailable, match="deadlock detected"):
            await ledger.transact(both)
        beside.shutdown()
        other.rollback()
        assert await ledger.transact(lambda tx: tx.attempts.pending()) == []
    await ledger.close()


def test_a_new_ledger_has_the_schema_that_all_migrations_make() -> None:
    use_on_postgresql()
    found = []
    for make in (create, migrate_all):
        engine = create_engine(shared().new_schema())
        with engine.begin() as connection:
            make(connection)
        with engine.connect() as connection:
            assert compare_metadata(MigrationContext.configure(connection), metadata) == []
            found.append(described(connection))
        engine.dispose()
    assert found[0] == found[1]


async def test_ten_replicas_that_start_at_once_make_one_ledger(url: str) -> None:
    with ThreadPoolExecutor(max_workers=10) as starts:
        found = list(starts.map(lambda _: opened(url), range(10)))
    assert sum(ledger.created for ledger in found) == 1
    assert len({ledger.created_at for ledger in found}) == 1
    active = [await ledger.hold_active() for ledger in found]
    assert sum(active) == 1
    for ledger in found:
        await ledger.close()


async def test_one_replica_is_active_until_its_connection_ends(url: str) -> None:
    first, second = opened(url), opened(url)
    assert [await first.hold_active(), await second.hold_active()] == [True, False]
    assert [await first.hold_active(), await second.hold_active()] == [True, False]
    await first.close()
    assert await becomes_active(second)
    await second.close()


async def test_a_replica_whose_connection_was_cut_finds_that_another_one_is_active(
    url: str,
) -> None:
    first, second = opened(url), opened(url)
    assert await first.hold_active()
    cut_sessions_that_hold(url)
    assert await becomes_active(second)
    assert not await first.hold_active()
    await second.close()
    assert await becomes_active(first)
    await first.close()


async def test_a_replica_that_is_active_again_knows_that_another_one_may_have_been(
    url: str,
) -> None:
    first, second = opened(url), opened(url)
    term = await first.hold_active()
    assert await first.hold_active() == term
    cut_sessions_that_hold(url)
    assert await becomes_active(second)
    await second.close()
    assert await becomes_active(first) not in (0, term)
    await first.close()


async def test_a_replica_that_stops_asking_is_replaced(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres, "IDLE_SECONDS", 1)
    first, second = opened(url), opened(url)
    assert await first.hold_active()
    assert await becomes_active(second)
    assert not await first.hold_active()
    for ledger in (first, second):
        await ledger.close()


async def test_two_ledgers_in_one_database_do_not_know_each_other(url: str) -> None:
    first, other = opened(url), opened(shared().new_schema())
    assert await first.hold_active()
    assert await other.hold_active()
    await first.close()
    await other.close()


async def test_transactions_of_several_processes_never_overlap(url: str) -> None:
    ledgers = [opened(url, role) for role in (Role.DAEMON, Role.DAEMON, Role.COMMAND)]

    def count(tx: LedgerTransaction) -> None:
        tx.meta.set("count", str(int(tx.meta.get("count") or 0) + 1))

    await asyncio.gather(
        *(eventually(partial(ledger.transact, count)) for ledger in ledgers for _ in range(5))
    )
    assert await ledgers[0].transact(lambda tx: tx.meta.get("count")) == "15"
    for ledger in ledgers:
        await ledger.close()


async def test_the_time_is_the_servers() -> None:
    there = datetime(2031, 5, 6, 7, 8, 9, 10, tzinfo=UTC)
    ledger = opened(shared().new_schema(now=there.isoformat()))
    assert ledger.created_at == there
    assert await use(ledger, lambda tx: tx.now()) == there


async def test_an_owner_is_dead_once_it_may_no_longer_send(url: str) -> None:
    ledger = opened(url)
    # Its own: the answer to a COMMIT may have been lost, and nobody knows of that reservation.
    for owner in ("daemon:another", ledger.owner):
        assert not ledger.knows_dead(owner, timedelta(seconds=30))
        assert ledger.knows_dead(owner, timedelta(seconds=31))
    await ledger.close()


async def test_a_daemon_goes_by_the_servers_clock_step_and_all(url: str) -> None:
    hour = timedelta(hours=1)
    config = Config.model_validate({"store": {"url": url}, "models": [{"id": "m1"}]})
    clock = SystemClock()
    ledger = open_ledger(config, clock, Role.DAEMON)
    for ahead in (hour, -hour):
        step_clock(url, ahead)
        there = await ledger.transact(lambda tx: tx.now())
        assert abs(there - datetime.now(UTC) - ahead) < MINUTE
        assert timedelta(0) <= clock.now() - there < MINUTE
    await ledger.close()


async def test_a_daemon_that_died_before_the_servers_clock_was_set_back_refuses_no_pause(
    url: str,
) -> None:
    """Then its last heartbeat lies in the future, and shows the clock of no living daemon."""
    shared().step_clock(url, timedelta(0))
    config = Config.model_validate({"store": {"url": url}, "models": [{"id": "m1"}]})
    dead = open_ledger(config, SystemClock(), Role.DAEMON)

    def beat(tx: LedgerTransaction) -> None:
        tx.replicas.save(Replica(dead.owner, "1.0.0", tx.now(), tx.now(), tx.now(), active=True))

    await dead.transact(beat)
    await dead.close()
    shared().step_clock(url, -timedelta(days=1))

    def pause(tx: LedgerTransaction, settings: Settings) -> bool:
        until = operate.pause(tx, None, span=timedelta(hours=2), who="ann", note="")
        return operate.holds(tx, settings, until)

    assert await change_ledger(config, pause, make=False) == (True, False)


def step_clock(url: str, ahead: timedelta) -> None:
    """Have the server's clock be ahead of what it is, for one ledger."""
    schema = Postgres.schema_of(url)
    shared().execute(
        sql.SQL(
            "CREATE OR REPLACE FUNCTION {}.clock_timestamp() RETURNS timestamptz "
            "LANGUAGE sql AS $$ SELECT pg_catalog.clock_timestamp() + {}::interval $$"
        ).format(sql.Identifier(schema), sql.Literal(f"{ahead.total_seconds()} seconds"))
    )


async def test_a_process_that_opens_it_to_read_does_not_wait(url: str) -> None:
    writer = opened(url)

    def open_meanwhile(tx: LedgerTransaction) -> list[Target]:
        tx.targets.add(failing())
        return asyncio.run(use(opened(url, Role.READER), lambda own: list(own.targets.all())))

    assert await writer.transact(open_meanwhile) == []
    await writer.close()


async def test_a_reader_makes_nothing_and_waits_for_nobody(url: str) -> None:
    with pytest.raises(LedgerMissing):
        opened(url, Role.READER)
    writer = opened(url)
    await writer.transact(lambda tx: tx.targets.add(failing()))
    reader = opened(url, Role.READER)

    def read_meanwhile(tx: LedgerTransaction) -> Any:
        tx.meta.set("a", "b")
        return asyncio.run(reader.transact(lambda own: (own.targets.all(), own.meta.get("a"))))

    assert await writer.transact(read_meanwhile) == ([failing()], None)
    await reader.close()
    await writer.close()


async def test_a_ledger_belongs_to_one_api(url: str) -> None:
    await use(opened(url))
    with pytest.raises(LedgerSetupError, match=r"not of https://other\.example\.com"):
        opened(url, base_url="https://other.example.com")


@pytest.mark.parametrize("encoding", ["SQL_ASCII", "LATIN1"])
def test_a_database_that_does_not_hold_every_text_is_refused_in_one_line(encoding: str) -> None:
    with pytest.raises(LedgerSetupError, match=f"of encoding {encoding}, which") as refused:
        opened(shared().new_database(encoding))
    assert "CREATE DATABASE watchdog ENCODING 'UTF8' TEMPLATE template0" in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("env", "query"),
    [
        ({"PGCLIENTENCODING": "LATIN1", "PGDATESTYLE": "German"}, ""),
        ({}, "&client_encoding=latin1"),
        ({}, "&client_encoding=sql_ascii"),
        ({}, "%20-cdatestyle%3DSQL"),
    ],
)
async def test_texts_and_times_are_the_same_whatever_form_was_asked_for(
    url: str, env: dict[str, str], query: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    ledger = opened(url + query)
    assert abs(await use(ledger, lambda tx: tx.now()) - datetime.now(UTC)) < MINUTE
    ledger = opened(url + query)
    await ledger.transact(lambda tx: tx.meta.set("a", "Ümläuts and 日本"))
    assert await use(ledger, lambda tx: tx.meta.get("a")) == "Ümläuts and 日本"


def test_a_server_that_is_not_there_is_reported_in_one_line_without_the_password() -> None:
    url = "postgresql+psycopg://watchdog:hunter2@127.0.0.1:1/postgres"
    with pytest.raises(LedgerSetupError, match="check that the server is running") as refused:
        opened(url)
    assert "hunter2" not in str(refused.value)
    assert "\n" not in str(refused.value)


async def test_a_server_that_stops_is_an_outage_until_it_is_back(server: Postgres) -> None:
    ledger = opened(server.new_schema())
    assert await ledger.hold_active()
    server.stop()
    with pytest.raises(LedgerUnavailable, match="does not answer: ") as lost:
        await ledger.transact(lambda tx: tx.meta.set("a", "b"))
    assert "\n" not in str(lost.value)
    with pytest.raises(LedgerUnavailable):
        await ledger.hold_active()
    server.start()
    await eventually(lambda: ledger.transact(lambda tx: tx.meta.set("a", "b")))
    assert await ledger.hold_active()
    assert await use(ledger, lambda tx: tx.meta.get("a")) == "b"


async def test_a_server_that_leaves_calls_without_an_answer_is_an_outage(
    server: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = opened(server.new_schema())
    await ledger.transact(lambda tx: tx.meta.set("a", "b"))
    server.freeze()
    try:
        with monkeypatch.context() as patch:
            patch.setattr(Line, "call_seconds", 0.5)
            both = [ledger.transact(lambda tx: tx.meta.get("a")), ledger.hold_active()]
            found = await asyncio.gather(*both, return_exceptions=True)
        assert [type(each) for each in found] == [LedgerUnavailable] * 2
        why = "does not answer: the server was silent for 0.5 s, and the connection was closed"
        assert str(found[0]).endswith(why)
    finally:
        server.thaw()
    await eventually(lambda: ledger.transact(lambda tx: tx.meta.get("a")))
    assert await use(ledger, lambda tx: tx.meta.get("a")) == "b"


async def test_each_statement_has_its_own_time_to_be_answered(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that a server may be far away, and what waits in line fails only with what it waits for.
    Each takes less than a second here, and all of them more than five."""
    monkeypatch.setattr(Line, "call_seconds", 5.0)
    server = shared()
    line = Proxy(server.port)
    ledger = opened(url.replace(f":{server.port}/", f":{line.port}/"))

    def write(tx: LedgerTransaction) -> None:
        for key in "abcdefgh":
            tx.meta.set(key, "x")

    line.delay = 0.4
    began = time.monotonic()
    await asyncio.gather(ledger.transact(write), ledger.transact(lambda tx: tx.meta.get("a")))
    assert time.monotonic() - began > 2 * Line.call_seconds
    line.delay = 0
    await ledger.close()
    line.close()


async def test_what_another_process_keeps_locked_is_reported_as_locked(url: str) -> None:
    one, other = opened(url), opened(url, Role.COMMAND)

    def keep(tx: LedgerTransaction) -> str:
        with pytest.raises(LedgerUnavailable) as told:
            asyncio.run(other.transact(lambda tx: tx.meta.get("a")))
        return str(told.value)

    assert (await one.transact(keep)).endswith("another process has kept it locked for 4 s")
    for ledger in (one, other):
        await ledger.close()
