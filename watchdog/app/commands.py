"""What commands do with the parts: one pass over all targets, or one question to the API."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager

from watchdog.app.ledger import open_ledger
from watchdog.app.parts import make_api, make_engine, make_key, make_settings
from watchdog.app.setup import SetupError
from watchdog.baseten_api import HttpBasetenApi
from watchdog.clock import SystemClock
from watchdog.config import Config
from watchdog.domain.discovery import Discovered, Listing, after_listing
from watchdog.domain.records import Target
from watchdog.engine.fleet.discovered import Known
from watchdog.engine.fleet.listing import SharedListing
from watchdog.engine.lifecycle.one_pass import check_all
from watchdog.engine.lifecycle.wiring import Engine, Fanout
from watchdog.engine.ports import Clock, LedgerUnavailable
from watchdog.engine.settings import LiveSettings
from watchdog.engine.target.check import Checked, Viewer
from watchdog.ledger import Role


async def check_once(config: Config, environ: Mapping[str, str], *, retry: bool) -> list[Checked]:
    """One pass over all targets, configured and discovered. Without `retry` the ledger is neither
    read nor written. Raises SetupError, and ApiError where the models cannot be listed."""
    if retry:
        async with open_engine(config, environ, Role.COMMAND) as engine:
            discovered = await discover(engine.listing, config)
            engine.live.current = make_settings(config, engine.settings.owner, discovered)
            return await check_all(engine)
    clock, live = SystemClock(), LiveSettings(make_settings(config, ""))
    async with open_api(config, environ, clock) as api:
        listing = SharedListing(api, clock, Fanout(), live)
        live.current = make_settings(config, "", await discover(listing, config))
        viewer = Viewer(api, clock, listing)
        return await asyncio.gather(
            *(
                viewer.show(Target(model_id=model_id, name=model.name), model.policy)
                for model_id, model in live.current.models.items()
            )
        )


async def discover(listing: SharedListing, config: Config) -> Known:
    """The models that the configuration's patterns match now. Raises ApiError."""
    if config.discovery is None:
        return {}
    return after_listing({}, await listing.get(), config.discovery.rules())


async def list_models(config: Config, environ: Mapping[str, str]) -> Listing:
    """Raises SetupError and ApiError."""
    async with open_api(config, environ, SystemClock()) as api:
        return await api.list_models()


async def find_listed(
    config: Config, environ: Mapping[str, str], model_id: str
) -> Discovered | None:
    """What the API lists of a model. Raises SetupError and ApiError."""
    models = (await list_models(config, environ)).models
    return next((Discovered(each.name, each.team) for each in models if each.id == model_id), None)


@asynccontextmanager
async def open_api(
    config: Config, environ: Mapping[str, str], clock: Clock
) -> AsyncIterator[HttpBasetenApi]:
    """The API alone, for a command that needs no ledger. Raises SetupError."""
    api = make_api(config, make_key(config, environ), clock, Fanout())
    try:
        yield api
    finally:
        await api.close()


@asynccontextmanager
async def open_engine(
    config: Config, environ: Mapping[str, str], role: Role, *, make: bool = True
) -> AsyncIterator[Engine]:
    """The parts that check and retry, for one command. If there is no ledger, `make` it. Raises
    SetupError, also when the ledger becomes unavailable during the command."""
    clock, listener = SystemClock(), Fanout()
    api = make_api(config, make_key(config, environ), clock, listener)
    async with AsyncExitStack() as parts:
        parts.push_async_callback(api.close)
        ledger = open_ledger(config, clock, role, make=make)
        parts.push_async_callback(ledger.close)
        engine = make_engine(config, api, ledger, clock, listener)
        # If the command is interrupted, the answer to a retry that was sent is still waited for and
        # recorded.
        parts.push_async_callback(engine.retrier.finish)
        parts.callback(engine.retrier.send_nothing_more)
        try:
            yield engine
        except LedgerUnavailable as error:
            raise SetupError(str(error)) from error
