"""What must hold within a policy, and between it and the other sections."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import timedelta

from watchdog.config.breach import Breach
from watchdog.config.model import Config
from watchdog.config.policies import all_rules
from watchdog.config.policy_rules import PolicyRules
from watchdog.domain.limits import FLEET_DAY
from watchdog.domain.records import LONGEST_IN_FLIGHT
from watchdog.domain.status import HEALTHY_STATUSES, IN_PROGRESS_STATUSES
from watchdog.domain.step import effective_interval
from watchdog.text.duration import format_duration

_LOWEST_RATE = 1e-5
"""Lower than any useful rate, and high enough that no interval overflows."""


def policy_breaches(config: Config) -> Iterator[Breach]:
    """Of the common policy, of each rule's and of each model's own."""
    for path, rules in all_rules(config):
        yield from _inherited(path, _policy(path, rules))
        yield from _inherited(path, _own_backoffs(path, rules))
        yield from _inherited(path, _together(path, rules, config))


def _inherited(path: str, found: Iterable[Breach]) -> Iterator[Breach]:
    """The key that a breach is about may be from another layer than its path says."""
    for breach in found:
        key = breach.path.removeprefix(f"{path}.")
        others = () if key == breach.path else _of_policy(path, key)
        yield replace(breach, others=(*breach.others, *others))


def _policy(path: str, rules: PolicyRules) -> Iterator[Breach]:
    """The rules of a policy by themselves."""
    if rules.max_attempts_per_window < rules.max_attempts:
        yield Breach(
            f"{path}.max_attempts_per_window",
            f"{rules.max_attempts_per_window} is below max_attempts ({rules.max_attempts}), which "
            "could never be reached",
            _of_policy(path, "max_attempts"),
        )
    if rules.backoff <= timedelta(0):
        yield Breach(f"{path}.backoff", "must be more than 0s")
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


def _own_backoffs(path: str, rules: PolicyRules) -> Iterator[Breach]:
    """The same rules as for the policy's backoff, for those that causes have of their own."""
    for cause in ("capacity_backoff", "network_backoff"):
        own = getattr(rules.causes, cause)
        if own is None:
            continue
        at = f"{path}.causes.{cause}"
        if own.backoff <= timedelta(0):
            yield Breach(f"{at}.backoff", "must be more than 0s")
        if own.backoff_max is None and own.backoff > rules.backoff_max:
            text = (
                f"is above the policy's backoff_max ({format_duration(rules.backoff_max)}): "
                "give it a backoff_max of its own"
            )
            yield Breach(f"{at}.backoff", text, _of_policy(path, "backoff_max"))
        if own.backoff_max is not None and own.backoff_max < own.backoff:
            text = "must not be shorter than backoff"
            yield Breach(f"{at}.backoff_max", text, _of_policy(path, f"causes.{cause}.backoff"))
        if rules.window <= own.backoff:
            text = (
                f"must be shorter than the policy's window ({format_duration(rules.window)}): "
                "attempts that far apart never share a window"
            )
            yield Breach(f"{at}.backoff", text, _of_policy(path, "window"))


def _together(path: str, rules: PolicyRules, config: Config) -> Iterator[Breach]:
    """What must hold between a policy and the other sections."""
    most = config.fleet.max_attempts_per_window
    if rules.window <= FLEET_DAY and rules.max_attempts_per_window > most:
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
    longest = max(rules.window, rules.healthy_reset, FLEET_DAY)
    if config.store.retention < longest:
        yield Breach(
            "store.retention",
            f"must be at least {format_duration(longest)}: what {path}.window, its healthy_reset "
            "and the fleet's day still count must be kept",
            (f"{path}.window", f"{path}.healthy_reset", *_of_policy(path, "window")),
        )


def _of_policy(path: str, name: str) -> tuple[str, ...]:
    """Where a key of a policy may come from: a model's own, a rule's, or the common one."""
    if path == "policy":
        return (f"policy.{name}",)
    return (f"{path}.{name}", "rules", f"policy.{name}")


def _effective_interval(config: Config) -> timedelta:
    """The interval, stretched to what the request rate can serve."""
    rate = config.baseten.max_requests_per_second
    if rate <= 0:
        return config.watch.interval  # Such a rate is a breach by itself.
    return effective_interval(config.watch.interval, len(config.models), max(rate, _LOWEST_RATE))
