"""The cost of a check, compared with other ways to read a status."""

from datetime import timedelta
from functools import partial

from tests.bench.measure import (
    Figures,
    Found,
    Row,
    Scale,
    child,
    ids,
    interleaved,
    ratio,
    server,
    values,
)
from tests.bench.sweep import sweep

_AS_FAST_AS_IT_CAN = 1_000_000
_CHECKS_PER_SECOND = 500
_WORKERS, _LATENCY_SECONDS = 50, 0.05
_SATURATED_TARGETS = 1_100
"""Due every second, which is a little more than the workers can do: they are always busy."""

_PEERS = {"httpx": 4_000, "httpcore": 4_000, "aiohttp": 4_000, "requests": 2_000, "curl": 100}
"""How many requests each sends."""

_BOUNDS = {"aiohttp": 5, "requests": 1.1, "curl": 1 / 40}
"""The cost of a check must be at most this many times the cost of one of these requests."""

_NAMES = {
    "httpx": "a bare httpx GET",
    "httpcore": "a bare httpcore GET",
    "aiohttp": "a bare aiohttp GET",
    "requests": "a requests.Session loop",
    "curl": "bash, curl and jq",
}


def of_a_check(scale: Scale) -> list[Row]:
    """A steady sweep of healthy targets, with an API that answers at once. It is faster than the
    API allows, so that it does not last for minutes; `fleet` measures a check at the API's rate."""
    targets = scale.of(10_000)
    with server() as url:
        found = interleaved(
            {
                "daemon": lambda: _sweep(url, targets, scale.of(5_000)),
                "ours": lambda: _peer("ours", url, scale.of(4_000)),
                **{name: partial(_peer, name, url, scale.of(_PEERS[name])) for name in _PEERS},
            },
            scale.times,
        )
    check = f"CPU of a check at {_CHECKS_PER_SECOND}/s, {targets:,} targets"
    get = "CPU of one GET by the daemon's client"
    return [
        _beside(check, found, "daemon", "httpx"),
        *(_beside(check, found, "daemon", peer, at_most=most) for peer, most in _BOUNDS.items()),
        *(_beside(get, found, "ours", peer) for peer in ("httpx", "httpcore")),
    ]


def _beside(what: str, found: Found, ours: str, peer: str, *, at_most: float | None = None) -> Row:
    what = f"{what}, beside {_NAMES[peer]}"
    return ratio(1, what, _cpu_ms(found, ours), _cpu_ms(found, peer), at_most=at_most)


def at_50_workers(scale: Scale) -> list[Row]:
    """All workers busy, with an API that takes 50 ms."""
    targets = scale.of(_SATURATED_TARGETS)
    checks = 3 * targets  # so many that the start of a process is lost among them
    with server(latency_seconds=_LATENCY_SECONDS) as url:
        found = interleaved(
            {
                "ours": lambda: _saturated(url, targets, checks),
                "httpx": lambda: _peer("httpx", url, scale.of(1_000), _WORKERS),
                "hey": lambda: _peer("hey", url, checks // _WORKERS * _WORKERS, _WORKERS),
                "sequential": lambda: _peer("requests", url, scale.of(40)),
            },
            scale.times,
        )
    wall = _wall_ms(found, "ours")
    under_way = f"{_WORKERS} at once, 50 ms"
    return [
        ratio(
            2,
            f"CPU of a check, {under_way}, beside one httpx.AsyncClient",
            _cpu_ms(found, "ours"),
            _cpu_ms(found, "httpx"),
            at_most=1 / 10,
        ),
        ratio(
            2,
            f"time for a check, {under_way}, beside hey",
            wall,
            _wall_ms(found, "hey"),
            at_most=1.1,
        ),
        ratio(
            2,
            f"time for a check one after the other, beside {under_way}",
            _wall_ms(found, "sequential"),
            wall,
            at_least=45,
        ),
    ]


def _cpu_ms(found: Found, name: str) -> tuple[float, ...]:
    return values(found[name], "cpu_seconds", "checks", scale=1000)


def _wall_ms(found: Found, name: str) -> tuple[float, ...]:
    return values(found[name], "wall_seconds", "checks", scale=1000)


def _peer(name: str, url: str, requests: int, workers: int = 1) -> Figures:
    return child("peers", name, url, "--requests", requests, "--workers", workers)


def _sweep(url: str, targets: int, checks: int) -> Figures:
    return sweep(
        url,
        ids(targets),
        interval=max(timedelta(seconds=1), timedelta(seconds=targets / _CHECKS_PER_SECOND)),
        first=targets,
        count=checks,
        rate=_AS_FAST_AS_IT_CAN,
    )


def _saturated(url: str, targets: int, checks: int) -> Figures:
    return sweep(
        url,
        ids(targets),
        interval=timedelta(seconds=1),
        first=targets,
        count=checks,
        rate=_AS_FAST_AS_IT_CAN,
        watch={"concurrency": _WORKERS},
    )
