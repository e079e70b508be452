"""Making the parts that the daemon and the commands share, from the configuration."""

from collections.abc import Iterable, Mapping
from functools import lru_cache, partial
from types import MappingProxyType

from watchdog import __version__
from watchdog.app.setup import SetupError
from watchdog.baseten_api import KEY_VARIABLE, ApiSetupError, HttpBasetenApi, KeySource
from watchdog.config import Config, discovered_policies, policies
from watchdog.domain.causes import Cause, Match, Pattern
from watchdog.engine.fleet.condition import Condition
from watchdog.engine.fleet.discovered import Known
from watchdog.engine.lifecycle.wiring import Engine, Fanout
from watchdog.engine.ports import BasetenApi, Clock, Listener, Notifier
from watchdog.engine.settings import Model, Settings
from watchdog.ledger import SqlLedger
from watchdog.notify import Address, Links, NotifyProblem, Receivers, problems


def make_engine(
    config: Config,
    api: BasetenApi,
    ledger: SqlLedger,
    clock: Clock,
    listener: Fanout,
    *,
    notifier: Notifier | None = None,
    condition: Condition | None = None,
) -> Engine:
    """`notifier` and `condition` as in `Engine`."""
    settings = make_settings(config, ledger.owner)
    return Engine(api, ledger, clock, listener, settings, notifier=notifier, condition=condition)


def addresses_of(config: Config) -> dict[str, Address]:
    """Where each receiver of notifications is."""
    return {
        each.name: Address(None if each.url is None else each.url.get_secret_value(), each.url_file)
        for each in config.notify
    }


def links_of(config: Config) -> Links:
    """Where notifications link to."""
    return Links(config.server.external_url, config.baseten.app_url)


def receiver_problems(config: Config) -> list[str]:
    """Why receivers of notifications cannot be used: one line for each, without the URL."""
    return list(problems(addresses_of(config)))


def make_notifier(config: Config) -> Receivers:
    """Raises SetupError."""
    try:
        return Receivers(addresses_of(config), links_of(config))
    except NotifyProblem as error:
        raise SetupError(str(error)) from error


def make_settings(config: Config, owner: str, discovered: Known = MappingProxyType({})) -> Settings:
    """A model that the configuration names follows its entry there, even if it is discovered
    too."""
    names = {model.id: model.name for model in config.models}
    found = {
        model_id: Model(discovered[model_id].name, policy)
        for model_id, policy in discovered_policies(config, discovered).items()
    }
    return Settings(
        observe=config.mode == "observe",
        owner=owner,
        models=found
        | {
            model_id: Model(names[model_id], policy)
            for model_id, policy in policies(config).items()
        },
        limits=config.fleet_limits(),
        breaker=config.breaker_rules(),
        interval=config.watch.interval,
        recovery_interval=config.watch.recovery_interval,
        timeout=config.baseten.timeout,
        concurrency=config.watch.concurrency,
        max_rate=config.baseten.max_requests_per_second,
        diagnose=config.diagnose,
        match=partial(_match, config.own_causes()),
        app_url=config.baseten.app_url,
        receivers=config.receivers(),
    )


def _match(own: tuple[tuple[str, Cause], ...], line: str) -> Iterable[Pattern]:
    return _catalogue(own)(line)


@lru_cache(maxsize=2)
def _catalogue(own: tuple[tuple[str, Cause], ...]) -> Match:
    # Slow to import and to compile, and needed only once something fails.
    from watchdog.config.causes import Catalogue

    return Catalogue(own)


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
