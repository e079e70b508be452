"""The daemon's own server, over a real socket."""

import asyncio
import errno
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from tests.fakes.events import LOGGED
from tests.fakes.http_client import client_of
from tests.fakes.processes import PATIENCE_SECONDS
from tests.fakes.records import NOW
from watchdog.engine.events import ApiRequested, Event, LedgerOpened, SweepDone
from watchdog.engine.fleet.condition import Condition
from watchdog.telemetry.health import Liveness, Readiness
from watchdog.web import PortTaken, WebServer, build_app


class Hand:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> datetime:
        return NOW

    def monotonic(self) -> float:
        return self.seconds


class Site:
    def __init__(
        self,
        host: str = "127.0.0.1",
        render_metrics: Callable[[], Iterator[bytes]] = lambda: iter([b"a 1\n", b"b 2\n"]),
    ) -> None:
        self.clock = Hand()
        self.liveness = Liveness(self.clock, timedelta(seconds=1))
        self.condition = Condition()
        self.readiness = Readiness(self.condition)
        app = build_app(
            metrics={"text/x": render_metrics, "text/y": lambda: iter([b"y"])},
            alive=self.liveness.reason,
            ready=self.readiness.reasons,
        )
        self.server = WebServer(app, host=host, port=0)

    def tell(self, event: Event) -> None:
        self.condition(event)
        self.readiness(event)

    async def get(
        self, path: str, method: str = "GET", headers: dict[str, str] | None = None
    ) -> httpx.Response:
        async with client_of(self.server.url) as client:
            return await client.request(method, path, headers=headers)


def an_app() -> Starlette:
    return build_app(
        metrics={"text/x": lambda: iter(())},
        alive=lambda: None,
        ready=lambda: (),
    )


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    made = Site()
    await made.server.start()
    yield made
    await made.server.stop()


async def test_metrics_are_served_as_they_are_rendered(site: Site) -> None:
    answer = await site.get("/metrics")
    assert (answer.status_code, answer.text) == (200, "a 1\nb 2\n")
    assert answer.headers["Content-Type"] == "text/x"
    other = await site.get("/metrics", headers={"Accept": "text/y"})
    assert (other.text, other.headers["Content-Type"]) == ("y", "text/y")
    assert "Accept" in other.headers["Vary"].split(", ")
    assert answer.headers["Cache-Control"] == "no-store"


async def test_it_is_alive_while_the_loop_ticks_whatever_else_is_wrong(site: Site) -> None:
    assert (await site.get("/healthz")).text == "ok\n"
    site.clock.seconds = 3.0
    assert (await site.get("/healthz")).status_code == 200
    site.clock.seconds = 3.1
    late = await site.get("/healthz")
    assert (late.status_code, late.text) == (503, "the loop last ticked 3 s ago\n")
    site.liveness.beat()
    assert (await site.get("/healthz", "HEAD")).status_code == 200


@pytest.mark.parametrize(
    ("events", "reasons"),
    [
        pytest.param(
            [],
            [
                "the ledger is not open yet",
                "the API has not accepted the key yet",
                "the first sweep is not done",
            ],
            id="at-first",
        ),
        pytest.param([LOGGED["ledger_unavailable"]], ["the ledger does not answer"], id="ledger"),
        pytest.param(
            [LOGGED["auth_failed"]], ["the API refuses the key (HTTP 401)"], id="key-refused"
        ),
        pytest.param(
            [
                LOGGED["auth_failed"],
                ApiRequested(operation="get_deployment", code="404", duration_seconds=0.1),
            ],
            ["the API refuses the key (HTTP 401)"],
            id="a-404-says-nothing-of-the-key",
        ),
        pytest.param(
            [
                LOGGED["ledger_unavailable"],
                LOGGED["ledger_available"],
                LOGGED["auth_failed"],
                ApiRequested(operation="list_models", code="200", duration_seconds=0.1),
                LOGGED["auth_recovered"],
            ],
            [],
            id="all-fixed",
        ),
        pytest.param(
            [LOGGED["replica_standby"], LOGGED["replica_active"]],
            ["the list of watched models is not applied yet"],
            id="active-again-and-not-watching-yet",
        ),
        pytest.param(
            [
                LOGGED["replica_standby"],
                LOGGED["replica_active"],
                SweepDone(at=NOW, first=False),
            ],
            [],
            id="active-again",
        ),
    ],
)
async def test_it_is_ready_when_it_can_do_its_work(
    events: list[Event], reasons: list[str], site: Site
) -> None:
    if events:
        site.tell(LedgerOpened(created_at=NOW))
        site.tell(ApiRequested(operation="x", code="200", duration_seconds=0.1))
        site.tell(SweepDone(at=NOW, first=True))
        assert (await site.get("/readyz")).status_code == 200
    for event in events:
        site.tell(event)
    answer = await site.get("/readyz")
    assert answer.status_code == (503 if reasons else 200)
    assert answer.text.splitlines() == (reasons or ["ok"])


async def test_there_is_nothing_else(site: Site) -> None:
    assert (await site.get("/elsewhere")).status_code == 404
    assert (await site.get("/metrics", "POST")).status_code == 405


async def test_a_taken_port_is_reported_before_anything_starts() -> None:
    app = build_app(metrics={"text/x": lambda: iter(())}, alive=lambda: None, ready=lambda: ())
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(PortTaken, match=rf"127\.0\.0\.1:{port}: Address already in use"):
            WebServer(app, host="127.0.0.1", port=port)


@pytest.mark.parametrize(
    "host",
    [
        pytest.param("a..b", id="empty-label"),
        pytest.param("a" * 70, id="long-label"),
    ],
)
async def test_a_host_that_is_no_name_is_reported_in_one_line(host: str) -> None:
    app = build_app(metrics={"text/x": lambda: iter(())}, alive=lambda: None, ready=lambda: ())
    with pytest.raises(PortTaken) as told:
        WebServer(app, host=host, port=0)
    assert str(told.value) == f"cannot listen on {host}: not a host name: fix server.host"


async def test_an_address_of_another_machine_is_no_matter_of_the_port() -> None:
    app = build_app(metrics={"text/x": lambda: iter(())}, alive=lambda: None, ready=lambda: ())
    with pytest.raises(PortTaken, match=r"set another server\.host$"):
        WebServer(app, host="192.0.2.1", port=0)


def _has_ipv6() -> bool:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


@pytest.mark.skipif(not _has_ipv6(), reason="this machine has no IPv6")
async def test_it_listens_on_ipv6_and_its_address_can_be_asked() -> None:
    site = Site(host="::1")
    await site.server.start()
    try:
        assert site.server.url.startswith("http://[::1]:")
        assert (await site.get("/healthz")).text == "ok\n"
    finally:
        await site.server.stop()


async def test_other_work_goes_on_between_the_pieces_of_a_scrape() -> None:
    turns, seen = 0, []

    def pieces() -> Iterator[bytes]:
        for _ in range(20):
            seen.append(turns)
            yield b"a 1\n"

    async def work() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    site, other = Site(render_metrics=pieces), asyncio.create_task(work())
    await site.server.start()
    try:
        assert (await site.get("/metrics")).text == "a 1\n" * 20
    finally:
        await site.server.stop()
        other.cancel()
    assert seen == sorted(set(seen))


async def test_a_scrape_is_compressed_for_clients_that_accept_it() -> None:
    site = Site(render_metrics=lambda: iter([b"a 1\n" * 1000] * 2))
    await site.server.start()
    try:
        packed = await site.get("/metrics")
        plain = await site.get("/metrics", headers={"Accept-Encoding": "identity"})
    finally:
        await site.server.stop()
    assert packed.headers["Content-Encoding"] == "gzip"
    assert "Content-Encoding" not in plain.headers
    assert packed.text == plain.text == "a 1\n" * 2000


async def test_it_lets_go_of_the_address_though_it_never_started() -> None:
    site = Site()
    host, port = site.server.url.removeprefix("http://").split(":")
    await site.server.stop()
    with socket.create_server((host, int(port))):
        pass


async def test_it_stops_though_somebody_keeps_a_connection_open(site: Site) -> None:
    host, port = site.server.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    async with asyncio.timeout(PATIENCE_SECONDS):
        await site.server.stop()
        assert await reader.read() == b""
    writer.close()
    await writer.wait_closed()


@pytest.mark.skipif(not _has_ipv6(), reason="this machine has no IPv6")
async def test_one_address_serves_both_families() -> None:
    site = Site(host="::")
    await site.server.start()
    try:
        port = site.server.url.rpartition(":")[2]
        for host in ("127.0.0.1", "[::1]"):
            async with client_of() as client:
                assert (await client.get(f"http://{host}:{port}/metrics")).status_code == 200
    finally:
        await site.server.stop()


class _SocketWithoutIpv6(socket.socket):
    """As on a machine that was started with IPv6 disabled."""

    def __init__(self, family: int = -1, *more: Any, **named: Any) -> None:
        if family == socket.AF_INET6:
            raise OSError(errno.EAFNOSUPPORT, "Address family not supported by protocol")
        super().__init__(family, *more, **named)


async def test_all_addresses_are_those_of_ipv4_where_there_is_no_ipv6(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(socket, "socket", _SocketWithoutIpv6)
        site = Site(host="::")
        with pytest.raises(PortTaken, match="Address family not supported"):
            Site(host="::1")
    await site.server.start()
    assert site.server.host == "0.0.0.0"
    async with client_of(f"http://127.0.0.1:{site.server.port}") as client:
        assert (await client.get("/healthz")).status_code == 200
    await site.server.stop()


@pytest.mark.parametrize("address", ["127.0.0.1", "[::1]"])
async def test_all_addresses_of_ipv6_are_those_of_ipv4_too(address: str) -> None:
    site = Site(host="::")
    await site.server.start()
    async with client_of(f"http://{address}:{site.server.port}") as client:
        assert (await client.get("/healthz")).status_code == 200
    await site.server.stop()
