"""Connections that ask nothing, or do not read, cannot keep others from being answered."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from tests.fakes.http_client import client_of
from tests.fakes.processes import PATIENCE_SECONDS
from watchdog.web import Connections, WebServer, build_app, most_connections

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]

_SOON = 0.05
"""Seconds."""

_PIECE = b"x" * 1_000_000
_PIECES = 40
"""More than the buffers of the kernel hold on both sides."""


def patient(most: int, **seconds: float) -> Connections:
    """Connections that are ended late, unless a test says when."""
    late = {"request_seconds": PATIENCE_SECONDS, "answer_seconds": PATIENCE_SECONDS}
    return Connections(most, **(late | seconds))


class Site:
    """A server with a page that is answered when `answering` is set, and a large answer."""

    def __init__(self, connections: Connections) -> None:
        self.answering = asyncio.Event()
        self.asked = 0
        app = build_app(
            metrics={"text/x": self._pieces},
            alive=lambda: None,
            ready=lambda: (),
            more=[Route("/waits", self._waits)],
        )
        self.server = WebServer(app, host="127.0.0.1", port=0, connections=connections)

    async def connect(self, path: str = "") -> Streams:
        """A connection that sends nothing, or a request for this path."""
        host, port = self.server.url.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        if path:
            writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        return reader, writer

    async def healthz(self) -> int:
        async with client_of(self.server.url) as client:
            return (await client.get("/healthz")).status_code

    async def _waits(self, _: Request) -> Response:
        self.asked += 1
        await self.answering.wait()
        return PlainTextResponse("answered")

    def _pieces(self) -> Iterator[bytes]:
        for _ in range(_PIECES):
            yield _PIECE


@asynccontextmanager
async def serving(connections: Connections) -> AsyncIterator[Site]:
    site = Site(connections)
    await site.server.start()
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            yield site
    finally:
        site.answering.set()
        await site.server.stop()


async def until(holds: Callable[[], bool]) -> None:
    while not holds():  # noqa: ASYNC110 - what it waits for tells nobody
        await asyncio.sleep(0)


async def ended(connection: Streams) -> int:
    """Wait for the end of a connection; how many bytes came before."""
    reader, writer = connection
    count = 0
    with suppress(ConnectionError):
        while piece := await reader.read(1_000_000):
            count += len(piece)
    writer.close()
    with suppress(ConnectionError):
        await writer.wait_closed()
    return count


async def test_a_new_connection_takes_the_place_of_the_one_that_waited_longest() -> None:
    async with serving(patient(8)) as site:
        idle = [await site.connect() for _ in range(64)]
        assert await site.healthz() == 200
        # At most eight are open, and the probe's was one of them.
        for each in idle[: 64 - 7]:
            assert await ended(each) == 0
        for _, writer in idle[64 - 7 :]:
            writer.close()


async def test_a_burst_is_served_by_and_by() -> None:
    async with serving(patient(8)) as site:
        burst = await asyncio.gather(*(site.connect() for _ in range(100)))
        assert await site.healthz() == 200
        for _, writer in burst:
            writer.close()


async def test_no_request_under_way_gives_way_to_a_new_connection() -> None:
    async with serving(patient(4)) as site:
        under_way = [await site.connect("/waits") for _ in range(4)]
        await until(lambda: site.asked == 4)
        assert await ended(await site.connect("/healthz")) == 0
        site.answering.set()
        for reader, writer in under_way:
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
            writer.close()


async def test_a_client_that_does_not_read_gives_way_to_a_new_connection() -> None:
    async with serving(patient(2)) as site:
        unread = [await site.connect("/metrics") for _ in range(2)]
        answered = 0
        while answered != 200:  # Refused while the buffers are being filled.
            with suppress(httpx.TransportError):
                answered = await site.healthz()
        for _, writer in unread:
            writer.close()


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: x\r\n", id="part-of-a-head"),
        pytest.param(
            b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf", id="part-of-a-body"
        ),
        pytest.param(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", id="nothing-more"),
    ],
)
async def test_a_connection_without_a_whole_request_is_ended(sent: bytes) -> None:
    async with serving(patient(8, request_seconds=_SOON)) as site:
        connection = await site.connect()
        connection[1].write(sent)
        await ended(connection)


async def test_bytes_that_trickle_in_do_not_keep_a_connection_open() -> None:
    async with serving(patient(8, request_seconds=_SOON)) as site:
        reader, writer = await site.connect("/healthz\r\nX")
        closed = asyncio.ensure_future(ended((reader, writer)))
        while not closed.done():
            writer.write(b"x")
            await asyncio.sleep(_SOON / 10)


async def test_an_answer_that_is_not_read_is_given_up() -> None:
    connections = patient(1, answer_seconds=_SOON)
    async with serving(connections) as site:
        unread = await site.connect("/metrics")
        await until(lambda: connections.full)
        await until(lambda: not connections.full)
        assert await ended(unread) < _PIECES * len(_PIECE)


async def test_a_long_answer_that_is_read_is_sent_whole() -> None:
    async with serving(patient(8, request_seconds=_SOON)) as site, client_of() as client:
        answer = await client.get(
            f"{site.server.url}/metrics", headers={"Accept-Encoding": "identity"}
        )
        assert len(answer.content) == _PIECES * len(_PIECE)


@pytest.mark.parametrize(
    ("descriptors", "most"),
    [
        pytest.param(1_000_000, 64, id="plenty"),
        pytest.param(256, 64, id="enough"),
        pytest.param(200, 40, id="few"),
        pytest.param(64, 8, id="too-few"),
    ],
)
def test_descriptors_are_kept_for_the_rest_of_the_daemon(descriptors: int, most: int) -> None:
    assert most_connections(descriptors) == most
