"""A web server and a CONNECT proxy on loopback that send exactly the bytes that a test sets."""

import asyncio
import json
import ssl
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from tests.fakes.processes import PATIENCE_SECONDS

HOST = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Request:
    """`connection` numbers the connections from 1, in the order in which they were made."""

    method: str
    target: str
    headers: Mapping[str, str]
    connection: int
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Reply:
    """`body` is bytes that are sent as they are, or a value that is sent as JSON. `length` may be a
    wrong length of it."""

    status: int = 200
    body: object = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    length: int | None = None

    def encode(self) -> bytes:
        body = self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()
        length = len(body) if self.length is None else self.length
        headers = {"Content-Length": str(length), **self.headers}
        lines = [f"HTTP/1.1 {self.status} Scripted", *(f"{k}: {v}" for k, v in headers.items())]
        return "\r\n".join([*lines, "", ""]).encode() + body


Handler = Callable[[Request], Awaitable["Reply | bytes | None"]]
"""Returns a reply; or raw bytes, after which the connection is closed; or None, to close it at
once."""


class _Listening:
    """Accepts connections in its `with` block, and closes everything at the end."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed: list[asyncio.Event] = []
        self.connections = 0
        self.port = 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, HOST, 0, ssl=self._ssl())
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop_listening()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def stop_listening(self) -> None:
        """Refuse new connections from now on."""
        self._server.close()

    async def all_closed(self) -> None:
        """Wait until this side has closed every connection, so that the other side can notice
        it."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            await asyncio.gather(*(closed.wait() for closed in self._closed))

    def _ssl(self) -> ssl.SSLContext | None:
        return None

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._closed.append(asyncio.Event())
        task = asyncio.create_task(self._closing(reader, writer, self.connections))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _closing(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int
    ) -> None:
        try:
            with suppress(OSError, asyncio.IncompleteReadError):
                await self._serve(reader, writer, number)
        finally:
            writer.close()
            self._closed[number - 1].set()
            with suppress(OSError):
                await writer.wait_closed()

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int
    ) -> None:
        raise NotImplementedError


class ScriptedServer(_Listening):
    """Answers each request with the result of `handler`; keeps connections alive."""

    def __init__(self, handler: Handler, *, tls: ssl.SSLContext | None = None) -> None:
        super().__init__()
        self.handler = handler
        self.requests: list[Request] = []
        self._tls = tls
        self._arrived = asyncio.Condition()

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://{HOST}:{self.port}"

    async def arrived(self, count: int) -> None:
        """Wait until so many requests have arrived since the start."""
        async with self._arrived, asyncio.timeout(PATIENCE_SECONDS):
            await self._arrived.wait_for(lambda: len(self.requests) >= count)

    def _ssl(self) -> ssl.SSLContext | None:
        return self._tls

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int
    ) -> None:
        while True:
            method, target, headers = await _read_head(reader)
            body = await reader.readexactly(int(headers.get("content-length", "0")))
            request = Request(method, target, headers, number, body)
            self.requests.append(request)
            async with self._arrived:
                self._arrived.notify_all()
            reply = await self.handler(request)
            if reply is None:
                return
            writer.write(reply if isinstance(reply, bytes) else reply.encode())
            await writer.drain()
            if isinstance(reply, bytes):
                return


class ConnectProxy(_Listening):
    """A CONNECT proxy that connects every host name to `upstream_port`, or rejects all requests
    with a status."""

    def __init__(self, upstream_port: int, *, refuse_with: int | None = None) -> None:
        super().__init__()
        self._upstream_port = upstream_port
        self._refuse_with = refuse_with
        self.asked: list[str] = []
        self._near: list[asyncio.StreamWriter] = []

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    def garble(self) -> None:
        """Insert unencrypted bytes into the data that goes back to the clients."""
        for writer in self._near:
            writer.write(b"\x17\x03\x03\x00\x20" + bytes(32))

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int
    ) -> None:
        method, target, _ = await _read_head(reader)
        self.asked.append(f"{method} {target}")
        if self._refuse_with is not None:
            writer.write(Reply(self._refuse_with).encode())
            await writer.drain()
            return
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        self._near.append(writer)
        far_reader, far_writer = await asyncio.open_connection(HOST, self._upstream_port)
        try:
            await asyncio.gather(_pipe(reader, far_writer), _pipe(far_reader, writer))
        finally:
            far_writer.close()
            with suppress(OSError):
                await far_writer.wait_closed()


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()


async def _read_head(reader: asyncio.StreamReader) -> tuple[str, str, dict[str, str]]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    first, *lines = head.strip().split("\r\n")
    method, target, _ = first.split(" ")
    pairs = (line.split(": ", 1) for line in lines)
    headers = {name.lower(): value for name, value in pairs}
    return method, target, headers
