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
from watchdog.emulator import Emulator, Scenario, Workspace
from watchdog.emulator.server import system_now
from watchdog.emulator.values import RequestRecord

T = TypeVar("T")
Fault = Mapping[str, Any]


def hold_port() -> tuple[socket.socket, int]:
    """A port of loopback that the system gives to no other process while the socket is open. The
    program under test can still listen on it: the socket does not listen and allows others to."""
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
        self._now = system_now()
        self.url = f"http://127.0.0.1:{self._port}"
        self.start(models)

    def start(self, models: Sequence[Model]) -> None:
        """Listen, with these models and an empty memory."""
        scenario = Scenario.model_validate({"models": models, **self._settings})
        self._up: Future[tuple[Workspace, asyncio.AbstractEventLoop]] = Future()
        self._stopping = asyncio.Event()
        self._thread = threading.Thread(target=asyncio.run, args=[self._serve(scenario)])
        self._thread.start()
        self._up.result(PATIENCE_SECONDS)

    async def _serve(self, scenario: Scenario) -> None:
        try:
            async with Emulator(scenario, api_key=KEY, port=self._port, now=self._now) as server:
                self._up.set_result((server.workspace, asyncio.get_running_loop()))
                await self._stopping.wait()
        except OSError as error:
            self._up.set_exception(error)

    def _do(self, work: Callable[[Workspace, datetime], T]) -> T:
        """Do something with the emulated workspace, in the thread that it belongs to."""
        workspace, loop = self._up.result()

        async def done() -> T:
            return work(workspace, self._now())

        return asyncio.run_coroutine_threadsafe(done(), loop).result(PATIENCE_SECONDS)

    def stop(self) -> None:
        """Listen no more, until `start`."""
        if self._thread.is_alive():
            self._up.result()[1].call_soon_threadsafe(self._stopping.set)
        self._thread.join(PATIENCE_SECONDS)
        assert not self._thread.is_alive()

    def close(self) -> None:
        self.stop()
        self._holder.close()

    def set_faults(self, *faults: Fault, of: str | None = None) -> None:
        """Set the faults of the requests about one model, or about all, replacing the earlier ones.
        The faults of other models stay."""
        self._faults[of] = [{**fault, "models": [of]} if of else fault for fault in faults]
        put_faults(self.url, [fault for faults in self._faults.values() for fault in faults])

    def set_status(self, model_id: str, status: str | None) -> None:
        """Put a deployment in a status until it is retried; None takes it away."""
        self._do(lambda workspace, now: workspace.set_status(model_id, status, now))

    def push(self, model_id: str) -> None:
        """Deploy anew under the same id, as a person does."""
        self._do(lambda workspace, now: workspace.push(model_id, now))

    def posts(self, model_id: str) -> list[RequestRecord]:
        """The retries that it was asked for."""
        return self._requests(model_id, "retry")

    def looks(self, model_id: str) -> int:
        return len(self._requests(model_id, "get_deployment"))

    def _requests(self, model_id: str, operation: str) -> list[RequestRecord]:
        def find(workspace: Workspace, _: datetime) -> list[RequestRecord]:
            wanted = (model_id, operation)
            return [
                each for each in workspace.requests if (each.model_id, each.operation) == wanted
            ]

        return self._do(find)


@contextmanager
def emulated(models: Sequence[Model], **settings: Any) -> Iterator[Emulated]:
    """An emulator with these models, and whatever else a scenario may have."""
    api = Emulated(models, **settings)
    try:
        yield api
    finally:
        api.close()
