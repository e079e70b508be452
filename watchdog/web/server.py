"""The daemon's web server."""

import socket

from starlette.applications import Starlette

from watchdog.serving import Server, listen, to_change
from watchdog.web.connections import Connections


class PortTaken(Exception):
    """The address cannot be used. One line: what is wrong and what to do."""


class WebServer:
    """Serves from `start` to `stop`. The constructor takes the address and raises PortTaken, so
    that a daemon whose port is taken checks nothing."""

    def __init__(
        self, app: Starlette, *, host: str, port: int, connections: Connections | None = None
    ) -> None:
        connections = connections or Connections()
        self._socket = connections.listening(_listen(host, port))
        is_fallback = host == "::" and self._socket.family == socket.AF_INET
        self.host = "0.0.0.0" if is_fallback else host  # noqa: S104 - what `listen` falls back to
        self._server = Server(app, self._socket, http=connections.protocol)

    @property
    def url(self) -> str:
        """The URL without a slash at its end, with the port that is really used."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    @property
    def port(self) -> int:
        """The port that is really used."""
        port: int = self._socket.getsockname()[1]
        return port

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
            f"cannot listen on {host}:{port}: {error.strerror}: set another {to_change(error)}"
        ) from None
