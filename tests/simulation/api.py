"""The real client of the API, on a wire of ours."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import httpx

from watchdog.baseten_api.client import HttpBasetenApi
from watchdog.baseten_api.connections import Client, Connections
from watchdog.baseten_api.gate import Gate
from watchdog.baseten_api.key import KeySource
from watchdog.engine.ports import Clock, Listener


class SimulatedConnections(Connections):
    """Without sockets there is nothing to close, and setting TLS up takes longer than a run."""

    def __init__(self, size: int, wire: httpx.AsyncBaseTransport, timeout: float) -> None:
        self._size = size
        self._wire = wire
        self._seconds = timeout
        self._places = asyncio.Semaphore(size)
        self._idle = [self._make(keep=1)]

    @asynccontextmanager
    async def reused(self) -> AsyncIterator[Client]:
        client = self._idle.pop() if self._idle else self._make(keep=1)
        yield client
        self._idle.append(client)

    @asynccontextmanager
    async def fresh(self) -> AsyncIterator[Client]:
        yield self._make(keep=0)

    def _make(self, *, keep: int) -> Client:
        return Client(
            base_url="http://baseten.invalid",
            transport=self._wire,
            timeout=self._seconds,
            trust_env=False,
        )


class SimulatedApi(HttpBasetenApi):
    """Everything but the sockets is the real client's: codes, bodies, time-outs, gate, holds."""

    def __init__(
        self,
        wire: httpx.AsyncBaseTransport,
        *,
        timeout: float,
        max_rate: float,
        concurrency: int,
        clock: Clock,
        listener: Listener,
    ) -> None:
        self._key = KeySource(value="key")
        self._timeout = timedelta(seconds=timeout)
        self._clock = clock
        self._listener = listener
        self._gate = Gate(max_rate, clock, listener)
        self._connections = SimulatedConnections(concurrency, wire, timeout)
