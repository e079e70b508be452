"""What commands do with the parts: one pass, or one look at the ledger."""

import asyncio
from collections.abc import Callable, Mapping
from typing import TypeVar

from watchdog.app.parts import Engine, Fanout, SetupError, make_api, make_key, open_ledger
from watchdog.clock import SystemClock
from watchdog.config import Config
from watchdog.engine.check import Checked, look
from watchdog.engine.ports import LedgerTransaction, LedgerUnavailable
from watchdog.engine.watchlist import enlist
from watchdog.ledger import Role

T = TypeVar("T")


async def check_once(config: Config, environ: Mapping[str, str], *, retry: bool) -> list[Checked]:
    """One pass over all targets. Without `retry` the ledger is neither read nor written."""
    clock, listener = SystemClock(), Fanout()
    api = make_api(config, make_key(config, environ), clock, listener)
    try:
        if not retry:
            models = {model.id: model.name for model in config.models}
            return await asyncio.gather(
                *(
                    look(api, clock, policy, model_id, models[model_id])
                    for model_id, policy in config.policies().items()
                )
            )
        ledger = open_ledger(config, clock, Role.COMMAND)
        engine = Engine(config, api, ledger, clock, listener)
        try:
            await engine.breaker.tick()
            targets = await engine.ledger.transact(
                lambda tx: enlist(tx, engine.recorder, engine.settings)
            )
            return await asyncio.gather(*map(engine.checker.check, targets))
        except LedgerUnavailable as error:
            raise SetupError(str(error)) from error
        finally:
            # Interrupted or not: the answer to what was sent is recorded.
            engine.retrier.send_nothing_more()
            await engine.retrier.finish()
            await ledger.close()
    finally:
        await api.close()


async def read_ledger(config: Config, work: Callable[[LedgerTransaction], T]) -> T:
    """Run one reading transaction on the ledger. Raises SetupError."""
    ledger = open_ledger(config, SystemClock(), Role.READER)
    try:
        return await ledger.transact(work)
    except LedgerUnavailable as error:
        raise SetupError(str(error)) from error
    finally:
        await ledger.close()
