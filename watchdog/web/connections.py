"""Keeps the connections of the web server few and short, so that clients cannot take what the
checks need: descriptors, memory and the time of the loop."""

import asyncio
import socket
import weakref
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

REQUEST_SECONDS = 10.0
"""A connection is ended when no request was complete for so long. Browsers and scrapers open a new
one at the next request."""

ANSWER_SECONDS = 30.0
"""A connection is ended when its answer is not sent as a whole after so long: the longest that
scrapers and browsers commonly wait."""


MOST = 64
"""Connections at once: some for each of a few browsers, scrapers and probes."""

KEPT_DESCRIPTORS = 160
"""Left to the rest of the daemon: `watch.concurrency` is 100 at most, and the ledger, the log, the
loop and files that are read take the others."""

_FEWEST = 8
"""Allowed even if descriptors are very few, so that probes and a scrape are answered."""


def most_connections(descriptors: int) -> int:
    """How many connections a process may serve that may have so many descriptors."""
    return max(_FEWEST, min(MOST, descriptors - KEPT_DESCRIPTORS))


class Connections:
    """The connections that are open, of which there are never more than `most`. A new one takes the
    place of one that waits for a request, else of one whose client does not read, so that a probe
    gets through. While all are being answered it is refused."""

    def __init__(
        self,
        most: int = MOST,
        *,
        request_seconds: float = REQUEST_SECONDS,
        answer_seconds: float = ANSWER_SECONDS,
    ) -> None:
        self.request_seconds = request_seconds
        self.answer_seconds = answer_seconds
        self._most = most
        self._sockets = weakref.WeakSet[socket.socket]()
        self._made: dict[Connection, None] = {}

    def listening(self, listener: socket.socket) -> socket.socket:
        """The same socket, which from now on accepts no connection above the limit."""
        return _Listener(self, listener)

    def protocol(self, **given: Any) -> "Connection":
        return Connection(self, **given)

    def accepted(self, accepted: socket.socket) -> None:
        self._sockets.add(accepted)

    def waits(self, connection: "Connection") -> None:
        """Note that this connection waits for a request from now on, so it is the last one to be
        ended for a new one."""
        self._made.pop(connection, None)
        self._made[connection] = None

    def lost(self, connection: "Connection") -> None:
        self._made.pop(connection, None)

    @property
    def full(self) -> bool:
        return sum(each.fileno() != -1 for each in self._sockets) >= self._most

    def make_room(self) -> bool:
        """End the connection that has waited longest for a request, else one whose client does not
        read. False if none can be ended: all are being answered."""
        if len(self._made) < self._most or any(each.is_ending for each in self._made):
            return True  # One is just being accepted, or ended, by the loop.
        for gives_way in (Connection.is_waiting, Connection.is_unread):
            for each in self._made:
                if gives_way(each):
                    each.end()
                    return True
        return False


class _Listener(socket.socket):
    """Decides whether to accept a connection before the connection has a descriptor. The loop
    accepts all connections that wait in the kernel at once, hundreds if need be, before it serves
    one of them."""

    def __init__(self, connections: Connections, listener: socket.socket) -> None:
        family, kind, protocol = listener.family, listener.type, listener.proto
        super().__init__(family, kind, protocol, fileno=listener.detach())
        self._connections = connections

    def accept(self) -> tuple[socket.socket, Any]:
        """Raises BlockingIOError when the loop has to do other work first."""
        if self._connections.full:
            if not self._connections.make_room():
                refused, _ = super().accept()
                refused.close()
            raise BlockingIOError
        accepted, address = super().accept()
        self._connections.accepted(accepted)
        return accepted, address


class Connection(H11Protocol):
    """Uvicorn's protocol with an end to each wait: uvicorn itself waits for ever for the rest of a
    request, and for a client that does not read."""

    def __init__(self, connections: Connections, **given: Any) -> None:
        super().__init__(**given)
        self._among = connections
        self._deadline: asyncio.TimerHandle | None = None
        self.is_ending = False

    def is_waiting(self) -> bool:
        """Whether it waits for a request, or for the rest of one."""
        return self.cycle is None or self.cycle.response_complete

    def is_unread(self) -> bool:
        """Whether the client leaves so much unread that the answer cannot go on."""
        return self.flow.write_paused

    def end(self) -> None:
        """End it at once. What is not sent yet is lost."""
        self.is_ending = True
        self.transport.abort()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._wait()

    def handle_events(self) -> None:
        before = self.cycle
        super().handle_events()
        if self.cycle is not before:
            self._end_after(self._among.answer_seconds)

    def on_response_complete(self) -> None:
        self._wait()
        super().on_response_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        self._among.lost(self)
        if self._deadline is not None:
            self._deadline.cancel()
        super().connection_lost(exc)

    def _wait(self) -> None:
        self._among.waits(self)
        self._end_after(self._among.request_seconds)

    def _end_after(self, seconds: float) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = self.loop.call_later(seconds, self.end)
