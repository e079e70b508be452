"""A scrape of many targets: its CPU beside native gauges, and how long the loop stands still."""

import argparse
import asyncio
import gzip
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime

from prometheus_client import CollectorRegistry, Gauge, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from tests.bench.measure import ids
from tests.bench.usage import cpu_seconds, tell
from tests.fakes.events import TARGET
from tests.fakes.records import POLICY, healthy
from watchdog.clock import SystemClock
from watchdog.engine.events import TargetChanged
from watchdog.engine.fleet.condition import Condition
from watchdog.telemetry.metrics import Metrics
from watchdog.web import WebServer, build_app

_ONE_FAILS_IN = 20
_SCRAPER = """
import sys, urllib.request
asked = urllib.request.Request(sys.argv[1], headers={"Accept-Encoding": "gzip"})
sys.stdout.buffer.write(urllib.request.urlopen(asked).read())
"""
_BEAT_SECONDS = 0.001


def metrics_of(targets: int) -> Metrics:
    metrics = Metrics(SystemClock(), Condition())
    for number, model_id in enumerate(ids(targets)):
        target = TARGET if number % _ONE_FAILS_IN == 0 else healthy()
        target = replace(target, model_id=model_id, name=model_id, observed_at=datetime.now(UTC))
        metrics(TargetChanged(target=target, policy=POLICY, attempts=()))
    return metrics


def native(exposition: str) -> CollectorRegistry:
    """The same series as labelled gauges of prometheus-client."""
    registry, gauges = CollectorRegistry(), dict[str, Gauge]()
    for family in text_string_to_metric_families(exposition):
        for sample in family.samples:
            if not sample.labels:
                continue
            if sample.name not in gauges:
                gauges[sample.name] = Gauge(sample.name, "-", sample.labels, registry=registry)
            gauges[sample.name].labels(**sample.labels).set(sample.value)
    return registry


async def longest_pause(metrics: Metrics) -> tuple[float, bytes]:
    """For how many seconds the loop was blocked while it answered a scrape, and the answer."""
    app = build_app(
        metrics=metrics.formats,
        alive=lambda: None,
        ready=lambda: (),
    )
    server = WebServer(app, host="127.0.0.1", port=0)
    await server.start()
    scraper = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _SCRAPER, f"{server.url}/metrics", stdout=asyncio.subprocess.PIPE
    )
    answer = asyncio.ensure_future(scraper.communicate())
    longest, last = 0.0, time.monotonic()
    while not answer.done():
        await asyncio.sleep(_BEAT_SECONDS)
        now = time.monotonic()
        longest, last = max(longest, now - last - _BEAT_SECONDS), now
    body, _ = answer.result()
    await server.stop()
    return longest, gzip.decompress(body)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("targets", type=int)
    metrics = metrics_of(parser.parse_args().targets)
    exposition = b"".join(metrics.render()).decode()
    registry = native(exposition)
    generate_latest(registry)
    began = cpu_seconds()
    b"".join(metrics.render())
    ours = cpu_seconds()
    generate_latest(registry)
    natives = cpu_seconds() - ours
    pause, body = asyncio.run(longest_pause(metrics))
    assert body.decode().count("\n") >= exposition.count("\n")
    tell(ours_ms=(ours - began) * 1000, native_ms=natives * 1000, pause_ms=pause * 1000)


if __name__ == "__main__":
    main()
