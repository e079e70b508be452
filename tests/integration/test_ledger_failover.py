"""A ledger whose server fails over: its name first leads to the old server, then to the old server
after it was demoted, and at last to the new one."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from psycopg import sql

from tests.fakes.servers import Servers
from tests.integration.test_ledger_postgres import becomes_active, opened
from tests.integration.test_ledger_sqlite import use
from watchdog.engine.ports import LedgerTransaction, LedgerUnavailable
from watchdog.ledger import LedgerSetupError, SqlLedger

_PATIENCE_SECONDS = 60


@pytest.fixture
def servers() -> Iterator[Servers]:
    made = Servers()
    yield made
    made.remove()


@asynccontextmanager
async def closing(*ledgers: SqlLedger) -> AsyncIterator[None]:
    try:
        yield
    finally:
        for ledger in ledgers:
            await ledger.close()


def write(value: str) -> Callable[[LedgerTransaction], None]:
    return lambda tx: tx.meta.set("a", value)


def read(tx: LedgerTransaction) -> str | None:
    return tx.meta.get("a")


async def refused(asked: Awaitable[Any]) -> str:
    with pytest.raises(LedgerUnavailable) as told:
        await asked
    assert "\n" not in str(told.value)
    return str(told.value)


async def soon_refused(ask: Callable[[], Awaitable[Any]]) -> str:
    """A server takes a moment until every session goes by its new settings."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < deadline:
        try:
            await ask()
        except LedgerUnavailable as error:
            return str(error)
    raise AssertionError("it goes on")


async def test_after_a_fail_over_every_connection_finds_the_new_server(servers: Servers) -> None:
    one, other = opened(servers.url()), opened(servers.url())
    reader = one.reader()
    async with closing(reader, one, other):
        term = await one.hold_active()
        await one.transact(write("before"))
        assert await reader.transact(read) == "before"

        servers.switch()
        for asked in (one.transact(write("x")), one.hold_active(), reader.transact(read)):
            await refused(asked)
        for asked in (
            one.transact(write("x")),
            one.transact(read),
            one.hold_active(),
            other.hold_active(),
            reader.transact(read),
        ):
            assert "read-only" in await refused(asked)

        servers.lead_to_the_primary()
        assert await becomes_active(other)
        assert await one.hold_active() == 0
        await one.transact(write("after"))
        assert await reader.transact(read) == "after"
        await other.release_active()
        assert await becomes_active(one) > term


@pytest.mark.parametrize("query", ["", "?target_session_attrs=any"], ids=["usual", "any"])
async def test_a_server_that_is_made_read_only_under_its_connections_is_left(
    servers: Servers, query: str
) -> None:
    """As operators do before a fail-over: nothing ends the connections."""
    ledger = opened(servers.url(query))
    reader = ledger.reader()
    async with closing(reader, ledger):
        term = await ledger.hold_active()
        await ledger.transact(write("before"))
        assert await reader.transact(read) == "before"

        servers.primary.execute(sql.SQL("ALTER SYSTEM SET default_transaction_read_only = on"))
        servers.primary.execute(sql.SQL("SELECT pg_reload_conf()"))
        for ask in (
            lambda: ledger.transact(write("x")),
            lambda: ledger.transact(read),
            ledger.hold_active,
            lambda: reader.transact(read),
        ):
            assert "read" in await soon_refused(ask)

        servers.other.promote()
        servers.name.lead_to(servers.other.port)
        assert await becomes_active(ledger) > term
        await ledger.transact(write("after"))
        assert await reader.transact(read) == "after"


async def test_a_server_that_can_only_be_read_is_no_ledger(servers: Servers) -> None:
    await use(opened(servers.url()))
    with pytest.raises(LedgerSetupError, match="read-only"):
        opened(servers.other.url())
    with pytest.raises(LedgerSetupError, match="can only be read"):
        opened(servers.other.url() + "?target_session_attrs=any")


async def test_of_several_hosts_the_one_that_can_be_written_is_taken(servers: Servers) -> None:
    hosts = "&".join(f"host=127.0.0.1:{each.port}" for each in (servers.other, servers.primary))
    ledger = opened(f"postgresql+psycopg://watchdog@/postgres?{hosts}")
    async with closing(ledger):
        assert await ledger.hold_active()
        await ledger.transact(write("before"))
        assert await ledger.transact(read) == "before"
