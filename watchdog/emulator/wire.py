"""Lets a connection hang or breaks it, which HTTP frameworks do not offer."""

import asyncio
import socket
import struct

from starlette.requests import Request
from uvicorn.protocols.http.h11_impl import H11Protocol

_TRANSPORT = "transport"


class FindableProtocol(H11Protocol):
    """Lets a request find its connection."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self.app_state = {**self.app_state, _TRANSPORT: transport}
        super().connection_made(transport)


class Wire:
    """The connections that hang."""

    def __init__(self) -> None:
        self._hanging: set[asyncio.Transport] = set()

    async def hang(self, request: Request) -> None:
        """Send nothing until the other side closes the connection."""
        transport = _transport(request)
        self._hanging.add(transport)
        await _gone(request)
        self._hanging.discard(transport)

    async def reset(self, request: Request) -> None:
        """Break the connection: the other side gets a TCP reset, not an end of file."""
        transport = _transport(request)
        if not transport.is_closing():  # The other side may have closed the connection meanwhile.
            broken: socket.socket = transport.get_extra_info("socket")
            broken.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            transport.abort()
        await _gone(request)

    def hang_up(self) -> None:
        """Break the connections that still hang, because the server stops."""
        for transport in self._hanging:
            transport.abort()


def _transport(request: Request) -> asyncio.Transport:
    transport: asyncio.Transport = request.scope["state"][_TRANSPORT]
    return transport


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
