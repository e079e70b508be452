"""What must hold between settings, beyond the shape of each: one line for each breach."""

from collections.abc import Iterator
from datetime import timedelta
from ipaddress import ip_address
from urllib.parse import urlsplit

from pydantic import ValidationError
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from watchdog.config.model import Config, PolicyRules
from watchdog.domain.status import HEALTHY_STATUSES, IN_PROGRESS_STATUSES

API_RETRIES_PER_MINUTE = 10
API_REQUESTS_PER_SECOND = 100
"""The API's documented limits for each key."""

_FLEET_WINDOW = timedelta(hours=24)
_SHORTEST_INTERVAL = timedelta(seconds=1)
"""Due targets are claimed once a second."""

_LONGEST_TIMEOUT = timedelta(seconds=25)
"""A reservation is good for 30 s, and the look before the POST must fit in."""

_LONGEST_STUCK_AFTER = timedelta(hours=24)
"""Attempts older than the fleet's day are no longer counted as in flight."""

_KNOWN_FAILURES = frozenset({"BUILD_FAILED", "DEPLOY_FAILED", "FAILED", "BUILD_STOPPED"})


def breaches(config: Config) -> Iterator[str]:
    """Settings that cannot work, or cannot work together."""
    yield from _baseten(config)
    yield from _watch(config)
    yield from _policy("policy", config.policy, config)
    yield from _fleet(config)
    yield from _models(config)
    yield from _store(config)


def warnings(config: Config) -> Iterator[str]:
    """Settings that work, and that somebody may not have meant."""
    if config.fleet.max_retries_per_minute > API_RETRIES_PER_MINUTE:
        yield (
            f"fleet.max_retries_per_minute: {config.fleet.max_retries_per_minute} is above the "
            f"API's {API_RETRIES_PER_MINUTE} a minute per key: the rest will be throttled"
        )
    if "breaker" in config.fleet.model_fields_set:
        yield "fleet.breaker: accepted, but this version does not act on it yet"
    for path, rules in _all_rules(config):
        if not rules.retry_on:
            yield f"{path}.retry_on: empty, so nothing is ever retried"
        if "BUILD_STOPPED" in rules.retry_on:
            yield f"{path}.retry_on: BUILD_STOPPED: a person stopped these builds on purpose"
        for status in rules.retry_on:
            if status not in _KNOWN_FAILURES:
                yield f"{path}.retry_on: {status} is no failure status known to this version"


def _baseten(config: Config) -> Iterator[str]:
    baseten = config.baseten
    url = urlsplit(baseten.base_url)
    if url.scheme not in ("http", "https") or not url.hostname:
        yield "baseten.base_url: not a URL: write it like https://api.baseten.co"
    elif url.path.strip("/") or url.query or url.fragment or url.username or url.password:
        yield "baseten.base_url: only a scheme, a host and a port, without path, query or user"
    elif url.scheme == "http" and not _loopback(url.hostname) and not baseten.allow_insecure_http:
        yield (
            "baseten.base_url: plain http would send the API key in the clear: use https, or set "
            "baseten.allow_insecure_http: true"
        )
    if not timedelta(0) < baseten.timeout <= _LONGEST_TIMEOUT:
        yield "baseten.timeout: must be more than 0s and at most 25s"
    if not 0 < baseten.max_requests_per_second <= API_REQUESTS_PER_SECOND:
        yield (
            "baseten.max_requests_per_second: must be more than 0 and at most "
            f"{API_REQUESTS_PER_SECOND}, the API's own limit"
        )


def _watch(config: Config) -> Iterator[str]:
    watch = config.watch
    for name in ("interval", "recovery_interval"):
        if getattr(watch, name) < _SHORTEST_INTERVAL:
            yield f"watch.{name}: must be at least 1s"
    if watch.recovery_interval > watch.interval:
        yield "watch.recovery_interval: must not be longer than watch.interval"


def _policy(path: str, rules: PolicyRules, config: Config) -> Iterator[str]:
    if rules.max_attempts_per_window < rules.max_attempts:
        yield (
            f"{path}.max_attempts_per_window: {rules.max_attempts_per_window} is below "
            f"max_attempts ({rules.max_attempts}), which could never be reached"
        )
    if config.fleet.max_attempts_per_window < rules.max_attempts:
        yield (
            f"{path}.max_attempts: {rules.max_attempts} is above fleet.max_attempts_per_window "
            f"({config.fleet.max_attempts_per_window}), and could never be reached"
        )
    yield from _times(path, rules, config)
    for status in rules.retry_on:
        if status in HEALTHY_STATUSES | IN_PROGRESS_STATUSES:
            yield f"{path}.retry_on: {status} is no failure: retrying it would break what works"


def _times(path: str, rules: PolicyRules, config: Config) -> Iterator[str]:
    for name in ("backoff", "window"):
        if getattr(rules, name) <= timedelta(0):
            yield f"{path}.{name}: must be more than 0s"
    if rules.backoff_max < rules.backoff:
        yield f"{path}.backoff_max: must not be shorter than backoff"
    if rules.healthy_reset < 2 * config.watch.interval:
        yield f"{path}.healthy_reset: must be at least two watch.intervals, or it cannot be seen"
    if rules.stuck_after <= config.watch.recovery_interval + config.baseten.timeout:
        yield (
            f"{path}.stuck_after: must be longer than watch.recovery_interval and baseten.timeout "
            "together, or every attempt is stuck"
        )
    if rules.stuck_after > _LONGEST_STUCK_AFTER:
        yield f"{path}.stuck_after: must be at most 24h"


def _fleet(config: Config) -> Iterator[str]:
    breaker = config.fleet.breaker
    if breaker.max_failures < breaker.min_failures:
        yield "fleet.breaker.max_failures: must not be below min_failures"
    for name in ("window", "cooldown"):
        if getattr(breaker, name) <= timedelta(0):
            yield f"fleet.breaker.{name}: must be more than 0s"


def _models(config: Config) -> Iterator[str]:
    seen: dict[str, int] = {}
    for number, model in enumerate(config.models):
        for kind, word in (("id", model.id), ("name", model.name)):
            if word is None:
                continue
            first = seen.setdefault(f"{kind} {word}", number)
            if first != number:
                yield f"models[{number}].{kind}: {word} is models[{first}]'s already"
        try:
            rules = config.rules_of(model)
        except ValidationError as error:
            for found in error.errors(include_input=False, include_url=False):
                path = ".".join(str(part) for part in found["loc"])
                message = found["msg"].removeprefix("Value error, ")
                yield f"models[{number}].policy.{path}: {message}"
        else:
            if model.policy:
                yield from _policy(f"models[{number}].policy", rules, config)


def _store(config: Config) -> Iterator[str]:
    try:
        url = make_url(config.store.url)
    except ArgumentError:
        yield "store.url: not a SQLAlchemy URL: write it like sqlite:////var/lib/watchdog/ledger.db"
        return
    if url.get_backend_name() != "sqlite":
        yield f"store.url: {url.get_backend_name()} is not supported by this version: use sqlite"
    elif url.database in (None, "", ":memory:"):
        yield "store.url: the limits need a ledger that outlives the process: name a file"
    longest = max((rules.window for _, rules in _all_rules(config)), default=_FLEET_WINDOW)
    if config.store.retention < max(longest, _FLEET_WINDOW):
        yield "store.retention: must not be shorter than a window (24h for the fleet's)"


def _all_rules(config: Config) -> Iterator[tuple[str, PolicyRules]]:
    yield "policy", config.policy
    for number, model in enumerate(config.models):
        if model.policy:
            try:
                yield f"models[{number}].policy", config.rules_of(model)
            except ValidationError:
                continue


def _loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
