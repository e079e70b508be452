"""A ledger behind a network delay of some milliseconds: how long a start, a takeover and a reload
take."""

import json
import signal
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.bench.measure import Figures, Row, Scale, ids, measured, server, values, workplace
from tests.fakes.postgres import shared
from tests.fakes.processes import Process, daemon, running
from tests.fakes.proxy import Proxy

DELAY_SECONDS = 0.005
"""In each direction: a statement takes ten milliseconds or more."""

TARGETS = 10_000
_BOUND_SECONDS = 10
_POLL_SECONDS = 0.05
_TIMES = 3


def of_the_watch_list(scale: Scale) -> list[Row]:
    """A new ledger with all models, then a replica that takes over, then a configuration in which
    every other model is another one."""
    targets = scale.of(TARGETS)
    found = [_life(ids(targets)) for _ in range(1 if scale.short else _TIMES)]
    what = {
        "start": "from the start of a process, with a new ledger, to its first check",
        "takeover": "from kill -9 to the first check of the replica that takes over",
        "reload": "from SIGHUP to a configuration in force, half of whose models are others",
    }
    return [
        measured(
            18,
            f"{text}: {targets:,} models, {DELAY_SECONDS * 1000:g} ms each way",
            values(found, name),
            "s",
            at_most=_BOUND_SECONDS,
        )
        for name, text in what.items()
    ]


def _life(models: Sequence[str]) -> Figures:
    figures: Figures = {}
    with (
        server(log=True) as api,
        _far_away() as store,
        workplace(api, models, store={"url": store}) as config,
    ):
        began = time.monotonic()
        with running(daemon(config)) as first:
            figures["start"] = _checked(api, began) - began
            with running(daemon(config)) as second:
                second.event("replica_standby")
                killed = time.monotonic()
                first.kill()
                second.event("replica_active")
                figures["takeover"] = _checked(api, time.monotonic()) - killed
                figures["reload"] = _reloaded(second, config, models)
    return figures


@contextmanager
def _far_away() -> Iterator[str]:
    """The URL of a new ledger, at the other end of a slow line."""
    database, url = shared(), shared().new_schema()
    line = Proxy(database.port, DELAY_SECONDS)
    try:
        yield url.replace(f":{database.port}/", f":{line.port}/")
    finally:
        line.close()


def _checked(api: str, since: float) -> float:
    """Wait for a check that began after that time. Returns when it did, by the monotonic clock."""
    while True:
        with urllib.request.urlopen(f"{api}/_bench/log") as answer:
            later = [at for at, _, _ in json.load(answer) if at > since]
        if later:
            return float(min(later))
        time.sleep(_POLL_SECONDS)


def _reloaded(process: Process, config: Path, models: Sequence[str]) -> float:
    others = [f"new-{each}" if number % 2 else each for number, each in enumerate(models)]
    settings = json.loads(config.read_text())
    settings["models"] = [{"id": model_id} for model_id in others]
    config.write_text(json.dumps(settings))
    asked = time.monotonic()
    process.signal(signal.SIGHUP)
    process.event("config_reloaded")
    return time.monotonic() - asked
