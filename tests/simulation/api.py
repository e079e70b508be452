"""The real client of the API, on a wire of ours."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from tests.simulation.network import Wire
from watchdog.baseten_api.client import HttpBasetenApi
from watchdog.baseten_api.connections import Connections
from watchdog.baseten_api.gate import Gate
from watchdog.baseten_api.key import KeySource
from watchdog.engine.ports import Clock, Listener


class SimulatedConnections(Connections):
    """Without sockets there is nothing to open and nothing to close."""

    def __init__(self, size: int, wire: Wire) -> None:
        self._wire = wire
        self._places = asyncio.Semaphore(size)

    @asynccontextmanager
    async def reused(self) -> AsyncIterator[Wire]:  # type: ignore[override]
        yield self._wire

    @asynccontextmanager
    async def fresh(self) -> AsyncIterator[Wire]:  # type: ignore[override]
        yield self._wire


class SimulatedApi(HttpBasetenApi):
    """Everything but the sockets is the real client's: codes, bodies, time-outs, gate, holds."""

    def __init__(
        self,
        wire: Wire,
        *,
        timeout: float,
        max_rate: float,
        concurrency: int,
        clock: Clock,
        listener: Listener,
    ) -> None:
        self._base_url = "https://simulated"
        self._key = KeySource(value="key")
        self._timeout = timedelta(seconds=timeout)
        self._clock = clock
        self._listener = listener
        self._gate = Gate(max_rate, clock, listener)
        self._connections = SimulatedConnections(concurrency, wire)
