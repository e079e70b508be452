"""The emulator as a server, in the running event loop."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Self

from starlette.types import ASGIApp

from watchdog.emulator.api import Now, build_app
from watchdog.emulator.faults import Faults
from watchdog.emulator.scenario import Scenario
from watchdog.emulator.wire import FindableProtocol, Wire
from watchdog.emulator.workspace import Workspace
from watchdog.serving import Server, listen

LOOPBACK = "127.0.0.1"
"""The default address: any client that can reach the emulator can control it."""

_KEEP_ALIVE_SECONDS = 75
"""How long an idle connection is kept open: longer than a watchdog's interval, as by a load
balancer. With a shorter time, a client would often send a check on a connection that is just being
closed."""


def system_now() -> Now:
    """The wall clock as it is now, then advanced by the monotonic clock: it never steps."""
    started_at, started = datetime.now(UTC), time.monotonic()
    return lambda: started_at + timedelta(seconds=time.monotonic() - started)


class Emulator:
    """An async context manager that serves a scenario; `url` is valid inside it.

    Port 0 takes any free one. The scenario starts when this is made. `wrap` puts something between
    the clients and the API. Entering raises OSError when the port is not free. It sets no signal
    handlers.
    """

    def __init__(
        self,
        scenario: Scenario,
        *,
        api_key: str,
        host: str = LOOPBACK,
        port: int = 0,
        time_scale: float = 1.0,
        now: Now | None = None,
        wrap: Callable[[ASGIApp], ASGIApp] = lambda app: app,
    ) -> None:
        now = now or system_now()
        self.workspace = Workspace(scenario, started_at=now(), time_scale=time_scale)
        self._host = host
        self._port = port
        self._wire = Wire()
        app = build_app(
            self.workspace,
            api_key=api_key,
            now=now,
            limits=scenario.limits,
            faults=Faults(scenario.faults),
            wire=self._wire,
        )
        self._app = wrap(app)

    @property
    def url(self) -> str:
        return f"http://{self._host}:{self._port}"

    async def __aenter__(self) -> Self:
        listener = listen(self._host, self._port)
        self._port = listener.getsockname()[1]
        self._server = Server(
            self._app,
            listener,
            http=FindableProtocol,
            log_level="error",
            date_header=False,
            timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        )
        await self._server.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._wire.hang_up()
        await self._server.stop()
