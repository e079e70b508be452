"""An HTTP server in the caller's own event loop: what the page and the emulator share."""

import errno
import socket
from typing import Any

import uvicorn
from starlette.types import ASGIApp

_GRACE_SECONDS = 1
"""A request takes milliseconds; the stop does not wait longer for one that hangs."""


_NO_SUCH_ADDRESS = frozenset({errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL})


class Server:
    """Uvicorn on a socket that is listening already. It sets no signal handlers."""

    def __init__(self, app: ASGIApp, listener: socket.socket, **options: Any) -> None:
        """`options` are uvicorn's own."""
        self._listener = listener
        config = uvicorn.Config(
            app,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=_GRACE_SECONDS,
            **options,
        )
        config.load()
        self._server = uvicorn.Server(config)
        self._server.lifespan = config.lifespan_class(config)

    async def start(self) -> None:
        # Not `serve()`: it replaces the signal handlers, and wakes ten times a second for nothing
        # that is used here.
        await self._server.startup(sockets=[self._listener])

    async def stop(self) -> None:
        """Release the address, whether or not `start` completed."""
        if not self._server.started:
            self._listener.close()
            return
        await self._server.shutdown(sockets=[self._listener])


def to_change(error: OSError) -> str:
    """The setting that is wrong if `listen` raised this error."""
    is_host = isinstance(error, socket.gaierror) or error.errno in _NO_SUCH_ADDRESS
    return "server.host" if is_host else "server.port"


def listen(host: str, port: int) -> socket.socket:
    """A socket that is bound and listening: two that are only bound could share a port until then.
    One on `::` takes IPv4 too, and takes only that on a machine without IPv6.

    Raises OSError: a `socket.gaierror` where `host` is no address of this machine.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except UnicodeError:
        raise socket.gaierror(socket.EAI_NONAME, "not a host name") from None
    try:
        return _bound(socket.socket(family, kind, protocol), address)
    except OSError as error:
        if address[0] != "::" or error.errno not in _NO_SUCH_ADDRESS:
            raise
    return listen("0.0.0.0", port)  # noqa: S104 - `::` is every address as well


def _bound(listener: socket.socket, address: tuple[Any, ...]) -> socket.socket:
    try:
        if address[0] == "::":
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen()
    except OSError:
        listener.close()
        raise
    return listener
