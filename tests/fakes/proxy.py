"""An address that leads to one server or another, some milliseconds away: a TCP proxy on
loopback."""

import asyncio
import threading
import time
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, TypeVar

T = TypeVar("T")

_CHUNK = 65536


class Proxy:
    """The proxy runs in a separate thread, and delays data by `delay` seconds in each direction."""

    def __init__(self, target_port: int, delay: float = 0.0) -> None:
        self.delay = delay
        self._target_port = target_port
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server = self._run(asyncio.start_server(self._serve, "127.0.0.1", 0))
        self.port: int = self._server.sockets[0].getsockname()[1]

    def lead_to(self, target_port: int, *, cut: bool = False) -> None:
        """Set where new connections go from now on. With `cut` the present ones are closed."""
        self._target_port = target_port
        if cut:
            self._run(self._cut())

    def close(self) -> None:
        self._run(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    async def _cut(self) -> None:
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _close(self) -> None:
        self._server.close()
        await self._cut()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        there = None
        try:
            back, there = await asyncio.open_connection("127.0.0.1", self._target_port)
            async with asyncio.TaskGroup() as both:
                both.create_task(self._pass_on(reader, there))
                both.create_task(self._pass_on(back, writer))
        except (OSError, ExceptionGroup, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)
            for each in (writer, there):
                if each is not None:
                    with suppress(OSError):
                        each.transport.abort()

    async def _pass_on(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        """Data that follows other data is not delayed further: this is a delay, and not a limit of
        the bandwidth."""
        under_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

        async def deliver() -> None:
            while True:
                due, data = await under_way.get()
                await asyncio.sleep(max(0.0, due - time.monotonic()))
                if not data:
                    raise ConnectionResetError
                sink.write(data)
                await sink.drain()

        async def take() -> None:
            while True:
                data = await source.read(_CHUNK)
                under_way.put_nowait((time.monotonic() + self.delay, data))
                if not data:
                    return

        async with asyncio.TaskGroup() as both:
            both.create_task(deliver())
            both.create_task(take())
