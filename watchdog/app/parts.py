"""Making the parts that the daemon and the commands share, from the configuration."""

from collections.abc import Mapping
from types import MappingProxyType

from watchdog import __version__
from watchdog.baseten_api import KEY_VARIABLE, ApiSetupError, HttpBasetenApi, KeySource
from watchdog.clock import SystemClock
from watchdog.config import Config
from watchdog.engine.fleet.discovery import Known
from watchdog.engine.lifecycle.wiring import Engine, Fanout
from watchdog.engine.ports import BasetenApi, Clock, Listener
from watchdog.engine.settings import Model, Settings
from watchdog.ledger import LedgerSetupError, Role, SqlLedger


class SetupError(Exception):
    """The program cannot start. One line: what is wrong, where, and what to do."""


def make_engine(
    config: Config, api: BasetenApi, ledger: SqlLedger, clock: Clock, listener: Fanout
) -> Engine:
    return Engine(api, ledger, clock, listener, make_settings(config, ledger.owner))


def make_settings(config: Config, owner: str, discovered: Known = MappingProxyType({})) -> Settings:
    """A model that the configuration names follows its entry there, even if it is discovered
    too."""
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
        diagnose=config.diagnose,
    )


def make_key(config: Config, environ: Mapping[str, str]) -> KeySource:
    try:
        return KeySource(
            file=config.baseten.api_key_file,
            value=environ.get(KEY_VARIABLE),
            scheme=config.baseten.auth_scheme,
        )
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
    """Raises SetupError. From then on `clock` follows the clock of the ledger, if that has one."""
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
