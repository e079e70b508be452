"""Making the parts that the daemon and the commands share, from the configuration."""

import uuid
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from watchdog import __version__
from watchdog.baseten_api import KEY_VARIABLE, ApiSetupError, HttpBasetenApi, KeySource
from watchdog.clock import SystemClock
from watchdog.config import Config
from watchdog.engine.events import Event
from watchdog.engine.fleet.api_watch import ApiWatch
from watchdog.engine.fleet.breaker import BreakerKeeper
from watchdog.engine.fleet.discovery import Known
from watchdog.engine.fleet.listing import SharedListing
from watchdog.engine.lifecycle.ledger_watch import WatchedLedger
from watchdog.engine.ports import Clock, Listener
from watchdog.engine.settings import LiveSettings, Model, Settings
from watchdog.engine.target.attempt import Retrier
from watchdog.engine.target.check import Checker
from watchdog.engine.target.diagnosis import Diagnosis
from watchdog.engine.target.record import Recorder
from watchdog.ledger import LedgerSetupError, Role, SqlLedger


class SetupError(Exception):
    """It cannot start. One line: what is wrong, where, and what to do."""


class Fanout:
    """Passes each event on to every listener, in order."""

    def __init__(self, listeners: Iterable[Listener] = ()) -> None:
        self._listeners = list(listeners)

    def add(self, listener: Listener) -> None:
        self._listeners.append(listener)

    def __call__(self, event: Event) -> None:
        for listener in self._listeners:
            listener(event)


class Engine:
    """The parts that check and retry, wired."""

    def __init__(
        self,
        config: Config,
        api: HttpBasetenApi,
        ledger: SqlLedger,
        clock: Clock,
        listener: Fanout,
    ) -> None:
        self.api = api
        self.live = LiveSettings(make_settings(config, ledger.owner))
        self._ledgers = [ledger]
        self.ledger = WatchedLedger(ledger, clock, listener)
        listener.add(self.ledger.sent)
        self.retrier = Retrier(
            api, self.ledger, clock, listener, self.live, new_id=lambda: uuid.uuid4().hex
        )
        self.breaker = BreakerKeeper(self.ledger, self.live, listener)
        self.api_watch = ApiWatch(clock, listener, self.live)
        self.listing = SharedListing(api, clock, listener, self.live)
        self.checker = Checker(
            api,
            self.ledger,
            clock,
            listener,
            self.live,
            self.retrier,
            self.api_watch,
            self.listing,
        )
        listener.add(self.breaker)
        self.diagnosis = Diagnosis(api, self.ledger, clock, listener, self.live)
        listener.add(self.diagnosis)

    @property
    def settings(self) -> Settings:
        return self.live.current

    def put_in_force(self, settings: Settings) -> None:
        self.live.current = settings
        for ledger in self._ledgers:
            ledger.observe = settings.observe

    def reader(self) -> SqlLedger:
        """The ledger for those who only look: see there. To be closed by the caller."""
        made = self._ledgers[0].reader()
        self._ledgers.append(made)
        return made

    @property
    def recorder(self) -> Recorder:
        return Recorder(self.ledger, self.settings)


def make_settings(config: Config, owner: str, discovered: Known = MappingProxyType({})) -> Settings:
    """Models that the configuration names go by that, whether or not they are discovered too."""
    names = {model.id: model.name for model in config.models}
    common = config.discovered_policy()
    found = {model_id: Model(each.name, common) for model_id, each in discovered.items()}
    return Settings(
        observe=config.mode == "observe",
        owner=owner,
        models=found
        | {
            model_id: Model(names[model_id], policy)
            for model_id, policy in config.policies().items()
        },
        limits=config.fleet_limits(),
        breaker=config.breaker_rules(),
        interval=config.watch.interval,
        recovery_interval=config.watch.recovery_interval,
        timeout=config.baseten.timeout,
        concurrency=config.watch.concurrency,
        max_rate=config.baseten.max_requests_per_second,
    )


def make_key(config: Config, environ: Mapping[str, str]) -> KeySource:
    try:
        return KeySource(file=config.baseten.api_key_file, value=environ.get(KEY_VARIABLE))
    except ApiSetupError as error:
        raise SetupError(str(error)) from error


def make_api(config: Config, key: KeySource, clock: Clock, listener: Listener) -> HttpBasetenApi:
    try:
        return HttpBasetenApi(
            config.baseten.base_url,
            key,
            timeout=config.baseten.timeout,
            max_requests_per_second=config.baseten.max_requests_per_second,
            concurrency=config.watch.concurrency,
            user_agent=f"baseten-watchdog/{__version__}",
            clock=clock,
            listener=listener,
        )
    except ApiSetupError as error:
        raise SetupError(str(error)) from error


def open_ledger(config: Config, clock: SystemClock, role: Role) -> SqlLedger:
    """Raises SetupError. From then on `clock` is the ledger's."""
    try:
        ledger = SqlLedger.open(
            config.store.url,
            clock=clock,
            base_url=config.baseten.base_url,
            role=role,
            observe=config.mode == "observe",
        )
    except LedgerSetupError as error:
        raise SetupError(str(error)) from error
    if ledger.wall is not None:
        clock.follow(ledger.wall)
    return ledger
