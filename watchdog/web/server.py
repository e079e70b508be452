"""The daemon's web server."""

import socket

from starlette.applications import Starlette

from watchdog.serving import Server, listen


class PortTaken(Exception):
    """The address cannot be used. One line: what is wrong and what to do."""


class WebServer:
    """Serves from `start` to `stop`. The address is taken when it is made, before the daemon does
    anything: raises PortTaken."""

    def __init__(self, app: Starlette, *, host: str, port: int) -> None:
        self._socket = _listen(host, port)
        self._host = host
        self._server = Server(app, self._socket, http="h11")

    @property
    def url(self) -> str:
        """Without a slash at its end; the port is the one that it really has."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self._socket.getsockname()[1]}"

    async def start(self) -> None:
        await self._server.start()

    async def stop(self) -> None:
        await self._server.stop()


def _listen(host: str, port: int) -> socket.socket:
    try:
        return listen(host, port)
    except socket.gaierror as error:
        raise PortTaken(f"cannot listen on {host}: {error.strerror}: fix server.host") from None
    except OSError as error:
        raise PortTaken(
            f"cannot listen on {host}:{port}: {error.strerror}: set another server.port"
        ) from None
