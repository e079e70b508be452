"""What must hold between settings, beyond the shape of each: one line for each breach."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from watchdog.config.model import Config, PolicyRules
from watchdog.config.urls import base_url_problem, store_url_problem
from watchdog.domain.limits import RESERVATION_TTL
from watchdog.domain.records import LONGEST_IN_FLIGHT
from watchdog.domain.status import HEALTHY_STATUSES, IN_PROGRESS_STATUSES
from watchdog.engine.lifecycle.sweep import TICK
from watchdog.text.duration import format_duration

API_RETRIES_PER_MINUTE = 10
API_REQUESTS_PER_SECOND = 100
"""The API's documented limits for each key. Baseten raises them on request, so that more is
a warning."""

_FLEET_WINDOW = timedelta(hours=24)

_LONGEST_TIMEOUT = RESERVATION_TTL - timedelta(seconds=5)
"""The GET before the POST must end within a reservation's time, and so must the wait for a turn to
send."""

"""Attempts older than the fleet's day are no longer counted as in flight."""

_KNOWN_FAILURES = frozenset({"BUILD_FAILED", "DEPLOY_FAILED", "FAILED", "BUILD_STOPPED"})


@dataclass(frozen=True, slots=True)
class Breach:
    """`path` is the setting to change, `others` are the settings that it conflicts with."""

    path: str
    text: str
    others: tuple[str, ...] = ()


def breaches(config: Config) -> Iterator[Breach]:
    """Settings that cannot work, or cannot work together."""
    yield from _baseten(config)
    yield from _watch(config)
    for path, rules in _all_rules(config):
        yield from _policy(path, rules, config)
        yield from _together(path, rules, config)
    yield from _fleet(config)
    yield from _models(config)
    yield from _discovery(config)
    yield from _store(config)


def warnings(config: Config) -> Iterator[str]:
    """Settings that work, but may be a mistake."""
    if config.fleet.max_retries_per_minute > API_RETRIES_PER_MINUTE:
        yield (
            f"fleet.max_retries_per_minute: {config.fleet.max_retries_per_minute} is above the "
            f"API's {API_RETRIES_PER_MINUTE} a minute per key: the rest will be throttled, "
            "unless Baseten has raised your limit"
        )
    if config.baseten.max_requests_per_second > API_REQUESTS_PER_SECOND:
        yield (
            f"baseten.max_requests_per_second: {config.baseten.max_requests_per_second:g} is above "
            f"the API's {API_REQUESTS_PER_SECOND} a second per key: the rest will be throttled, "
            "unless Baseten has raised your limit"
        )
    is_file = config.store.url.startswith("sqlite")
    if is_file and not Path(config.store.url.partition(":///")[2]).is_absolute():
        yield (
            "store.url: relative to where each command is started, and a new ledger has fresh "
            "limits: write it like sqlite:////var/lib/baseten-watchdog/ledger.db"
        )
    for path, rules in _all_rules(config):
        if not rules.retry_on:
            yield f"{path}.retry_on: empty, so nothing is ever retried"
        if "BUILD_STOPPED" in rules.retry_on:
            yield f"{path}.retry_on: BUILD_STOPPED: a person stopped these builds on purpose"
        for status in rules.retry_on:
            if status not in _KNOWN_FAILURES:
                yield f"{path}.retry_on: {status} is no failure status known to this version"


def _baseten(config: Config) -> Iterator[Breach]:
    baseten = config.baseten
    path = "baseten.base_url"
    problem = base_url_problem(baseten.base_url, insecure=baseten.allow_insecure_http)
    if problem:
        yield Breach(path, problem, ("baseten.allow_insecure_http",))
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


def _policy(path: str, rules: PolicyRules, config: Config) -> Iterator[Breach]:
    """The rules of a policy by themselves."""
    if rules.max_attempts_per_window < rules.max_attempts:
        yield Breach(
            f"{path}.max_attempts_per_window",
            f"{rules.max_attempts_per_window} is below max_attempts ({rules.max_attempts}), which "
            "could never be reached",
            _of_policy(path, "max_attempts"),
        )
    if rules.backoff <= timedelta(0):
        yield Breach(f"{path}.backoff", "must be more than 0s", _of_policy(path, "backoff"))
    if rules.backoff_max < rules.backoff:
        text = "must not be shorter than backoff"
        yield Breach(f"{path}.backoff_max", text, _of_policy(path, "backoff"))
    if rules.window <= rules.backoff:
        text = "must be longer than backoff: attempts that far apart never share a window"
        yield Breach(f"{path}.window", text, _of_policy(path, "backoff"))
    for status in rules.retry_on:
        if status in HEALTHY_STATUSES | IN_PROGRESS_STATUSES:
            text = f"{status} is no failure: retrying it would break what works"
            yield Breach(f"{path}.retry_on", text)
    if rules.stuck_after > LONGEST_IN_FLIGHT:
        most = format_duration(LONGEST_IN_FLIGHT)
        yield Breach(f"{path}.stuck_after", f"must be at most {most}")
    if rules.settle >= rules.stuck_after:
        text = f"must be shorter than stuck_after ({format_duration(rules.stuck_after)})"
        yield Breach(f"{path}.settle", text, _of_policy(path, "stuck_after"))


def _together(path: str, rules: PolicyRules, config: Config) -> Iterator[Breach]:
    """The rules of a policy beside those of the whole."""
    most = config.fleet.max_attempts_per_window
    if rules.window <= _FLEET_WINDOW and rules.max_attempts_per_window > most:
        yield Breach(
            f"{path}.max_attempts_per_window",
            f"{rules.max_attempts_per_window} is above fleet.max_attempts_per_window ({most}), "
            "and could never be reached",
            ("fleet.max_attempts_per_window", *_of_policy(path, "window")),
        )
    interval = _effective_interval(config)
    if rules.healthy_reset < 2 * interval:
        yield Breach(
            f"{path}.healthy_reset",
            f"must be at least two intervals ({format_duration(2 * interval)}), or health cannot "
            "be seen to last",
            ("watch.interval", "baseten.max_requests_per_second", "models"),
        )
    if rules.stuck_after <= config.watch.recovery_interval + config.baseten.timeout:
        yield Breach(
            f"{path}.stuck_after",
            "must be longer than watch.recovery_interval and baseten.timeout together, or every "
            "attempt is stuck",
            ("watch.recovery_interval", "baseten.timeout"),
        )
    longest = max(rules.window, rules.healthy_reset, _FLEET_WINDOW)
    if config.store.retention < longest:
        yield Breach(
            "store.retention",
            f"must be at least {format_duration(longest)}: what {path}.window, its healthy_reset "
            "and the fleet's 24h still count must be kept",
            (f"{path}.window", f"{path}.healthy_reset", *_of_policy(path, "window")),
        )


def _of_policy(path: str, name: str) -> tuple[str, ...]:
    """Where a rule may come from: a model's own, or the common one."""
    return tuple(dict.fromkeys((f"{path}.{name}", f"policy.{name}")))


def _effective_interval(config: Config) -> timedelta:
    """The interval, stretched to what the request rate can serve."""
    rate = config.baseten.max_requests_per_second
    slowest = len(config.models) / rate if rate > 0 else 0
    return max(config.watch.interval, timedelta(seconds=min(slowest, 1e9)))


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
    seen: dict[tuple[str, str], int] = {}
    for number, model in enumerate(config.models):
        for kind, word in (("id", model.id), ("name", model.name)):
            if word is None:
                continue
            first = seen.setdefault((kind, word), number)
            if first != number:
                path = f"models[{number}].{kind}"
                yield Breach(path, f"{word} is models[{first}]'s already", (f"models[{first}].id",))


def _discovery(config: Config) -> Iterator[Breach]:
    if config.discovery is not None and config.discovery.interval < TICK:
        yield Breach("discovery.interval", f"must be at least {format_duration(TICK)}")


def _store(config: Config) -> Iterator[Breach]:
    problem = store_url_problem(config.store.url)
    if problem:
        yield Breach("store.url", problem)


def _all_rules(config: Config) -> Iterator[tuple[str, PolicyRules]]:
    yield "policy", config.policy
    for number, model in enumerate(config.models):
        if model.policy.model_fields_set:
            yield f"models[{number}].policy", config.rules_of(model)
