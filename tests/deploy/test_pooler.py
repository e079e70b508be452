"""A ledger behind a real pooler: in session mode it works, in transaction mode it is refused."""

import asyncio
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from tests.fakes.postgres import shared
from tests.fakes.processes import free_port
from watchdog.clock import SystemClock
from watchdog.ledger import LedgerSetupError, Role, SqlLedger

_START_SECONDS = 60


@contextmanager
def pooler(mode: str, folder: Path) -> Iterator[str]:
    """A pgbouncer in front of the tests' server; the URL of its database."""
    port, behind = free_port(), shared().new_database()
    server, _, database = behind.rpartition("@")[2].rpartition("/")
    users, settings = folder / "users", folder / "pgbouncer.ini"
    users.write_text('"watchdog" ""\n')
    settings.write_text(
        f"""[databases]
ledger = host=127.0.0.1 port={server.partition(":")[2]} dbname={database} user=watchdog
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
auth_file = {users}
pool_mode = {mode}
"""
    )
    for path in (folder, *folder.parents[:2]):
        path.chmod(0o755)
    command = ["/usr/sbin/pgbouncer", "--quiet", "--user", "nobody", str(settings)]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        try:
            _wait_for(port)
            yield f"postgresql+psycopg://watchdog@127.0.0.1:{port}/ledger"
        finally:
            process.kill()


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            assert time.monotonic() < deadline, "the pooler does not listen"
            time.sleep(0.05)
        else:
            return


def opened(url: str, role: Role = Role.DAEMON) -> SqlLedger:
    return SqlLedger.open(url, clock=SystemClock(), base_url="https://api.example.com", role=role)


def test_a_pooler_that_breaks_session_locks_is_refused_and_left_as_it_was(tmp_path: Path) -> None:
    with pooler("transaction", tmp_path) as url:
        for role in Role:
            with pytest.raises(LedgerSetupError, match=r"a pooler in transaction mode.*session"):
                opened(url, role)
        with psycopg.connect(url.replace("+psycopg", "")) as another:
            settings = another.execute("SELECT current_setting('statement_timeout')").fetchone()
            locks = another.execute(
                "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"
            ).fetchone()
    assert (settings, locks) == (("0",), (0,))


def test_a_pooler_in_session_mode_works(tmp_path: Path) -> None:
    async def use(ledger: SqlLedger) -> bool:
        active = await ledger.hold_active()
        await ledger.transact(lambda tx: tx.meta.set("a", "b"))
        await ledger.close()
        return bool(active)

    with pooler("session", tmp_path) as url:
        assert asyncio.run(use(opened(url)))
