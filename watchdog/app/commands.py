"""What commands do with the parts: one pass, or one look at the ledger."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
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
    """One pass over all targets. Without `retry` the ledger is neither read nor written. Raises
    SetupError."""
    if retry:
        async with open_engine(config, environ, Role.COMMAND) as engine:
            await engine.breaker.tick()
            targets = await engine.ledger.transact(
                lambda tx: enlist(tx, engine.recorder, engine.settings)
            )
            return await asyncio.gather(*map(engine.checker.check, targets))
    clock = SystemClock()
    api = make_api(config, make_key(config, environ), clock, Fanout())
    try:
        models = {model.id: model.name for model in config.models}
        return await asyncio.gather(
            *(
                look(api, clock, policy, model_id, models[model_id])
                for model_id, policy in config.policies().items()
            )
        )
    finally:
        await api.close()


@asynccontextmanager
async def open_engine(
    config: Config, environ: Mapping[str, str], role: Role
) -> AsyncIterator[Engine]:
    """The parts that check and retry, for one command. Raises SetupError, also where the ledger
    goes away meanwhile."""
    clock, listener = SystemClock(), Fanout()
    api = make_api(config, make_key(config, environ), clock, listener)
    async with AsyncExitStack() as parts:
        parts.push_async_callback(api.close)
        ledger = open_ledger(config, clock, role)
        parts.push_async_callback(ledger.close)
        engine = Engine(config, api, ledger, clock, listener)
        # Interrupted or not: the answer to what was sent is recorded.
        parts.push_async_callback(engine.retrier.finish)
        parts.callback(engine.retrier.send_nothing_more)
        try:
            yield engine
        except LedgerUnavailable as error:
            raise SetupError(str(error)) from error


async def read_ledger(config: Config, work: Callable[[LedgerTransaction], T]) -> T:
    """Run one reading transaction on the ledger. Raises SetupError."""
    ledger = open_ledger(config, SystemClock(), Role.READER)
    try:
        return await ledger.transact(work)
    except LedgerUnavailable as error:
        raise SetupError(str(error)) from error
    finally:
        await ledger.close()
