"""The configuration and the discovered models that are in force. They change one at a time."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any

from watchdog.app.parts import SetupError, make_key, make_settings
from watchdog.baseten_api import ApiSetupError, HttpBasetenApi
from watchdog.config import Config
from watchdog.domain.discovery import still_wanted
from watchdog.engine.events import (
    IntervalStretched,
    NothingWatched,
    TargetForgotten,
    WatchingSeen,
)
from watchdog.engine.fleet.discovery import Discoverer, Known, load
from watchdog.engine.lifecycle.presence import Presence
from watchdog.engine.lifecycle.term import Term
from watchdog.engine.lifecycle.wiring import Engine
from watchdog.engine.settings import Settings
from watchdog.ledger import SqlLedger


class InForce:
    """Every change is applied completely or not at all."""

    def __init__(
        self,
        config: Config,
        environ: Mapping[str, str],
        engine: Engine,
        presence: Presence,
        api: HttpBasetenApi,
        ledgers: Sequence[SqlLedger],
    ) -> None:
        """`ledgers`: each is set to observe, or not, as the settings in force say."""
        self.config = config
        self._term: Term | None = None
        self._discovered: Known = {}
        self._engine = engine
        self._presence = presence
        self._api = api
        self._ledgers = ledgers
        self._environ = environ
        self._changing = asyncio.Lock()

    async def reload(self, config: Config) -> None:
        """Put another configuration in force. Raises SetupError or LedgerUnavailable."""
        try:
            take_up_api = self._api.prepare(
                make_key(config, self._environ),
                request_timeout=config.baseten.timeout,
                max_requests_per_second=config.baseten.max_requests_per_second,
                concurrency=config.watch.concurrency,
            )
        except ApiSetupError as error:
            raise SetupError(str(error)) from error
        async with self._changing:
            await self._change(config, _wanted(self._discovered, config))
            await take_up_api()

    async def start_term(self) -> Term:
        """Start to watch, with the models that the previous active replica discovered. Raises
        LedgerUnavailable."""
        async with self._changing:
            engine = self._engine
            if self.config.discovery is not None:
                self._discovered = _wanted(await engine.ledger.transact(load), self.config)
                self._put_in_force(self._settings(self.config, self._discovered))
            self._term = Term(engine, await engine.begin_sweep())
            self._tell_watching()
            return self._term

    def end_term(self) -> None:
        """Forget the discovered models: from now on another replica discovers them."""
        self._term = None
        if self._discovered:
            self._discovered = {}
            self._put_in_force(self._settings(self.config, {}))

    def _settings(self, config: Config, discovered: Known) -> Settings:
        return make_settings(config, self._engine.settings.owner, discovered)

    def _put_in_force(self, settings: Settings) -> None:
        before = self._engine.settings
        self._engine.live.current = settings
        for ledger in self._ledgers:
            ledger.observe = settings.observe
        if settings.effective_interval != before.effective_interval:
            self.tell_stretched()

    def discovery(self) -> Callable[[], Coroutine[Any, Any, None]]:
        """The function that does a round of discovery when one is due."""

        async def take_up(known: Known) -> None:
            async with self._changing:
                if self.config.discovery is None:
                    return
                if _named(known) == _named(self._discovered):
                    self._discovered = known  # One left the listing, or is in it again.
                else:
                    await self._change(self.config, known)

        discoverer = Discoverer(
            self._engine.listing,
            self._engine.clock,
            self._engine.listener,
            known=lambda: self._discovered,
            take_up=take_up,
        )

        async def discover() -> None:
            if (section := self.config.discovery) is not None:
                await discoverer.tick(section.rules(), section.interval)

        return discover

    def tell_stretched(self) -> None:
        settings = self._engine.settings
        effective = settings.effective_interval
        if effective > settings.interval:
            self._engine.listener(
                IntervalStretched(interval=settings.interval, effective=effective)
            )

    def _tell_watching(self) -> None:
        count = len(self._engine.settings.models)
        self._engine.listener(WatchingSeen(count=count))
        if not count:
            self._engine.listener(NothingWatched())

    async def _change(self, config: Config, discovered: Known) -> None:
        """A replica that stands by does not change the ledger. Raises LedgerUnavailable."""
        before, settings = self._engine.settings, self._settings(config, discovered)
        term = self._term
        known = await term.take_up(settings, discovered) if term is not None else []
        self.config, self._discovered = config, discovered
        self._put_in_force(settings)
        if term is not None and self._term is term:  # The term may have ended during the change.
            term.changed(known)
            if settings.models.keys() != before.models.keys():
                self._tell_watching()
        for model_id in before.models.keys() - settings.models.keys():
            self._engine.listener(TargetForgotten(model_id=model_id))
        await self._beat()

    async def beat(self) -> None:
        """Record in the ledger that this replica is alive. It waits for a change to end: models
        that are not in force yet must not count as unwanted."""
        async with self._changing:
            await self._beat()

    async def leave(self) -> None:
        """Record in the ledger that this replica ends."""
        await self._presence.leave()

    async def _beat(self) -> None:
        await self._presence.tick(watching=self._term is not None)


def _wanted(known: Known, config: Config) -> Known:
    section = config.discovery
    return {} if section is None else still_wanted(known, section.rules())


def _named(known: Known) -> dict[str, tuple[str, str]]:
    return {model_id: (model.name, model.team) for model_id, model in known.items()}
