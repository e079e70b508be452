"""How long the ledger's transactions take, by its size. Prints their medians."""

import argparse
import asyncio
import statistics
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

from tests.bench.usage import tell
from tests.bench.watched import freed
from tests.fakes.records import OPEN
from watchdog.app.parts import make_settings
from watchdog.clock import SystemClock
from watchdog.config import load_config
from watchdog.domain.records import Observation
from watchdog.engine.lifecycle.claims import made
from watchdog.engine.look import Look
from watchdog.engine.ports import LedgerTransaction
from watchdog.engine.settings import Settings
from watchdog.engine.target.record import record_look, reserve
from watchdog.ledger import Role, SqlLedger

_TIMES = 100
_CLAIMED = 100
"""As many as the smallest fleet has: a tick's worth, at the API's limit."""


class _Took(NamedTuple):
    """What one transaction took, in seconds. `cpu` is that of all threads of this process."""

    wall: float
    cpu: float


async def measure(config_path: Path) -> None:
    # A daemon that reads causes would wait for one before it reserves.
    config = freed(load_config(config_path).config.model_copy(update={"diagnose": False}), None)
    clock = SystemClock()
    ledger = SqlLedger.open(
        config.store.url, clock=clock, base_url=config.baseten.base_url, role=Role.DAEMON
    )
    try:
        settings = make_settings(config, ledger.owner)
        claims = await _claims(ledger, timedelta(minutes=1))
        reservations = await _reservations(ledger, settings, list(settings.models)[:_TIMES])
    finally:
        await ledger.close()
    tell(
        claim_ms=statistics.median([each.wall for each in claims]) * 1000,
        reserve_ms=statistics.median([each.wall for each in reservations]) * 1000,
        reserve_cpu_ms=statistics.median([each.cpu for each in reservations]) * 1000,
    )


async def _claims(ledger: SqlLedger, interval: timedelta) -> list[_Took]:
    def claim(tx: LedgerTransaction) -> None:
        until = tx.now() + interval * 3
        found = tx.targets.due(until, limit=_CLAIMED, interval=interval, claims={})
        assert len(found) <= _CLAIMED
        tx.targets.plan(made(found, tx.now(), interval))

    return [await _timed(ledger, claim) for _ in range(_TIMES)]


async def _reservations(ledger: SqlLedger, settings: Settings, ids: list[str]) -> list[_Took]:
    """Each target fails, and gets an attempt that is answered."""
    taken = []
    for number, model_id in enumerate(ids):

        def fail(tx: LedgerTransaction, model_id: str = model_id) -> None:
            target = tx.targets.get(model_id)
            assert target is not None
            assert target.deployment is not None
            now = tx.now()
            seen = Observation("BUILD_FAILED", target.deployment, now)
            assert record_look(tx, settings, target, Look(now, seen), OPEN)

        def make(tx: LedgerTransaction, model_id: str = model_id, number: int = number) -> None:
            target = tx.targets.get(model_id)
            assert target is not None
            _, attempt = reserve(tx, settings, target, f"new-{number}", OPEN)
            assert attempt is not None

        await ledger.transact(fail)
        taken.append(await _timed(ledger, make))
    return taken


async def _timed(ledger: SqlLedger, work: Callable[[LedgerTransaction], None]) -> _Took:
    began, cpu_began = time.perf_counter(), time.process_time()
    await ledger.transact(work)
    return _Took(time.perf_counter() - began, time.process_time() - cpu_began)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("config", type=Path)
    asyncio.run(measure(parser.parse_args().config))


if __name__ == "__main__":
    main()
