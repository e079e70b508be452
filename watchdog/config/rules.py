"""What must hold between settings, beyond the shape of each: one line for each breach."""

import re
from collections.abc import Iterator
from datetime import timedelta
from ipaddress import ip_address

from watchdog.config.breach import Breach
from watchdog.config.model import NOWHERE, Baseten, Config
from watchdog.config.policy_breaches import policy_breaches
from watchdog.domain.limits import RESERVATION_TTL
from watchdog.engine.settings import TICK
from watchdog.text.duration import format_duration

_LONGEST_TIMEOUT = RESERVATION_TTL - timedelta(seconds=5)
"""The GET before the POST must end within a reservation's time, and so must the wait for a turn to
send."""

_HOST_NAME = re.compile(r"([A-Za-z0-9_][A-Za-z0-9_-]*\.)*[A-Za-z_][A-Za-z0-9_-]*")


def breaches(config: Config) -> Iterator[Breach]:
    """Settings that cannot work, or cannot work together."""
    yield from _baseten(config)
    yield from _watch(config)
    yield from policy_breaches(config)
    yield from _fleet(config)
    yield from _models(config)
    yield from _discovery(config)
    yield from _notify(config)
    yield from _store(config)
    if not _is_host(config.server.host):
        yield Breach("server.host", "neither an IP address nor a host name, like 127.0.0.1 or ::")
    if config.server.external_url is not None:
        from watchdog.urls.api import page_url_problem

        if problem := page_url_problem(config.server.external_url):
            yield Breach("server.external_url", problem)


def _baseten(config: Config) -> Iterator[Breach]:
    baseten, default = config.baseten, Baseten()
    if baseten.base_url != default.base_url:
        # Slow to import, and the default is right.
        from watchdog.urls.api import base_url_problem

        problem = base_url_problem(baseten.base_url, insecure=baseten.allow_insecure_http)
        if problem:
            yield Breach("baseten.base_url", problem, ("baseten.allow_insecure_http",))
    if baseten.app_url != default.app_url:
        from watchdog.urls.api import app_url_problem

        if problem := app_url_problem(baseten.app_url):
            yield Breach("baseten.app_url", problem)
    if not timedelta(0) < baseten.timeout <= _LONGEST_TIMEOUT:
        most = format_duration(_LONGEST_TIMEOUT)
        yield Breach("baseten.timeout", f"must be more than 0s and at most {most}")
    if baseten.max_requests_per_second <= 0:
        yield Breach("baseten.max_requests_per_second", "must be more than 0")


def _watch(config: Config) -> Iterator[Breach]:
    watch = config.watch
    for name in ("interval", "recovery_interval"):
        if getattr(watch, name) < TICK:
            yield Breach(f"watch.{name}", f"must be at least {format_duration(TICK)}")
    if watch.recovery_interval > watch.interval:
        text = "must not be longer than watch.interval"
        yield Breach("watch.recovery_interval", text, ("watch.interval",))


def _fleet(config: Config) -> Iterator[Breach]:
    fleet, breaker = config.fleet, config.fleet.breaker
    for name in ("max_retries_per_minute", "max_in_flight"):
        if getattr(fleet, name) > fleet.max_attempts_per_window:
            yield Breach(
                f"fleet.{name}",
                f"{getattr(fleet, name)} is above fleet.max_attempts_per_window "
                f"({fleet.max_attempts_per_window}), and could never be reached",
                ("fleet.max_attempts_per_window",),
            )
    if breaker.max_failures < breaker.min_failures:
        text = "must not be below min_failures"
        yield Breach("fleet.breaker.max_failures", text, ("fleet.breaker.min_failures",))
    for name in ("window", "cooldown"):
        if getattr(breaker, name) <= timedelta(0):
            yield Breach(f"fleet.breaker.{name}", "must be more than 0s")


def _models(config: Config) -> Iterator[Breach]:
    """Each word must name one model: commands take ids and names."""
    seen: dict[tuple[str, str], int] = {}
    ids = {model.id: number for number, model in enumerate(config.models)}
    for number, model in enumerate(config.models):
        for kind, word in (("id", model.id), ("name", model.name)):
            if word is None:
                continue
            first = seen.setdefault((kind, word), number)
            if first != number:
                path = f"models[{number}].{kind}"
                yield Breach(path, f"{word} is models[{first}]'s already", (f"models[{first}].id",))
        other = ids.get(model.name or "", number)
        if other != number:
            text = f"{model.name} is models[{other}]'s id already"
            yield Breach(f"models[{number}].name", text, (f"models[{other}].id",))


def _notify(config: Config) -> Iterator[Breach]:
    names = [each.name for each in config.notify]
    for number, each in enumerate(config.notify):
        path = f"notify[{number}]"
        if (each.url is None) is (each.url_file is None):
            yield Breach(f"{path}.url", "give either url or url_file", (f"{path}.url_file",))
        first = names.index(each.name)
        if first != number:
            yield Breach(f"{path}.name", f"{each.name} is notify[{first}]'s already")


def _discovery(config: Config) -> Iterator[Breach]:
    if config.discovery is not None and config.discovery.interval < TICK:
        yield Breach("discovery.interval", f"must be at least {format_duration(TICK)}")


def _store(config: Config) -> Iterator[Breach]:
    if "url" not in config.store.model_fields_set:
        if config.store.url == NOWHERE:
            yield Breach(
                "store.url",
                "this user has no home directory for the ledger: set store.url (as a variable, "
                "BASETEN_WATCHDOG_STORE__URL) or XDG_STATE_HOME",
            )
        return
    # Slow to import, and the default is right.
    from watchdog.urls.ledger import ledger_url

    try:
        ledger_url(config.store.url)
    except ValueError as error:
        yield Breach("store.url", str(error))


def _is_host(text: str) -> bool:
    """Whether it has the form of an IP address or of a host name, which may exist or not."""
    try:
        name = text.encode("idna").decode().removesuffix(".")
        ip_address(name)
    except UnicodeError:
        return False
    except ValueError:
        # A name that ends in a number would be taken for an IPv4 address.
        return _HOST_NAME.fullmatch(name) is not None
    return True
