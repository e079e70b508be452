"""Two PostgreSQL servers, of which one follows the other, and an address that leads to either."""

import time

import psycopg

from tests.fakes.postgres import Postgres
from tests.fakes.proxy import Proxy

_PATIENCE_SECONDS = 60
_POLL_SECONDS = 0.05


class Servers:
    """`primary` is writable, `other` follows it, and `name` leads to the first primary until
    `lead_to_the_primary` is called."""

    def __init__(self, port: int | None = None, *, delay: float = 0.0) -> None:
        self.primary = Postgres(port)
        self.other = Postgres(copy_of=self.primary)
        self.name = Proxy(self.primary.port, delay)

    def url(self, query: str = "", *, schema: str | None = None) -> str:
        """The URL with the address of `name`."""
        port = self.primary.port
        return self.primary.url(schema).replace(f":{port}/", f":{self.name.port}/") + query

    def switch(self) -> None:
        """Make the other server the primary, after it has received everything. The old primary is
        stopped in an orderly way and follows the new one. The address still leads to the old
        primary."""
        self._wait_until_followed()
        self.primary.end()
        self.other.promote()
        self.primary.follow(self.other)
        self.primary, self.other = self.other, self.primary

    def lead_to_the_primary(self) -> None:
        """Lead new connections to the present primary. Existing connections stay where they are."""
        self.name.lead_to(self.primary.port)

    def remove(self) -> None:
        self.name.close()
        for each in (self.primary, self.other):
            each.remove()

    def _wait_until_followed(self) -> None:
        """After a crash it takes seconds until the other server connects again, and what it has not
        received by then would be lost."""
        deadline = time.monotonic() + _PATIENCE_SECONDS
        query = "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'"
        with psycopg.connect(f"{self.primary.address} dbname=postgres", autocommit=True) as asking:
            while asking.execute(query).fetchone() == (0,):
                assert time.monotonic() < deadline, "nobody follows"
                time.sleep(_POLL_SECONDS)
