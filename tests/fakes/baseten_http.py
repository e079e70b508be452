"""The real adapter, connected to a scripted server."""

from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from tests.fakes.http_server import Reply, Request, ScriptedServer
from tests.fakes.processes import PATIENCE_SECONDS
from watchdog.baseten_api import HttpBasetenApi, KeySource
from watchdog.engine.events import ApiRequested, Event

E = TypeVar("E", bound=Event)

KEY = "abcd1234.the-secret-part"
MODEL = "/v1/models/m1/deployments/development"
DEPLOYMENT = {
    "id": "d1",
    "created_at": "2026-02-01T00:00:00Z",
    "model_id": "m1",
    "is_development": True,
    "status": "BUILD_FAILED",
}
RETRIED = {"retried": True, "reason": None, "deployment": DEPLOYMENT}


class ManualClock:
    """A clock that stands still until a test moves it. Waits take real time."""

    def __init__(self) -> None:
        self._now = datetime(2026, 3, 1, tzinfo=UTC)
        self._seconds = 0.0

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return self._seconds

    def advance(self, **span: float) -> None:
        self.step(**span)
        self._seconds += timedelta(**span).total_seconds()

    def step(self, **span: float) -> None:
        """Step the wall clock, while no time passes."""
        self._now += timedelta(**span)


class Baseten:
    """Replies to requests. For each method and path a test sets what to reply, once or from now
    on."""

    def __init__(self) -> None:
        self._always: dict[str, Reply | bytes | None] = {
            f"GET {MODEL}": Reply(body=DEPLOYMENT),
            f"POST {MODEL}/retry": Reply(body=RETRIED),
            "GET /v1/models": Reply(body={"models": []}),
        }
        self._next: defaultdict[str, list[Reply | bytes | None]] = defaultdict(list)
        self.before_reply: Callable[[Request], Awaitable[object]] | None = None

    def always(self, request: str, reply: Reply | bytes | None) -> None:
        self._always[request] = reply

    def once(self, request: str, *replies: Reply | bytes | None) -> None:
        self._next[request].extend(replies)

    async def __call__(self, request: Request) -> Reply | bytes | None:
        if self.before_reply is not None:
            await self.before_reply(request)
        name = f"{request.method} {request.target}"
        if self._next[name]:
            return self._next[name].pop(0)
        return self._always.get(name, Reply(404, {"code": "NOT_FOUND", "message": "no model"}))


@dataclass
class Setup:
    api: HttpBasetenApi
    server: ScriptedServer
    baseten: Baseten
    clock: ManualClock
    events: list[Event]

    def told(self, kind: type[E]) -> list[E]:
        return [event for event in self.events if isinstance(event, kind)]

    def codes(self) -> list[tuple[str, str]]:
        """Operation and code of each request that was reported."""
        return [(event.operation, event.code) for event in self.told(ApiRequested)]

    def asked(self) -> list[str]:
        """Method and path of each request that arrived."""
        return [f"{request.method} {request.target}" for request in self.server.requests]


def make_api(
    url: str,
    *,
    key: KeySource | None = None,
    timeout: timedelta = timedelta(seconds=PATIENCE_SECONDS),
    concurrency: int = 20,
    rate: float = 1e6,
    clock: ManualClock | None = None,
    listener: Callable[[Event], None] = lambda event: None,
) -> HttpBasetenApi:
    return HttpBasetenApi(
        url,
        key or KeySource(value=KEY),
        timeout=timeout,
        max_requests_per_second=rate,
        concurrency=concurrency,
        user_agent="baseten-watchdog/1.2.3",
        clock=clock or ManualClock(),
        listener=listener,
    )


@asynccontextmanager
async def running(
    *,
    key: KeySource | None = None,
    time_limit: timedelta = timedelta(seconds=PATIENCE_SECONDS),
    concurrency: int = 20,
    rate: float = 1e6,
) -> AsyncIterator[Setup]:
    """An adapter and its server, which are both closed at the end."""
    baseten, clock, events = Baseten(), ManualClock(), list[Event]()
    async with ScriptedServer(baseten) as server:
        api = make_api(
            server.url,
            key=key,
            timeout=time_limit,
            concurrency=concurrency,
            rate=rate,
            clock=clock,
            listener=events.append,
        )
        try:
            yield Setup(api, server, baseten, clock, events)
        finally:
            await api.close()
