"""What happens on the socket below a connection, as httpx tells in its extension `trace`."""

import socket
from collections.abc import Mapping
from typing import Any

import httpx

_IDLE_SECONDS = 30
"""A connection that is idle for this long is probed. Many firewalls and NATs forget one that was
silent for a minute or more."""

_PROBE_SECONDS = 10
_PROBES = 3

_HEAD_MOST_BYTES = 32_000
"""The most bytes that are read until the head of an answer is complete. Servers send a few hundred.
httpx drops informational answers (1xx) silently, and a flood of them would take a whole core until
the time-out."""

_KEEP_ALIVE = [(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)] + [
    (socket.IPPROTO_TCP, getattr(socket, name), value)
    for name, value in (
        ("TCP_KEEPIDLE", _IDLE_SECONDS),
        ("TCP_KEEPALIVE", _IDLE_SECONDS),  # The name of TCP_KEEPIDLE on macOS.
        ("TCP_KEEPINTVL", _PROBE_SECONDS),
        ("TCP_KEEPCNT", _PROBES),
    )
    if hasattr(socket, name)
]


class Wire:
    """Watches one connection at a time. httpx offers socket options only to those who also choose
    its proxies, so they are set here, on each socket that it opens."""

    def __init__(self) -> None:
        self._is_reused = False
        self._received = 0
        self._in_head = False
        self._of_head = 0

    @property
    def is_silent(self) -> bool:
        """Whether the present request was sent on a connection that had been used before, and
        nothing was received since."""
        return self._is_reused and not self._received

    def begin(self) -> None:
        """A request begins."""
        self._is_reused, self._received = True, 0

    async def trace(self, name: str, info: Mapping[str, Any]) -> None:
        """The extension `trace` of a request."""
        if name.endswith("connect_tcp.started"):
            self._is_reused = False
        elif name.endswith("receive_response_headers.started"):
            self._in_head, self._of_head = True, 0
        elif name.endswith("receive_response_headers.complete"):
            self._in_head = False
        elif name.endswith(("connect_tcp.complete", "start_tls.complete")):
            self._watch(info["return_value"])

    def _watch(self, stream: Any) -> None:
        """Count and limit what is received from now on. httpx may give several streams, for example
        one before and one after TLS begins; HTTP is read from the last one."""
        opened = stream.get_extra_info("socket")
        for option in _KEEP_ALIVE:
            opened.setsockopt(*option)
        receive = stream.read

        async def read(max_bytes: int, **more: Any) -> bytes:
            if self._in_head:
                max_bytes = min(max_bytes, _HEAD_MOST_BYTES - self._of_head)
                if not max_bytes:
                    text = f"no answer in the first {_HEAD_MOST_BYTES} bytes"
                    raise httpx.RemoteProtocolError(text)
            received: bytes = await receive(max_bytes, **more)
            self._received += len(received)
            self._of_head += len(received)
            return received

        stream.read = read
