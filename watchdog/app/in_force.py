"""The configuration and the discovered models that are in force. Only one change of either is made
at a time."""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import timedelta
from functools import partial

from watchdog.app.known_models import left, named, teams_of, wanted
from watchdog.app.parts import addresses_of, links_of, make_key, make_settings
from watchdog.app.setup import SetupError
from watchdog.baseten_api import ApiSetupError, HttpBasetenApi
from watchdog.config import Config
from watchdog.config.policies import overlooked
from watchdog.domain.discovery import ListedModel
from watchdog.engine.events import (
    ConfigDoubtful,
    IntervalStretched,
    NothingWatched,
    TargetForgotten,
    TeamsSeen,
    WatchingSeen,
)
from watchdog.engine.fleet.discovered import Known
from watchdog.engine.fleet.discovery import Discoverer
from watchdog.engine.fleet.teams import Teams
from watchdog.engine.fleet.teams import save as save_teams
from watchdog.engine.lifecycle.presence import Presence
from watchdog.engine.lifecycle.term import Term
from watchdog.engine.lifecycle.wiring import Engine
from watchdog.engine.settings import Settings
from watchdog.ledger import SqlLedger
from watchdog.notify import NotifyProblem, Receivers
from watchdog.telemetry.logs import LogListener

TEAMS_INTERVAL = timedelta(minutes=5)
"""How often the list of models is asked for where nothing is discovered: as often as discovery does
by default."""


class InForce:
    """Every change is applied completely or not at all."""

    def __init__(
        self,
        config: Config,
        environ: Mapping[str, str],
        engine: Engine,
        presence: Presence,
        api: HttpBasetenApi,
        log: LogListener,
        ledgers: Sequence[SqlLedger],
        notifier: Receivers,
    ) -> None:
        """`ledgers`: the mode of each is set to that of the settings in force."""
        self.config = config
        self.discovered: Known = {}
        self._teams: Teams = {}  # of the models that are watched
        self._listed: dict[str, str] = {}  # those of all models that the API lists
        self._doubts: Collection[str] = ()  # about the configuration, as last reported
        self._term: Term | None = None
        self._discoverer: Discoverer | None = None
        self._watching: Collection[str] | None = None  # as last reported in this term
        self._has_listed = False  # in this term
        self._nothing_told = False
        self._engine = engine
        self._presence = presence
        self._api = api
        self._log = log
        self._ledgers = ledgers
        self._notifier = notifier
        self._environ = environ
        self._changing = asyncio.Lock()

    @property
    def targets(self) -> int:
        return len(self._engine.settings.models)

    async def reload(self, config: Config) -> None:
        """Put another configuration in force. Raises SetupError or LedgerUnavailable, and has
        changed nothing then."""
        try:
            take_up_api = self._api.prepare(
                make_key(config, self._environ),
                request_timeout=config.baseten.timeout,
                max_requests_per_second=config.baseten.max_requests_per_second,
                concurrency=config.watch.concurrency,
            )
            take_up_receivers = self._notifier.prepare(addresses_of(config), links_of(config))
        except (ApiSetupError, NotifyProblem) as error:
            raise SetupError(str(error)) from error
        async with self._changing:
            # The receivers and their addresses together: a message may be sent at any moment.
            await self._change(config, wanted(self.discovered, config), take_up_receivers)
            await take_up_api()
            self._log.write_as(config.logging.level, config.logging.format)

    async def take_up(self, discovered: Known) -> None:
        """Put other discovered models in force. Raises LedgerUnavailable; then nothing has
        changed."""
        async with self._changing:
            if self.config.discovery is None:
                return
            if named(discovered) == named(self.discovered):
                # Only the number of listings that lack a model has changed, so the settings stay
                # the same.
                self.discovered = discovered
            else:
                await self._change(self.config, discovered)

    def read_again(self) -> None:
        """Read the CA certificates again. Everything else is read when it changes. Raises
        SetupError."""
        try:
            self._api.read_authorities()
        except ApiSetupError as error:
            raise SetupError(str(error)) from error

    async def learn(self, listed: Sequence[ListedModel]) -> None:
        """Take over in which team the API lists each model, and warn of rules that do not apply to
        models for which that team matters. Raises LedgerUnavailable, and has changed nothing
        then."""
        self._has_listed = True
        async with self._changing:
            teams = self._listed | {model.id: model.team for model in listed}
            known = teams_of(self.config, self._engine.settings, teams)
            if self._term is not None and known != self._teams:
                await self._engine.ledger.transact(partial(save_teams, teams=known))
                self._put_teams(known)
            self._listed = teams
            doubts = overlooked(self.config, listed)
            for doubt in doubts:
                if doubt not in self._doubts:
                    self._engine.listener(ConfigDoubtful(warning=doubt))
            self._doubts = doubts

    async def start_term(self) -> Term:
        """Start to watch, with the models that the previous active replica discovered. Raises
        LedgerUnavailable."""
        engine = self._engine
        async with self._changing:
            known, teams = await engine.ledger.transact(left)
            self._listed = dict(teams)
            if self.config.discovery is None:
                known = {}
            self._discoverer = Discoverer(engine.listing, engine.clock, engine.listener, self)
            self._term = term = Term(engine)
            self._has_listed = self._nothing_told = False
            await self._change(self.config, wanted(known, self.config))
            return term

    def end_term(self) -> None:
        """Forget the discovered models: from now on another replica discovers them."""
        self._term = self._watching = None
        if self.discovered:
            self._put_in_force(self.config, {}, self._settings(self.config, {}))

    async def discover(self) -> None:
        """Ask for the list of models if it is time to: for discovery, or for teams that the
        configuration does not give."""
        section = self.config.discovery
        if self._discoverer is None:
            return
        if section is not None:
            before = self._has_listed
            await self._discoverer.tick(section.rules(), section.interval)
            if self._has_listed and not before:
                self._tell_watching()  # Now it is known whether nothing is discovered.
        elif any(model.team is None for model in self.config.models):
            await self._discoverer.tick(None, TEAMS_INTERVAL)

    async def _change(
        self, config: Config, discovered: Known, also: Callable[[], None] = lambda: None
    ) -> None:
        """The one way in which settings change: first in the ledger, which may fail, and then in
        this process, with what `also` puts in force. A replica that stands by does not change the
        ledger. Raises LedgerUnavailable."""
        before, settings = self._engine.settings, self._settings(config, discovered)
        teams = teams_of(config, settings, self._listed)

        def put_in_force() -> None:
            self._put_in_force(config, discovered, settings)
            self._put_teams(teams)
            also()

        if self._term is None:
            put_in_force()
        else:
            await self._term.take_up(settings, discovered, teams, put_in_force)
            if self._term is None:
                self.end_term()  # It ended while the ledger was changed.
            self._tell_watching()
        for model_id in before.models.keys() - settings.models.keys():
            self._engine.listener(TargetForgotten(model_id=model_id))
        await self._beat()

    def _settings(self, config: Config, discovered: Known) -> Settings:
        return make_settings(config, self._engine.settings.owner, discovered)

    def _put_in_force(self, config: Config, discovered: Known, settings: Settings) -> None:
        before = self._engine.settings
        if config is not self.config:
            self._presence.configured()
        self.config, self.discovered = config, discovered
        self._engine.live.current = settings
        for ledger in self._ledgers:
            ledger.observe = settings.observe
        if settings.effective_interval != before.effective_interval:
            self.tell_stretched()

    def _put_teams(self, teams: Teams) -> None:
        if teams != self._teams:
            self._teams = teams
            self._engine.listener(TeamsSeen(teams=teams))

    def tell_stretched(self) -> None:
        settings = self._engine.settings
        effective = settings.effective_interval
        if effective > settings.interval:
            self._engine.listener(
                IntervalStretched(interval=settings.interval, effective=effective)
            )

    def _tell_watching(self) -> None:
        models = self._engine.settings.models.keys()
        if self._term is None:
            return
        if models != self._watching:
            self._watching, self._nothing_told = models, False
            self._engine.listener(WatchingSeen(count=len(models)))
        may_come = self.config.discovery is not None and not self._has_listed
        if not models and not may_come and not self._nothing_told:
            self._nothing_told = True
            self._engine.listener(NothingWatched())

    async def beat_if_due(self) -> None:
        if self._presence.is_due:
            await self.beat()

    async def beat(self) -> None:
        """Record in the ledger that this replica is alive. It waits until a change of the
        configuration has ended. Otherwise models whose targets the change has just added would be
        removed as unwanted."""
        async with self._changing:
            await self._beat()

    async def leave(self) -> None:
        """Record in the ledger that this replica ends."""
        await self._presence.leave()

    async def _beat(self) -> None:
        await self._presence.beat(watching=self._term is not None)
