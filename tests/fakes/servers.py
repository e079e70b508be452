"""Two PostgreSQL servers, one of which follows the other, and a name that leads to either."""

import time

import psycopg

from tests.fakes.postgres import Postgres
from tests.fakes.proxy import Proxy

_PATIENCE_SECONDS = 60
_POLL_SECONDS = 0.05


class Servers:
    """`primary` can be written, `other` follows it, and `name` leads to the primary until somebody
    says otherwise."""

    def __init__(self, port: int | None = None, *, delay: float = 0.0) -> None:
        self.primary = Postgres(port)
        self.other = Postgres(copy_of=self.primary)
        self.name = Proxy(self.primary.port, delay)

    def url(self, query: str = "", *, schema: str | None = None) -> str:
        """By the name."""
        port = self.primary.port
        return self.primary.url(schema).replace(f":{port}/", f":{self.name.port}/") + query

    def switch(self) -> None:
        """What the other has is complete, and it can be written from now on. The primary has ended
        in order and follows it. The name leads to where it led."""
        self._wait_until_followed()
        self.primary.end()
        self.other.promote()
        self.primary.follow(self.other)
        self.primary, self.other = self.other, self.primary

    def lead_to_the_primary(self) -> None:
        """New connections, that is: those that there are stay where they are."""
        self.name.lead_to(self.primary.port)

    def remove(self) -> None:
        self.name.close()
        for each in (self.primary, self.other):
            each.remove()

    def _wait_until_followed(self) -> None:
        """After a crash it takes seconds until the other asks again, and what it lacks then would
        be lost."""
        deadline = time.monotonic() + _PATIENCE_SECONDS
        query = "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'"
        with psycopg.connect(f"{self.primary.address} dbname=postgres", autocommit=True) as asking:
            while asking.execute(query).fetchone() == (0,):
                assert time.monotonic() < deadline, "nobody follows"
                time.sleep(_POLL_SECONDS)
