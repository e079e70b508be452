"""Uvicorn in the daemon's own loop."""

import socket

import uvicorn
from starlette.applications import Starlette

_GRACE_SECONDS = 1
"""A scrape takes milliseconds; whatever hangs longer is not worth a slow stop."""


class PortTaken(Exception):
    """The address cannot be had. One line: what is wrong and what to do."""


class WebServer:
    """Serves from `start` to `stop`. The address is taken when it is made, before the daemon does
    anything: raises PortTaken."""

    def __init__(self, app: Starlette, *, host: str, port: int) -> None:
        self._socket = _listen(host, port)
        self._host = host
        config = uvicorn.Config(
            app,
            http="h11",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=_GRACE_SECONDS,
        )
        config.load()
        self._server = uvicorn.Server(config)
        self._server.lifespan = config.lifespan_class(config)

    @property
    def url(self) -> str:
        """Without a slash at its end; the port is the one that it really has."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self._socket.getsockname()[1]}"

    async def start(self) -> None:
        # Not `serve()`: it would take over the daemon's signal handlers.
        await self._server.startup(sockets=[self._socket])

    async def stop(self) -> None:
        """Let go of the address, whether or not `start` came to its end."""
        if not self._server.started:
            self._socket.close()
            return
        await self._server.shutdown(sockets=[self._socket])


def _listen(host: str, port: int) -> socket.socket:
    """Bound and listening: two sockets that are only bound could share a port until then."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
    except (OSError, UnicodeError) as error:
        cause = error.strerror if isinstance(error, OSError) else "not a host name"
        raise PortTaken(f"cannot listen on {host}: {cause}: fix server.host") from None
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen()
    except OSError as error:
        listener.close()
        raise PortTaken(
            f"cannot listen on {host}:{port}: {error.strerror}: set another server.port"
        ) from None
    return listener
