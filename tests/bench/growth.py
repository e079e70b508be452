"""How cost grows with the targets and with the ledger, and what a scrape and memory come to."""

import statistics
from datetime import timedelta
from functools import partial

from tests.bench import start
from tests.bench.measure import (
    Figures,
    Found,
    Row,
    Run,
    Scale,
    at_once,
    child,
    ids,
    interleaved,
    measured,
    ratio,
    server,
    values,
    workplace,
)
from tests.bench.seeded import seed
from tests.bench.sweep import sweep

_RATE = 95
_CHECKS_PER_SECOND = 90
_BYTES = 1024 * 1024


def of_the_fleet(scale: Scale) -> list[Row]:
    """At the API's own rate: many targets get as many checks a second as few."""
    sizes = [scale.of(each) for each in (100, 10_000)]
    with server() as url:
        sweeps = at_once({str(size): _sweep(url, size, scale) for size in sizes}, scale.times)
    claims = interleaved({str(size): _ledger(size, 10) for size in sizes}, scale.times)
    return [
        *_beside_smallest(sweeps, "CPU of a check at 90/s", "cpu_seconds", "checks", at_most=1.2),
        *_beside_smallest(claims, "time of a claim", "claim_ms"),
        *_beside_smallest(claims, "time of a reservation", "reserve_ms"),
        _of_a_reservation(scale),
    ]


def _of_a_reservation(scale: Scale) -> Row:
    """The transactions that decide about a failing target and reserve its attempt, in a large fleet
    and in a small one."""
    few, many, past = 10, scale.of(10_000), scale.of(1_000)
    found = interleaved({str(size): _ledger(size, past) for size in (few, many)}, scale.times)
    least, most = (values(runs, "reserve_cpu_ms") for runs in found.values())
    what = f"CPU of a reservation, {many:,} targets, {past:,} attempts in the ledger"
    parts = f"{statistics.median(least):.3g} ms with {few} targets"
    return measured(6, what, most, "ms", parts, at_most=3)


def of_memory(scale: Scale) -> list[Row]:
    """After every target was checked, ten times as fast as the API allows."""
    with server(log=True) as url:
        runs = {
            f"memory of the daemon, {targets:,} targets{what}": partial(
                start.lived, url, ids(targets), **sections
            )
            for targets in (30, scale.of(10_000))
            for what, sections in (("", {}), (f", {start.WITH_MORE}", start.MORE))
        }
        found = interleaved({start.FLOOR: start.floor, **runs}, scale.times)
    bounds = dict(zip(runs, (70, None, 95, None), strict=True))
    return [
        measured(
            8,
            what,
            values(figures, "resident_bytes", scale=1 / _BYTES),
            "MB",
            "resident set",
            at_most=bounds.get(what),
        )
        for what, figures in found.items()
    ]


def of_the_ledger(scale: Scale) -> list[Row]:
    targets, pasts = scale.of(1_000), (10, scale.of(100_000))
    with server() as url:
        sweeps = at_once(
            {str(past): _sweep(url, targets, scale, past) for past in pasts}, scale.times
        )
    ledgers = interleaved({str(past): _ledger(targets, past) for past in pasts}, scale.times)
    more = "attempts in the ledger"
    cpu = "CPU of a check at 90/s"
    return [
        *_beside_smallest(sweeps, cpu, "cpu_seconds", "checks", more=more, at_most=1.2),
        *_beside_smallest(ledgers, "time of a claim", "claim_ms", more=more, at_most=1.2),
        *_beside_smallest(ledgers, "time of a reservation", "reserve_ms", more=more, at_most=1.2),
    ]


def of_a_scrape(scale: Scale) -> list[Row]:
    rows = []
    each_ms = {}
    for targets in (scale.of(1_000), scale.of(2_000), scale.of(10_000)):
        found = [child("scraping", targets) for _ in range(scale.times)]
        what = f"a scrape of {targets:,} targets"
        ours, native = values(found, "ours_ms"), values(found, "native_ms")
        pause = values(found, "pause_ms")
        each_ms[targets] = values(found, "ours_ms", scale=1 / targets)
        rows += [
            ratio(7, f"CPU of {what}, beside native gauges", ours, native, at_most=1 / 4),
            measured(7, f"longest pause of the loop, {what}", pause, "ms", at_most=25),
        ]
    few, *_, many = each_ms
    what = f"CPU of a scrape for each of {many:,} targets, beside {few:,}"
    return [*rows, ratio(6, what, each_ms[many], each_ms[few])]


def over_a_week(scale: Scale) -> list[Row]:
    hours = 3 if scale.short else 7 * 24
    found = child("week", "--hours", hours)
    grown = found["growth_bytes"] / _BYTES
    parts = f"{found['checks']:,} checks, {found['retries']} retries"
    what = f"growth of memory over {hours} simulated hours, after the first"
    return [Row(8, what, grown, "MB", parts, at_most=1)]


def _sweep(url: str, targets: int, scale: Scale, past: int = 0) -> Run:
    return lambda: sweep(
        url,
        ids(targets),
        interval=timedelta(seconds=max(1.0, targets / _CHECKS_PER_SECOND)),
        first=min(targets, _CHECKS_PER_SECOND),
        count=scale.of(500),
        past=past,
        baseten={"max_requests_per_second": _RATE, "timeout": "10s"},
    )


def _ledger(targets: int, past: int) -> Run:
    def run() -> Figures:
        with workplace("http://127.0.0.1:1", ids(targets)) as config:
            seed(config, ids(targets), spread=timedelta(minutes=1), past=past)
            return child("ledgers", config)

    return run


def _beside_smallest(
    found: Found,
    what: str,
    name: str,
    per: str | None = None,
    *,
    more: str = "targets",
    at_most: float | None = None,
) -> list[Row]:
    (smallest, least), *others = found.items()
    scale = 1000 if name.endswith("_seconds") else 1
    base = values(least, name, per, scale=scale)
    return [
        ratio(
            6,
            f"{what}, {int(size):,} {more}, beside {int(smallest):,}",
            values(runs, name, per, scale=scale),
            base,
            at_most=at_most,
        )
        for size, runs in others
    ]
