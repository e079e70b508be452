"""One pass of a command over all its targets."""

import asyncio

from watchdog.engine.lifecycle.watchlist import enlist
from watchdog.engine.lifecycle.wiring import Engine
from watchdog.engine.target.check import Checked


async def check_all(engine: Engine) -> list[Checked]:
    """Check each target once. Raises LedgerUnavailable where they cannot be recorded.

    The breaker is attended to before the looks, which may name a canary for this pass to retry, and
    after them, for what they showed.
    """
    settings = engine.settings
    targets = await engine.ledger.transact(lambda tx: enlist(tx, settings))
    await engine.breaker.tick()
    checked = await asyncio.gather(*map(engine.checker.check, targets))
    await engine.breaker.tick(naming=False)
    return checked
