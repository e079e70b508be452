"""Settings that work, but may be a mistake: one line for each warning."""

from collections.abc import Iterator, Sequence

from watchdog.config.model import Config
from watchdog.config.policies import all_rules, rule_of_configured
from watchdog.domain.discovery import first_match
from watchdog.domain.status import BUILD_STOPPED, INACTIVE, STOPPED_STATUSES

API_RETRIES_PER_MINUTE = 10
API_REQUESTS_PER_SECOND = 100
"""The API's documented limits for each key. Baseten raises them on request, so a higher setting is
only a warning."""

_KNOWN_FAILURES = STOPPED_STATUSES | {"BUILD_FAILED", "DEPLOY_FAILED", "FAILED", "UNHEALTHY"}


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
    if _is_relative(config):
        yield (
            "store.url: without a file, relative to where each command is started, and a new "
            "ledger has fresh limits: write it like sqlite:////var/lib/baseten-watchdog/ledger.db"
        )
    for path, rules in all_rules(config):
        yield from (f"{path}.retry_on: {doubt}" for doubt in _doubts(rules.retry_on))
    if config.discovery is not None and config.discovery.rules().want_none:
        rest = "" if config.models else ", and nothing is watched"
        yield f"discovery.exclude: excludes all that `include` selects: none is discovered{rest}"
    if config.discovery is None and config.models:
        yield from _unused_rules(config)
    for number, receiver in enumerate(config.notify):
        if not receiver.events:
            yield f"notify[{number}].events: empty, so nothing is ever sent to {receiver.name}"


def nothing_watched(config: Config) -> Iterator[str]:
    """What a daemon says at its start, by an event of its own."""
    if not config.watches_any:
        yield "models: none is configured, and none is discovered: nothing is watched"


def _doubts(retry_on: Sequence[str]) -> Iterator[str]:
    if not retry_on:
        yield "empty, so nothing is ever retried"
    if BUILD_STOPPED in retry_on:
        yield f"{BUILD_STOPPED}: a person stopped these builds on purpose"
    if INACTIVE in retry_on:
        yield f"{INACTIVE}: a person may have deactivated these on purpose"
    for status in retry_on:
        if status not in _KNOWN_FAILURES:
            yield f"{status} is no failure status known to this version"


def _unused_rules(config: Config) -> Iterator[str]:
    used = {rule_of_configured(config, model) for model in config.models}
    for number, rule in enumerate(config.rules):
        if number in used:
            continue
        matched = any(
            first_match(rule.match, model.id, model.name, model.team) is not None
            for model in config.models
        )
        slash = next((pattern for pattern in rule.match if "/" in pattern), None)
        if matched:
            why = "an earlier rule matches each that this one matches"
        elif slash is not None and not any(model.team for model in config.models):
            why = f"{slash} needs `team` in their entries"
        else:
            why = "no pattern matches one"
        yield f"rules[{number}]: applies to none of the models: {why}"


def _is_relative(config: Config) -> bool:
    """Whether it depends on the working directory which file is the ledger."""
    if "url" not in config.store.model_fields_set:
        return False
    from watchdog.urls.ledger import is_relative

    return is_relative(config.store.url)
