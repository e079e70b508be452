"""By which names the daemon may be asked, so that no web site can read its page through a visitor's
browser."""

import httpx
import pytest

from watchdog.web import build_app

_PATHS = ("/metrics", "/", "/static/page.js")


async def status(host: str | None, path: str = "/metrics") -> int:
    app = build_app(
        metrics={"text/x": lambda: iter((b"a 1\n",))},
        alive=lambda: None,
        ready=lambda: (),
        allowed_hosts=("Watchdog.example.com", "*.corp.example.com"),
    )
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
        request = client.build_request("GET", path)
        del request.headers["Host"]
        if host is not None:
            request.headers["Host"] = host
        return (await client.send(request)).status_code


@pytest.mark.parametrize(
    "host",
    [
        pytest.param("127.0.0.1:9464", id="loopback"),
        pytest.param("10.1.2.3:9464", id="a-pods-address"),
        pytest.param("[::1]:9464", id="ipv6"),
        pytest.param("[fd00::1]", id="ipv6-without-a-port"),
        pytest.param("localhost:9464", id="localhost"),
        pytest.param("watchdog:9464", id="a-container-or-service"),
        pytest.param("watchdog.monitoring.svc:9464", id="a-service"),
        pytest.param("watchdog.monitoring.svc.cluster.local.", id="a-service-in-full"),
        pytest.param("WATCHDOG.example.com", id="named"),
        pytest.param("a.b.corp.example.com:80", id="below-a-named-domain"),
        pytest.param(None, id="no-header"),
    ],
)
async def test_a_name_of_its_own_is_answered(host: str | None) -> None:
    assert await status(host) == 200


@pytest.mark.parametrize(
    "host",
    [
        pytest.param("evil.example.net:9464", id="another-site"),
        pytest.param("sub.watchdog.example.com", id="below-a-named-host"),
        pytest.param("corp.example.com", id="the-domain-itself"),
        pytest.param("evilcorp.example.com", id="ends-alike"),
        pytest.param("127.0.0.1.evil.example.net", id="begins-like-an-address"),
        pytest.param("evilsvc.dev", id="no-service"),
    ],
)
@pytest.mark.parametrize("path", _PATHS)
async def test_any_other_name_is_refused_whatever_is_asked_for(host: str, path: str) -> None:
    assert await status(host, path) == 421


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
async def test_a_probe_is_answered_by_any_name(path: str) -> None:
    assert await status("evil.example.net", path) == 200
