"""How long the ledger's transactions take, by its size. Prints their medians."""

import argparse
import asyncio
import statistics
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from tests.bench.usage import tell
from tests.bench.watched import freed
from tests.fakes.records import OPEN
from watchdog.app.parts import make_settings
from watchdog.clock import SystemClock
from watchdog.config import load_config
from watchdog.domain.records import Observation
from watchdog.engine.look import Look
from watchdog.engine.ports import LedgerTransaction
from watchdog.engine.settings import Settings
from watchdog.engine.target.record import record_look, reserve
from watchdog.ledger import Role, SqlLedger

_TIMES = 100
_CLAIMED = 100
"""As many as the smallest fleet has: a tick's worth, at the API's limit."""


async def measure(config_path: Path) -> None:
    config = freed(load_config(config_path).config, None)
    clock = SystemClock()
    ledger = SqlLedger.open(
        config.store.url, clock=clock, base_url=config.baseten.base_url, role=Role.DAEMON
    )
    try:
        settings = make_settings(config, ledger.owner)
        claims = await _claims(ledger, timedelta(minutes=1))
        reservations = await _reservations(ledger, settings, list(config.policies())[:_TIMES])
    finally:
        await ledger.close()
    tell(
        claim_ms=statistics.median(claims) * 1000, reserve_ms=statistics.median(reservations) * 1000
    )


async def _claims(ledger: SqlLedger, interval: timedelta) -> list[float]:
    def claim(tx: LedgerTransaction) -> None:
        found = tx.targets.claim_due(tx.now() + interval * 3, limit=_CLAIMED, interval=interval)
        assert len(found) <= _CLAIMED

    return [await _timed(ledger, claim) for _ in range(_TIMES)]


async def _reservations(ledger: SqlLedger, settings: Settings, ids: list[str]) -> list[float]:
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


async def _timed(ledger: SqlLedger, work: Callable[[LedgerTransaction], None]) -> float:
    began = time.perf_counter()
    await ledger.transact(work)
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("config", type=Path)
    asyncio.run(measure(parser.parse_args().config))


if __name__ == "__main__":
    main()
