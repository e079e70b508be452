"""What comes from outside: proxies and CAs in the environment, the key and its file."""

import asyncio
import os
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
import trustme

from tests.fakes.baseten_http import DEPLOYMENT, KEY, MODEL, Baseten, make_api
from tests.fakes.http_server import HOST, ConnectProxy, Reply, Request, ScriptedServer
from tests.fakes.retrying import retry
from watchdog.baseten_api import ApiSetupError, HttpBasetenApi, KeySource
from watchdog.engine.ports import AnswerLost, NotSent

NAME = "api.baseten.test"
"""No resolver knows this name: only a proxy that is really used can reach it."""


@pytest.mark.parametrize(
    ("variable", "place", "why"),
    [
        ("SSL_CERT_FILE", "/", "Is a directory: name a file"),
        ("SSL_CERT_FILE", ".", "Is a directory: name a file"),
        ("SSL_CERT_DIR", "/nowhere", "No such file or directory: name a folder"),
        ("SSL_CERT_DIR", "/dev/null", "Not a directory: name a folder"),
    ],
)
async def test_a_place_of_certificates_that_is_none_is_named(
    variable: str, place: str, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, place)
    with pytest.raises(ApiSetupError) as caught:
        make_api("https://example.com")
    assert f"{variable}={place}: {why}" in str(caught.value)


@pytest.fixture(autouse=True)
def _no_cas_of_the_developers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    monkeypatch.delenv("SSL_CERT_DIR", raising=False)


@dataclass
class Network:
    server: ScriptedServer
    baseten: Baseten
    ca_file: Path
    tls: ssl.SSLContext

    def rotate(self) -> bytes:
        """The server has a certificate of another CA, which is returned, and ends the connections
        that are idle with its next answer."""
        ca = trustme.CA()
        ca.issue_cert(NAME, HOST).configure_cert(self.tls)
        closing = Reply(body=DEPLOYMENT, headers={"Connection": "close"})
        self.baseten.once(f"GET {MODEL}", closing)
        return ca.cert_pem.bytes()


@asynccontextmanager
async def network(tmp_path: Path) -> AsyncIterator[Network]:
    """A server with TLS, whose certificate a private CA signed."""
    ca = trustme.CA()
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    ca.issue_cert(NAME, HOST).configure_cert(tls)
    ca_file = tmp_path / "ca.pem"
    ca.cert_pem.write_to_path(str(ca_file))
    baseten = Baseten()
    async with ScriptedServer(baseten, tls=tls) as server:
        yield Network(server, baseten, ca_file, tls)


@asynccontextmanager
async def api_at(url: str) -> AsyncIterator[HttpBasetenApi]:
    api = make_api(url)
    try:
        yield api
    finally:
        await api.close()


async def _look(api: HttpBasetenApi) -> object:
    return await api.get_deployment("m1")


async def _retry(api: HttpBasetenApi) -> object:
    return await retry(api, "m1")


both = pytest.mark.parametrize("ask", [_look, _retry], ids=["look", "retry"])
Ask = Callable[[HttpBasetenApi], Awaitable[object]]


async def test_looks_and_retries_go_through_the_proxy_with_a_private_ca(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with network(tmp_path) as net, ConnectProxy(net.server.port) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        monkeypatch.setenv("SSL_CERT_FILE", str(net.ca_file))
        async with api_at(f"https://{NAME}") as api:
            await _look(api)
            await _look(api)
            await _retry(api)
        # The looks share a tunnel; the retry has its own.
        assert proxy.asked == [f"CONNECT {NAME}:443"] * 2
        assert [each.connection for each in net.server.requests] == [1, 1, 2]


async def test_all_proxy_works_without_a_scheme(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with network(tmp_path) as net, ConnectProxy(net.server.port) as proxy:
        monkeypatch.setenv("ALL_PROXY", proxy.url.removeprefix("http://"))
        monkeypatch.setenv("SSL_CERT_FILE", str(net.ca_file))
        async with api_at(f"https://{NAME}") as api:
            await _look(api)
        assert proxy.asked == [f"CONNECT {NAME}:443"]


@pytest.mark.parametrize("host", [HOST, "localhost", "LOCALHOST", "127.0.0.2"])
@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
async def test_the_loopback_is_reached_directly_so_that_no_proxy_sees_the_key(
    monkeypatch: pytest.MonkeyPatch, host: str, variable: str
) -> None:
    async with ConnectProxy(1) as proxy, ScriptedServer(Baseten()) as server:
        monkeypatch.setenv(variable, proxy.url)
        async with api_at(f"http://{host}:{server.port}") as api:
            if host == "127.0.0.2":
                with pytest.raises(NotSent):
                    await _look(api)
            else:
                await _look(api)
                await _retry(api)
        assert proxy.connections == 0


@pytest.mark.parametrize("directly", [NAME, f"elsewhere.test, {NAME}", "*", "elsewhere.test, *"])
async def test_hosts_in_no_proxy_are_reached_directly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, directly: str
) -> None:
    async with network(tmp_path) as net, ConnectProxy(net.server.port) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        monkeypatch.setenv("NO_PROXY", directly)
        monkeypatch.setenv("SSL_CERT_FILE", str(net.ca_file))
        resolve = socket.getaddrinfo
        monkeypatch.setattr(
            socket, "getaddrinfo", lambda _, *more, **named: resolve(HOST, *more, **named)
        )
        async with api_at(f"https://{NAME}:{net.server.port}") as api:
            await _look(api)
            await _retry(api)
        assert proxy.asked == []
        assert len(net.server.requests) == 2


@both
async def test_a_request_that_the_proxy_rejects_counts_as_not_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ask: Ask
) -> None:
    async with network(tmp_path) as net, ConnectProxy(1, refuse_with=407) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        monkeypatch.setenv("SSL_CERT_FILE", str(net.ca_file))
        async with api_at(f"https://{NAME}") as api:
            with pytest.raises(NotSent, match="407") as caught:
                await ask(api)
        assert caught.value.code == "connect"
        assert net.server.requests == []


@both
async def test_a_certificate_of_an_unknown_ca_is_no_connection(tmp_path: Path, ask: Ask) -> None:
    async with network(tmp_path) as net, api_at(net.server.url) as api:
        with pytest.raises(NotSent, match="CERTIFICATE_VERIFY_FAILED") as caught:
            await ask(api)
        assert caught.value.code == "connect"
        assert net.server.requests == []


@both
async def test_a_certificate_for_another_name_is_no_connection(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ask: Ask
) -> None:
    async with network(tmp_path) as net, ConnectProxy(net.server.port) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        monkeypatch.setenv("SSL_CERT_FILE", str(net.ca_file))
        async with api_at("https://evil.test") as api:
            with pytest.raises(NotSent, match="CERTIFICATE_VERIFY_FAILED"):
                await ask(api)
        assert net.server.requests == []


@both
async def test_tls_that_breaks_after_the_handshake_is_a_lost_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ask: Ask
) -> None:
    async with network(tmp_path) as net, ConnectProxy(net.server.port) as proxy:

        async def garbled(_: Request) -> None:
            proxy.garble()
            await asyncio.Event().wait()

        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        monkeypatch.setenv("SSL_CERT_FILE", str(net.ca_file))
        net.baseten.before_reply = garbled
        async with api_at(f"https://{NAME}") as api:
            with pytest.raises(AnswerLost) as caught:
                await ask(api)
        assert caught.value.code == "connect"
        assert len(net.server.requests) == 1


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("missing.pem", "No such file or directory"),
        (".", "Is a directory"),
        ("empty.pem", "no certificate or crl found"),
        ("words.pem", "no certificate or crl found"),
    ],
    ids=["missing", "directory", "empty", "not_pem"],
)
async def test_a_bad_file_of_cas_is_one_line_at_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str, says: str
) -> None:
    (tmp_path / "empty.pem").touch()
    (tmp_path / "words.pem").write_text("hello")
    path = str(tmp_path / value)
    monkeypatch.setenv("SSL_CERT_FILE", path)
    with pytest.raises(ApiSetupError) as caught:
        make_api("https://api.baseten.co")
    text = str(caught.value)
    assert f"SSL_CERT_FILE={path}: " in text
    assert says in text
    assert "\n" not in text


@pytest.mark.parametrize(
    "proxy",
    ["ftp://user:hunter2@proxy:1", "http://user:hunter2@proxy:port", "socks5://u:hunter2@proxy:1"],
    ids=["scheme", "port", "socks"],
)
async def test_a_bad_proxy_is_one_line_at_the_start_without_its_password(
    monkeypatch: pytest.MonkeyPatch, proxy: str
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    with pytest.raises(ApiSetupError) as caught:
        make_api("https://api.baseten.co")
    text = str(caught.value)
    assert "HTTPS_PROXY" in text
    assert "hunter2" not in text
    assert "\n" not in text


@pytest.mark.parametrize(
    "url",
    ["https://xn--.test", "https://\u2603.test", "https://host:port", "ftp://host", "host"],
    ids=str,
)
async def test_a_bad_host_is_one_line_at_the_start(url: str) -> None:
    with pytest.raises(ApiSetupError, match=r"^baseten\.base_url: ") as caught:
        make_api(url)
    assert "\n" not in str(caught.value)


def test_a_key_from_the_environment_is_stripped() -> None:
    assert KeySource(value=f" {KEY}\n")() == KEY


def test_a_key_file_wins_over_a_value(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text(f"{KEY}\n")
    assert KeySource(file=file, value="another")() == KEY


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(None, id="missing"),
        pytest.param(b"", id="empty"),
        pytest.param(b" \n", id="blank"),
        pytest.param(b"se\xff\xfe", id="not_text"),
        pytest.param("schl\u00fcssel".encode(), id="not_ascii"),
        pytest.param(b"secret-one\nsecret-two\n", id="two_lines"),
        pytest.param(b"secret one", id="blank_inside"),
    ],
)
def test_an_unusable_key_file_is_one_line_without_its_content(
    tmp_path: Path, content: bytes | None
) -> None:
    file = tmp_path / "key"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ApiSetupError) as caught:
        KeySource(file=file)
    text = str(caught.value)
    assert str(file) in text
    assert "secret" not in text
    assert "\n" not in text

    if content is not None:
        file.write_text(KEY)
        source = KeySource(file=file)
        file.write_bytes(content)
        assert source.refresh() is False
        assert source() == KEY


def test_no_key_at_all_says_where_to_put_one() -> None:
    with pytest.raises(ApiSetupError, match="BASETEN_API_KEY is not set"):
        KeySource(value=None)


def test_a_key_file_is_read_again_when_it_changes(tmp_path: Path) -> None:
    file, newer = tmp_path / "key", tmp_path / "newer"
    file.write_text("first-key")
    source = KeySource(file=file)
    assert source.refresh() is False
    newer.write_text("later-key")
    newer.replace(file)
    assert source.refresh() is True
    assert source() == "later-key"
    assert source.refresh() is False
    file.unlink()
    assert source.refresh() is False
    assert source() == "later-key"


def test_the_key_is_in_no_repr(tmp_path: Path) -> None:
    assert KEY not in repr(KeySource(value=KEY))


async def test_another_ca_is_trusted_as_soon_as_its_file_has_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with network(tmp_path) as net:
        monkeypatch.setenv("SSL_CERT_FILE", str(net.ca_file))
        async with api_at(net.server.url) as api:
            await _look(api)
            newer = tmp_path / "newer.pem"
            newer.write_bytes(net.rotate())
            await _look(api)
            for ask in (_look, _retry):
                with pytest.raises(NotSent, match="certificate verify failed"):
                    await ask(api)
            newer.replace(net.ca_file)
            await _retry(api)
            await _look(api)
            net.ca_file.write_text("not a certificate")
            await _look(api)
            net.ca_file.unlink()
            await _look(api)


async def test_a_connection_that_went_by_an_earlier_ca_is_not_used_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with network(tmp_path) as net:
        monkeypatch.setenv("SSL_CERT_FILE", str(net.ca_file))
        async with api_at(net.server.url) as api:
            await _look(api)
            net.ca_file.write_bytes(trustme.CA().cert_pem.bytes())
            with pytest.raises(NotSent, match="certificate verify failed"):
                await _look(api)


async def test_the_cas_are_read_again_on_demand_though_their_file_looks_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with network(tmp_path) as net:
        monkeypatch.setenv("SSL_CERT_FILE", str(net.ca_file))
        size = 10_000
        net.ca_file.write_bytes(net.ca_file.read_bytes().ljust(size))
        before = net.ca_file.stat()
        async with api_at(net.server.url) as api:
            await _look(api)
            net.ca_file.write_bytes(net.rotate().ljust(size))
            os.utime(net.ca_file, ns=(before.st_atime_ns, before.st_mtime_ns))
            await _look(api)
            with pytest.raises(NotSent):
                await _look(api)
            api.read_authorities()
            await _look(api)
            net.ca_file.write_text("not a certificate")
            with pytest.raises(ApiSetupError, match="SSL_CERT_FILE"):
                api.read_authorities()
            await _look(api)


async def test_settings_that_cannot_be_taken_up_change_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with network(tmp_path) as net:
        monkeypatch.setenv("SSL_CERT_FILE", str(net.ca_file))
        async with api_at(f"https://{HOST}:{net.server.port}") as api:
            monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "rotated-away.pem"))
            with pytest.raises(ApiSetupError, match="rotated-away"):
                api.prepare(
                    KeySource(file=None, value="another-key"),
                    request_timeout=timedelta(seconds=1),
                    max_requests_per_second=1,
                    concurrency=1,
                )
            await _look(api)
            monkeypatch.setenv("SSL_CERT_FILE", str(net.ca_file))
            take_up = api.prepare(
                KeySource(file=None, value="another-key"),
                request_timeout=timedelta(seconds=9),
                max_requests_per_second=50,
                concurrency=2,
            )
            await _look(api)
            await take_up()
            await _look(api)
    keys = [request.headers["authorization"] for request in net.server.requests]
    assert keys == [f"Api-Key {KEY}", f"Api-Key {KEY}", "Api-Key another-key"]
