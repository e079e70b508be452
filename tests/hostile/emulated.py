"""The emulator on a real socket, in a thread of the test's process: starting one costs nothing."""

import asyncio
import json
import threading
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from tests.fakes.processes import KEY, PATIENCE_SECONDS, Model, requests
from watchdog.emulator import Emulator, Scenario, World
from watchdog.emulator.server import system_now


class Emulated:
    """A running emulator, asked and steered from another thread."""

    def __init__(self, models: Sequence[Model], **settings: Any) -> None:
        self._settings = settings
        self._server = _Server(_scenario(models, settings), 0)
        self.url = self._server.began()

    def restart(self, models: Sequence[Model]) -> None:
        """Another emulator in the place of this one, with other models and an empty memory."""
        self.stop()
        self._server = _Server(_scenario(models, self._settings), int(self.url.rpartition(":")[2]))
        self._server.began()

    def stop(self) -> None:
        self._server.stop()

    def set_status(self, model_id: str, status: str | None) -> None:
        """Put a deployment in a status until it is retried; None takes it away."""
        self.send("POST", f"/_emulator/models/{model_id}/status", {"status": status})

    def push(self, model_id: str) -> None:
        """Deploy anew under the same id, as a person does."""
        self._server.push(model_id)

    def send(self, method: str, path: str, body: Any) -> Any:
        request = urllib.request.Request(
            f"{self.url}{path}",
            method=method,
            data=json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=PATIENCE_SECONDS) as answer:
            return json.load(answer)

    def requests(self, model_id: str, operation: str) -> list[dict[str, Any]]:
        return [
            request
            for request in requests(self.url)
            if (request["model_id"], request["operation"]) == (model_id, operation)
        ]

    def posts(self, model_id: str) -> list[dict[str, Any]]:
        """The retries that it was asked for."""
        return self.requests(model_id, "retry_development")

    def looks(self, model_id: str) -> int:
        return len(self.requests(model_id, "get_development"))


@contextmanager
def emulated(models: Sequence[Model], **settings: Any) -> Iterator[Emulated]:
    """An emulator with these models, and whatever else a scenario may have."""
    api = Emulated(models, **settings)
    try:
        yield api
    finally:
        api.stop()


def _scenario(models: Sequence[Model], settings: Mapping[str, Any]) -> Scenario:
    return Scenario.model_validate({"models": models, **settings})


class _Server(threading.Thread):
    def __init__(self, scenario: Scenario, port: int) -> None:
        super().__init__(name="emulator", daemon=True)
        self._scenario, self._port = scenario, port
        self._up = threading.Event()
        self._url = ""
        self._error: BaseException | None = None
        self._now = system_now()
        self._world: World | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping = asyncio.Event()

    def run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:  # noqa: BLE001 - told to the test by `ready`
            self._error = error
        finally:
            self._up.set()

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        async with Emulator(self._scenario, api_key=KEY, port=self._port, now=self._now) as server:
            self._url, self._world = server.url, server.world
            self._up.set()
            await self._stopping.wait()

    def began(self) -> str:
        """Start it; its URL."""
        self.start()
        assert self._up.wait(PATIENCE_SECONDS)
        assert self._error is None, self._error
        return self._url

    def push(self, model_id: str) -> None:
        assert self._loop is not None
        assert self._world is not None
        self._loop.call_soon_threadsafe(self._world.push, model_id, self._now())

    def stop(self) -> None:
        if self._loop is not None and self.is_alive():
            self._loop.call_soon_threadsafe(self._stopping.set)
        self.join(PATIENCE_SECONDS)
        assert not self.is_alive()
