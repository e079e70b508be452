"""The emulator on a real socket, in a thread of the test's process: starting one costs nothing."""

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from datetime import datetime
from typing import Any, TypeVar

from tests.fakes.processes import KEY, PATIENCE_SECONDS, Model, put_faults
from watchdog.emulator import Emulator, Scenario, World
from watchdog.emulator.server import system_now
from watchdog.emulator.world import RequestRecord

T = TypeVar("T")
Fault = Mapping[str, Any]


def hold_port() -> tuple[socket.socket, int]:
    """A port of loopback that the system gives to nobody else while the socket is open. The program
    under test can listen on it all the same: the socket does not, and allows others to."""
    holder = socket.socket()
    holder.bind(("127.0.0.1", 0))
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    return holder, holder.getsockname()[1]


class Emulated:
    """A running emulator, asked and steered from any thread."""

    def __init__(self, models: Sequence[Model], **settings: Any) -> None:
        self._settings = settings
        self._faults: dict[str | None, list[Fault]] = {}
        self._holder, self._port = hold_port()
        self._server = _Server(_scenario(models, settings), self._port)
        self.url = self._server.began()

    def restart(self, models: Sequence[Model]) -> None:
        """Another emulator in the place of this one, with other models and an empty memory."""
        self.stop()
        self._server = _Server(_scenario(models, self._settings), self._port)
        self._server.began()

    def stop(self) -> None:
        self._server.stop()

    def close(self) -> None:
        self.stop()
        self._holder.close()

    def set_faults(self, *faults: Fault, of: str | None = None) -> None:
        """What goes wrong from now on with the requests about one model, or with all, in place of
        what did. The faults of other models stay."""
        self._faults[of] = [{**fault, "models": [of]} if of else fault for fault in faults]
        put_faults(self.url, [fault for faults in self._faults.values() for fault in faults])

    def set_status(self, model_id: str, status: str | None) -> None:
        """Put a deployment in a status until it is retried; None takes it away."""
        self._server.do(lambda world, now: world.set_status(model_id, status, now))

    def push(self, model_id: str) -> None:
        """Deploy anew under the same id, as a person does."""
        self._server.do(lambda world, now: world.push(model_id, now))

    def posts(self, model_id: str) -> list[RequestRecord]:
        """The retries that it was asked for."""
        return self._requests(model_id, "retry_development")

    def looks(self, model_id: str) -> int:
        return len(self._requests(model_id, "get_development"))

    def _requests(self, model_id: str, operation: str) -> list[RequestRecord]:
        def find(world: World, _: datetime) -> list[RequestRecord]:
            wanted = (model_id, operation)
            return [each for each in world.requests if (each.model_id, each.operation) == wanted]

        return self._server.do(find)


@contextmanager
def emulated(models: Sequence[Model], **settings: Any) -> Iterator[Emulated]:
    """An emulator with these models, and whatever else a scenario may have."""
    api = Emulated(models, **settings)
    try:
        yield api
    finally:
        api.close()


def _scenario(models: Sequence[Model], settings: Mapping[str, Any]) -> Scenario:
    return Scenario.model_validate({"models": models, **settings})


class _Server(threading.Thread):
    def __init__(self, scenario: Scenario, port: int) -> None:
        super().__init__(name="emulator", daemon=True)
        self._scenario, self._port = scenario, port
        self._up: Future[tuple[str, World, asyncio.AbstractEventLoop]] = Future()
        self._now = system_now()
        self._stopping = asyncio.Event()

    def run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:  # noqa: BLE001 - raised in the test's thread
            self._up.set_exception(error)

    async def _serve(self) -> None:
        async with Emulator(self._scenario, api_key=KEY, port=self._port, now=self._now) as server:
            self._up.set_result((server.url, server.world, asyncio.get_running_loop()))
            await self._stopping.wait()

    def began(self) -> str:
        """Start it; its URL."""
        self.start()
        return self._up.result(PATIENCE_SECONDS)[0]

    def do(self, work: Callable[[World, datetime], T]) -> T:
        """Do something with the emulated workspace, in the thread that it belongs to."""
        done: Future[T] = Future()
        _, world, loop = self._up.result(PATIENCE_SECONDS)

        def run() -> None:
            try:
                done.set_result(work(world, self._now()))
            except Exception as error:  # noqa: BLE001 - raised in the test's thread
                done.set_exception(error)

        loop.call_soon_threadsafe(run)
        return done.result(PATIENCE_SECONDS)

    def stop(self) -> None:
        if self.is_alive():
            self._up.result(PATIENCE_SECONDS)[2].call_soon_threadsafe(self._stopping.set)
        self.join(PATIENCE_SECONDS)
        assert not self.is_alive()
