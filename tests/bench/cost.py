"""The cost of a check, compared with other ways to read a status."""

from datetime import timedelta

from tests.bench.measure import (
    Figures,
    Found,
    Row,
    Scale,
    child,
    ids,
    interleaved,
    median,
    ratio,
    server,
)
from tests.bench.sweep import sweep

_AS_FAST_AS_IT_CAN = 1_000_000
_CHECKS_PER_SECOND = 500
_WORKERS, _LATENCY_SECONDS = 50, 0.05
_SATURATED_TARGETS = 1_100
"""Due every second, which is a little more than the workers can do: they are always busy."""


def of_a_check(scale: Scale) -> list[Row]:
    """A steady sweep of healthy targets, with an API that answers at once."""
    few, many = scale.of(1_000), scale.of(10_000)
    with server() as url:
        found = interleaved(
            {
                "few": lambda: _sweep(url, few, scale.of(4_000)),
                "many": lambda: _sweep(url, many, scale.of(10_000)),
                "aiohttp": lambda: _peer("aiohttp", url, scale.of(4_000)),
                "requests": lambda: _peer("requests", url, scale.of(2_000)),
                "curl": lambda: _peer("curl", url, scale.of(100)),
                "connection": lambda: _peer("ours", url, scale.of(4_000)),
            },
            scale.times,
        )
    rows = []
    for name, targets in (("few", few), ("many", many)):
        ours = _cpu_ms(found, name)
        what = f"CPU of a check, {targets:,} targets, beside"
        for peer_name, bound in (("aiohttp", 5), ("requests", 1.1), ("curl", 1 / 40)):
            beside = _cpu_ms(found, peer_name)
            rows.append(ratio(1, f"{what} {_NAMES[peer_name]}", ours, beside, at_most=bound))
    ours, beside = _cpu_ms(found, "connection"), _cpu_ms(found, "aiohttp")
    what = f"CPU of one GET by the daemon's client, beside {_NAMES['aiohttp']}"
    return [*rows, ratio(1, what, ours, beside)]


def at_50_workers(scale: Scale) -> list[Row]:
    """All workers busy, with an API that takes 50 ms."""
    targets = scale.of(_SATURATED_TARGETS)
    checks = 5 * targets  # so many that the start of a process is lost among them
    with server(latency_seconds=_LATENCY_SECONDS) as url:
        found = interleaved(
            {
                "ours": lambda: _saturated(url, targets, checks),
                "httpx": lambda: _peer("httpx", url, scale.of(2_000), _WORKERS),
                "hey": lambda: _peer("hey", url, checks // _WORKERS * _WORKERS, _WORKERS),
                "sequential": lambda: _peer("requests", url, scale.of(100)),
            },
            scale.times,
        )
    wall = 1000 * median(found["ours"], "wall_seconds", "checks")
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
            1000 * median(found["hey"], "wall_seconds", "checks"),
            at_most=1.1,
        ),
        ratio(
            2,
            f"time for a check one after the other, beside {under_way}",
            1000 * median(found["sequential"], "wall_seconds", "checks"),
            wall,
            at_least=45,
        ),
    ]


_NAMES = {
    "aiohttp": "a bare aiohttp GET",
    "requests": "a requests.Session loop",
    "curl": "bash, curl and jq",
}


def _cpu_ms(found: Found, name: str) -> float:
    return 1000 * median(found[name], "cpu_seconds", "checks")


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
