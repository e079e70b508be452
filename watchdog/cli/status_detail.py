"""`status MODEL`: one model in detail."""

from collections.abc import Iterator
from datetime import datetime

from watchdog.cli.output import when_in_zone
from watchdog.cli.status_table import name_of
from watchdog.domain.limits import of_episode
from watchdog.domain.records import Attempt, DecisionKind, Health
from watchdog.domain.status import is_paused, state_of
from watchdog.engine.fleet.overview import Watched
from watchdog.text.phrases import ago, ahead
from watchdog.text.untrusted import clean

_LABEL_WIDTH = 14


def detail(watched: Watched, now: datetime) -> Iterator[tuple[str, str]]:
    """Each fact with its label. Facts that do not apply to the model are left out."""
    target, reason = watched.target, watched.target.decision.reason
    yield "model", f"{clean(name_of(watched))} ({target.model_id})"
    if watched.is_gone:
        yield "watched", "not any more: this is what was recorded last"
    else:
        yield "state", state_of(target).value
    if reason is not None and not watched.is_gone:
        yield "why", f"{reason}: {reason.sentence}"
    if (
        target.episode is not None
        and target.episode.open
        and target.episode.explanation is not None
    ):
        yield "cause", f"{target.episode.cause}: {target.episode.cause.sentence}"
    if target.status is not None:
        yield "status", f"{clean(target.status)}, since {_moment(target.status_since, now)}"
    for label, since in (
        ("failing since", target.failing_from),
        ("missing since", target.missing_since),
    ):
        if since is not None:
            yield label, _moment(since, now)
    yield from _retries(watched, now)
    if target.deployment is not None:
        yield "deployment", clean(target.deployment.id)
    if target.observed_at is None:
        yield "checked", "not yet"
    else:
        # Most looks at a healthy model are later than this one, and nothing is written of them.
        yield "recorded", f"{ago(target.observed_at, now)}; a look that changes nothing is not"


def _retries(watched: Watched, now: datetime) -> Iterator[tuple[str, str]]:
    target, policy = watched.target, watched.policy
    if watched.place is not None:
        yield "queue", f"number {watched.place} of those that wait for the fleet"
    if target.health is Health.FAILING and target.decision.kind is DecisionKind.WAIT:
        yield "next attempt", ahead(target.decision.until, now)
    if policy is not None:
        failure = f"{watched.used} of {policy.max_attempts} in this failure"
        left = f"{watched.window_left(now)} of {policy.max_attempts_per_window} left in its window"
        yield "attempts", f"{failure}, {left}"
    if own := of_episode(target, watched.attempts):
        yield "last attempt", _attempt(own[-1], now)
    if is_paused(target, now):
        yield "paused until", when_in_zone(target.paused_until)


def labelled(label: str, text: str) -> str:
    return f"{label:<{_LABEL_WIDTH}} {text}"


def _moment(moment: datetime | None, now: datetime) -> str:
    return f"{when_in_zone(moment)} ({ago(moment, now)})"


def _attempt(attempt: Attempt, now: datetime) -> str:
    result = attempt.outcome.value
    if attempt.resolution is not None and attempt.resolution.value != "answered":
        result = f"{result}, {attempt.resolution}"
    reason = f": {clean(attempt.reason)}" if attempt.reason else ""
    return f"number {attempt.number}, {ago(attempt.reserved_at, now)}: {result}{reason}"
