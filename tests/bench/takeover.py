"""How long no daemon watches after the active one is killed: with a replica that stands by, and
with one daemon that a supervisor restarts at once."""

import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from tests.bench.measure import Figures, Row, Scale, interleaved, measured, median, values
from tests.fakes.postgres import shared
from tests.fakes.processes import (
    PATIENCE_SECONDS,
    Process,
    config_file,
    daemon,
    emulator,
    requests,
    running,
)

TARGETS = 20
"""Each is checked every second, which is as often as a configuration may ask for."""

_MODELS = [{"id": f"model{n:03}", "name": f"m{n}", "deploys": [["ACTIVE"]]} for n in range(TARGETS)]
_IDS = [str(model["id"]) for model in _MODELS]
_POLL_SECONDS = 0.05


def _gap(killed_at: datetime, checks: dict[str, datetime]) -> Figures:
    """Seconds from the kill to the first check, and until every target was checked again."""
    after = [(at - killed_at).total_seconds() for at in checks.values()]
    return {"first": min(after), "all": max(after)}


def of_a_standby() -> Figures:
    """Two replicas on PostgreSQL, and the active one is killed."""
    with _config(shared().new_schema()) as (api, config), running(daemon(config)) as active:
        active.event("replica_active")
        with running(daemon(config)) as other:
            other.event("replica_standby")
            _watched(api, datetime.now(UTC))
            return _gap(*_killed(active, api))


def of_a_restart() -> Figures:
    """One daemon on SQLite is killed, and started again as soon as its end is known."""
    with _config(None) as (api, config), running(daemon(config)) as first:
        first.event("replica_active")
        _watched(api, datetime.now(UTC))
        killed_at = datetime.now(UTC)
        first.signal(signal.SIGKILL)
        first.wait()
        with running(daemon(config)):
            return _gap(killed_at, _watched(api, killed_at))


@contextmanager
def _config(url: str | None) -> Iterator[tuple[str, Path]]:
    with tempfile.TemporaryDirectory(prefix="watchdog-bench-") as name:
        folder, store = Path(name), {} if url is None else {"store": {"url": url}}
        with emulator(folder, _MODELS) as api:
            yield api, config_file(folder, api, _IDS, **store)


def _killed(process: Process, api: str) -> tuple[datetime, dict[str, datetime]]:
    killed_at = datetime.now(UTC)
    process.signal(signal.SIGKILL)
    checks = _watched(api, killed_at)
    process.wait()
    return killed_at, checks


def _watched(api: str, since: datetime) -> dict[str, datetime]:
    """Wait until every target was checked after that time. Returns when each was first checked."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        checks: dict[str, datetime] = {}
        for request in requests(api):
            at = datetime.fromisoformat(request["at"])
            if at > since and request["model_id"] in _IDS:  # The list of models is asked for too.
                checks.setdefault(request["model_id"], at)
        if len(checks) == TARGETS:
            return checks
        time.sleep(_POLL_SECONDS)
    raise TimeoutError("nobody watches")


def of_the_watch(scale: Scale) -> list[Row]:
    """The two interleaved: whatever else the machine does applies to both."""
    standby = "a replica stands by, PostgreSQL"
    runs = {standby: of_a_standby, "restarted, SQLite": of_a_restart}
    bounds = {standby: 1.0}
    found = interleaved(runs, scale.times)
    return [
        measured(
            0,
            f"from kill -9 until all are checked: {name}",
            values(gaps, "all"),
            "s",
            f"first check {median(gaps, 'first'):.2f} s",
            at_most=bounds.get(name),
        )
        for name, gaps in found.items()
    ]
