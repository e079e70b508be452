"""The daemon's page over a real socket, with a ledger in memory."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import httpx

from tests.fakes.fleet import Seeded, a_fleet, settings_of
from tests.fakes.http_client import client_of
from tests.fakes.ledger import InMemoryLedger
from tests.fakes.records import NOW
from watchdog.app.viewing import Viewing
from watchdog.engine.events import ApiRequested, BecameActive
from watchdog.engine.fleet.condition import Condition
from watchdog.engine.settings import LiveSettings
from watchdog.web import About, WebServer, build_app, view_routes


class StoppedClock:
    """A clock that only a test moves."""

    def __init__(self) -> None:
        self.at = NOW
        self.seconds = 0.0

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return self.seconds


class Site:
    """A page; a test must `start` and `stop` it. `cpu` is the time that reading the ledger seems to
    take."""

    def __init__(
        self,
        fleet: Seeded | None = None,
        *,
        cpu: Callable[[], float] = lambda: 0.0,
        **settings: Any,
    ) -> None:
        self.fleet = fleet or a_fleet()
        self.clock = StoppedClock()
        self.ledger = InMemoryLedger(self.clock)
        self.live = LiveSettings(settings_of(self.fleet, **settings))
        self.condition = Condition()
        self.condition(BecameActive())
        self.condition(ApiRequested(operation="x", code="200", duration_seconds=0.1))
        self.view = Viewing(
            self.ledger,
            self.live,
            self.clock,
            about=About(version="0.1.0", ledger="SQLite"),
            condition=self.condition,
            cpu=cpu,
        )
        app = build_app(
            metrics={"text/plain": lambda: iter(())},
            alive=lambda: None,
            ready=lambda: (),
            more=view_routes(self.view),
        )
        self.server = WebServer(app, host="127.0.0.1", port=0)

    async def start(self) -> None:
        await self.ledger.transact(self.fleet.write)
        await self.server.start()

    async def stop(self) -> None:
        await self.server.stop()

    async def get(self, path: str, method: str = "GET") -> httpx.Response:
        async with client_of(self.server.url) as client:
            return await client.request(method, path)

    def later(self) -> None:
        """Move the clock so far that nothing cached is used."""
        self.clock.seconds += 60
