"""The real client of the API, on a simulated network."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial

from tests.simulation.network import Wire
from watchdog.baseten_api.client import HttpBasetenApi
from watchdog.baseten_api.connections import Connections
from watchdog.baseten_api.gate import Gate
from watchdog.baseten_api.key import KeySource
from watchdog.baseten_api.sending import Sender
from watchdog.engine.ports import Clock, Listener


class SimulatedConnections(Connections):
    """A transport without sockets, which has nothing to open and nothing to close. No connection
    was used before, so that no request is sent again on a new one."""

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
    """Everything but the sockets is that of the real client: codes, bodies, time-outs, gate,
    holds."""

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
        self._clock = clock
        self._gate = Gate(max_rate, clock, listener)
        self._sender = Sender(
            SimulatedConnections(concurrency, wire),
            self._key,
            timeout=timedelta(seconds=timeout),
            enter=partial(self._enter, urgent=True),
            clock=clock,
            listener=listener,
        )
