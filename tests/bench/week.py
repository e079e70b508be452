"""A simulated week of the engine, its metrics, its log and its ledger. Reports how much memory the
process holds after the first hour, and how much more at the end."""

import argparse
import asyncio
import tempfile
from concurrent.futures import Executor, Future
from datetime import timedelta
from pathlib import Path
from typing import Any, TextIO

import looptime

from tests.bench.measure import ids
from tests.bench.usage import resident_bytes, tell
from tests.fakes.engine import START
from tests.fakes.processes import KEY, config_file
from tests.fakes.scripted_api import ScriptedApi
from tests.simulation.store import LedgerFile
from watchdog.app.parts import make_engine
from watchdog.baseten_api import KeySource
from watchdog.clock import SystemClock
from watchdog.config import load_config
from watchdog.engine.fleet.condition import Condition
from watchdog.engine.lifecycle.term import PRUNE_INTERVAL, Term
from watchdog.engine.lifecycle.wiring import Fanout
from watchdog.ledger import Role
from watchdog.telemetry.log_writer import LogWriter
from watchdog.telemetry.logs import LogListener
from watchdog.telemetry.metrics import Metrics

_STEP = timedelta(seconds=15)
_ONE_FAILS_EVERY = timedelta(minutes=40)
_SCRAPED_EVERY = timedelta(minutes=10)
_RETENTION = timedelta(days=1)
"""Short, so that the ledger's file reaches its size within the week."""


class AtOnce(Executor):
    """Replaces the ledger's thread, which does not follow virtual time."""

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        done: Future[Any] = Future()
        try:
            done.set_result(fn(*args, **kwargs))
        except Exception as error:  # noqa: BLE001 - passed on to whoever waits
            done.set_exception(error)
        return done


async def live(folder: Path, nowhere: TextIO, targets: int, span: timedelta) -> None:
    loop = asyncio.get_running_loop()
    clock = SystemClock(wall=lambda: START + timedelta(seconds=loop.time()), steady=loop.time)
    path = config_file(
        folder,
        "https://baseten.invalid",
        ids(targets),
        watch={"interval": "1m", "recovery_interval": "15s"},
        policy={"healthy_reset": "30m"},
    )
    config, api, file = load_config(path).config, ScriptedApi(clock), LedgerFile(START)
    ledger = file.open(Role.DAEMON, clock, AtOnce(), owner="daemon:1", observe=False)
    listener, metrics = Fanout(), Metrics(clock, Condition())
    engine = make_engine(config, api, ledger, clock, listener)
    key = KeySource(value=KEY)
    writer = LogWriter(nowhere)
    listener.add(LogListener(writer, key, level="info", form="json"))
    listener.add(metrics)
    term = Term(engine)
    await term.take_up(engine.settings, {}, {}, lambda: None)
    sweep = term.sweep
    sweep.start()
    after_an_hour = resident_bytes()
    for step in range(int(span / _STEP)):
        at = step * _STEP
        if at % _ONE_FAILS_EVERY == timedelta(0):
            fail(api, ids(targets)[step % targets])
        if at % PRUNE_INTERVAL == timedelta(0):
            before = clock.now() - _RETENTION
            await ledger.transact(lambda tx, before=before: tx.prune(before))  # type: ignore[misc]
        if at % _SCRAPED_EVERY == timedelta(0):
            b"".join(metrics.render())
        if at == timedelta(hours=1):
            after_an_hour = resident_bytes()
        await sweep.tick()
        await asyncio.sleep(_STEP.total_seconds())
    tell(
        resident_bytes=after_an_hour,
        growth_bytes=resident_bytes() - after_an_hour,
        checks=sum(api.gets.values()),
        retries=len(api.posts),
    )
    await sweep.stop(timedelta(seconds=1))
    writer.drain()
    file.close()


def fail(api: ScriptedApi, model_id: str) -> None:
    """Until it is retried."""
    api.set_status(model_id, "BUILD_FAILED")
    api.model(model_id).on_retry = lambda: api.set_status(model_id, "ACTIVE")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--targets", type=int, default=30)
    parser.add_argument("--hours", type=float, default=7 * 24)
    given = parser.parse_args()
    span = timedelta(hours=given.hours)
    with (
        tempfile.TemporaryDirectory(prefix="watchdog-bench-") as folder,
        Path("/dev/null").open("w") as nowhere,
    ):
        loop = looptime.new_event_loop(noop_cycles=0)
        loop.run_until_complete(live(Path(folder), nowhere, given.targets, span))
        loop.close()


if __name__ == "__main__":
    main()
