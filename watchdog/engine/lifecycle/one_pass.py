"""One pass of a command over all its targets."""

import asyncio

from watchdog.engine.lifecycle.watchlist import targets_for_command
from watchdog.engine.lifecycle.wiring import Engine
from watchdog.engine.target.check import Checked


async def check_all(engine: Engine) -> list[Checked]:
    """Check each target once. Raises LedgerUnavailable where they cannot be recorded.

    The breaker is judged twice: before the looks, so that a canary may be named which this pass
    then retries; and after them, so that what the looks showed is taken into account, without
    naming another canary.
    """
    settings = engine.settings
    targets = await engine.ledger.transact(lambda tx: targets_for_command(tx, settings))
    await engine.breaker.tick()
    checked = await asyncio.gather(*map(engine.checker.check, targets))
    await engine.breaker.tick(naming=False)
    return checked
