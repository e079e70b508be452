"""One pass of a command over all its targets."""

import asyncio

from watchdog.engine.fleet.breaker import BreakerKeeper
from watchdog.engine.lifecycle.watchlist import enlist
from watchdog.engine.ports import Ledger
from watchdog.engine.settings import Settings
from watchdog.engine.target.check import Checked, Checker
from watchdog.engine.target.record import Recorder


async def check_all(
    ledger: Ledger, settings: Settings, keeper: BreakerKeeper, checker: Checker
) -> list[Checked]:
    """Check each target once. Raises LedgerUnavailable where they cannot be recorded.

    The breaker is attended to before the looks, which may name a canary for this pass to retry, and
    after them, for what they showed.
    """
    recorder = Recorder(ledger, settings)
    targets = await ledger.transact(lambda tx: enlist(tx, recorder, settings))
    await keeper.tick()
    checked = await asyncio.gather(*map(checker.check, targets))
    await keeper.tick(naming=False)
    return checked
