"""How close to the API's limit a sweep comes, and what delays a check or a retry."""

import json
import random
import sys
import time
import urllib.request
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from tests.bench.measure import (
    Figures,
    Row,
    Scale,
    at_once,
    ids,
    measured,
    percentile,
    ratio,
    server,
    values,
    workplace,
)
from tests.bench.seeded import seed
from tests.bench.sweep import sweep
from tests.fakes.processes import Process as Watched
from tests.fakes.processes import daemon, emulator, environment, requests, running

_RATE = 95
_POLL_SECONDS = 0.5
_PATIENCE_SECONDS = 300


def limit_of_the_api(scale: Scale) -> list[Row]:
    """All targets due at once, against the emulator, which counts as the API does."""
    targets = scale.of(1_000)
    found = [_sweep_at_once(targets) for _ in range(scale.times)]
    least = (targets - 1) / _RATE
    seconds = values(found, "seconds")
    what = f"time for {targets:,} checks due at once, beside what {_RATE}/s allows"
    refused = sum(each["throttled"] for each in found)
    return [
        ratio(3, what, seconds, [least] * len(found), "s", at_most=1.03),
        Row(3, "answers 429 seen in these sweeps", refused, "", "", at_most=0, sure=True),
    ]


def _sweep_at_once(targets: int) -> Figures:
    models = [{"id": each, "name": each, "deploys": [["ACTIVE"]]} for each in ids(targets)]
    sections: dict[str, Any] = {
        "baseten": {"max_requests_per_second": _RATE, "timeout": "10s"},
        "watch": {"interval": "1m", "recovery_interval": "15s"},
    }
    with workplace("", ids(targets), **sections) as config, emulator(config.parent, models) as url:
        _at(config, url)
        seed(config, ids(targets), spread=timedelta(0))
        with running(daemon(config)):
            log = _wait_for(lambda: requests(url), lambda log: len(_first(log)) == targets)
    firsts = _first(log).values()
    return {
        "seconds": (max(firsts) - min(firsts)).total_seconds(),
        "throttled": sum(each["status"] == 429 for each in log),
    }


def _first(log: list[dict[str, Any]]) -> dict[str, datetime]:
    """When each model was first looked at."""
    found: dict[str, datetime] = {}
    for each in log:
        found.setdefault(each["model_id"], datetime.fromisoformat(each["at"]))
    return found


def reaction(scale: Scale) -> list[Row]:
    """From the moment a deployment fails to its retry on the wire, with `first_delay` 0. The retry
    then waits for the cause, which is read with what the checks leave of the API's limit."""
    targets, failures = scale.of(2_000), scale.of(200)
    interval = timedelta(seconds=3 if scale.short else 30)
    rows = []
    for diagnose, told, bounds in (
        (False, "", {"the look that saw it": (50, 500), "an interval": (50, 500)}),
        (True, ", its cause read first", {"the look that saw it": (None, 11_000)}),
    ):
        found = [_reactions(targets, failures, interval, diagnose) for _ in range(scale.times)]
        for beyond, (median, nearly_all) in bounds.items():
            what = f"from BUILD_FAILED to the POST{told}, {targets:,} targets, beyond {beyond}"
            for share, label, bound in ((0.5, "median", median), (0.99, "99%", nearly_all)):
                runs = [1000 * percentile(run[_BEYOND[beyond]], share) for run in found]
                parts = f"{failures} retries in each run"
                rows.append(measured(4, f"{what}: {label}", runs, "ms", parts, at_most=bound))
    return rows


_BEYOND = {"the look that saw it": "after_it_was_seen", "an interval": "beyond_the_interval"}


def _reactions(targets: int, failures: int, interval: timedelta, diagnose: bool) -> Figures:
    """They fail at random over one interval. A target is looked at within 1.05 intervals."""
    seconds = interval.total_seconds()
    chosen = random.Random(targets).sample(ids(targets), failures)
    sections: dict[str, Any] = {
        "baseten": {"max_requests_per_second": _RATE, "timeout": "10s"},
        "watch": {"interval": f"{seconds * 1000:.0f}ms", "recovery_interval": "1s"},
        "diagnose": diagnose,
    }
    with server(log=True) as url, workplace(url, ids(targets), **sections) as config:
        seed(config, ids(targets), spread=interval)
        arguments = ["watched", config, "--first", 10**9, "--count", 1]
        with running(_start(*arguments)) as process:
            process.event("started")
            for model_id in chosen:
                time.sleep(seconds / failures * random.uniform(0.5, 1.5))
                _put(f"{url}/_bench/fail/{model_id}")
            log = _wait_for(
                lambda: _get(f"{url}/_bench/log"),
                lambda log: sum(what == "POST" for _, what, _ in log) >= failures,
            )
    failed, looked, posted = (_first_of(kind, log) for kind in ("FAIL", "FAILED", "POST"))
    return {
        "after_it_was_seen": [posted[m] - looked[m] for m in chosen],
        "beyond_the_interval": [max(0.0, posted[m] - failed[m] - seconds) for m in chosen],
    }


def _first_of(kind: str, log: list[tuple[float, str, str]]) -> dict[str, float]:
    found: dict[str, float] = {}
    for at, what, model_id in log:
        if what == kind:
            found.setdefault(model_id, at)
    return found


def head_of_line(scale: Scale) -> list[Row]:
    """Whether targets that never answer make the others late."""
    targets = scale.of(1_000)
    well = ids(targets)
    # Their due times are spread over the interval, as those of the others are.
    some_hang = [f"hang{n}" if n % 20 == 0 else each for n, each in enumerate(well)]
    with server() as url:
        found = at_once(
            {
                "with": lambda: _lateness(url, some_hang),
                "without": lambda: _lateness(url, well),
            },
            scale.times,
        )
    late = {
        name: [1000 * percentile(run["late_seconds"], 0.99) for run in runs]
        for name, runs in found.items()
    }
    what = "lateness of checks (99 %) while 1 target in 20 hangs, beside when none does"
    return [ratio(5, what, late["with"], late["without"], at_most=1.2)]


def _lateness(url: str, targets: list[str]) -> Figures:
    return sweep(
        url,
        targets,
        interval=timedelta(seconds=max(2.0, len(targets) / 50)),
        first=len(targets) // 10,
        count=len(targets),
        baseten={"max_requests_per_second": _RATE, "timeout": "2s"},
    )


def _start(*arguments: object) -> Watched:
    command = [sys.executable, "-m", f"tests.bench.{arguments[0]}", *map(str, arguments[1:])]
    return Watched(command, environment())


def _at(config: Path, url: str) -> None:
    settings = json.loads(config.read_text())
    settings["baseten"]["base_url"] = url
    config.write_text(json.dumps(settings))


def _wait_for(read: Any, enough: Any) -> Any:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < deadline:
        if enough(log := read()):
            return log
        time.sleep(_POLL_SECONDS)
    raise TimeoutError("too few requests came")


def _get(url: str) -> Any:
    with urllib.request.urlopen(url) as answer:
        return json.load(answer)


def _put(url: str) -> None:
    urllib.request.urlopen(urllib.request.Request(url, method="PUT")).close()
