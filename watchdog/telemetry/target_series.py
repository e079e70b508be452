"""The families with series about each target, and the rows of each family."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict
from datetime import datetime

from watchdog.domain.limits import episode_remaining, fleet_remaining, window_remaining
from watchdog.domain.records import (
    Action,
    DecisionKind,
    DecisionReason,
    Fleet,
    Health,
    Outcome,
    Target,
)
from watchdog.domain.status import state_of
from watchdog.engine.fleet.overview import Watched
from watchdog.telemetry.exposition import Family, escape

_OUTCOMES = tuple(outcome for outcome in Outcome if outcome is not Outcome.PENDING)

Rows = Iterator[tuple[object, ...]]

Views = Sequence[Watched]


def _statuses(views: Views) -> Rows:
    for view in views:
        if view.target.status is not None:
            yield view.target.model_id, escape(view.target.status), 1


def _states(views: Views) -> Rows:
    for view in views:
        yield view.target.model_id, state_of(view.target), 1


def _infos(views: Views) -> Rows:
    for view in views:
        target = view.target
        deployment = target.deployment.id if target.deployment else ""
        names = (escape(text or "") for text in (target.name, view.team))
        yield target.model_id, *names, escape(deployment), 1


def _suppressed(views: Views) -> Rows:
    for view in views:
        if (reason := _why_left_alone(view.target)) is not None:
            yield view.target.model_id, reason, 1


def _failing_since(views: Views) -> Rows:
    return moments((view.target.model_id, view.target.failing_from) for view in views)


def _status_since(views: Views) -> Rows:
    return moments(
        (view.target.model_id, view.target.status_since)
        for view in views
        if view.target.status is not None
    )


def _next_attempts(views: Views) -> Rows:
    return moments((view.target.model_id, view.target.decision.until) for view in views)


def attempts(answers: dict[str, Counter[Outcome]]) -> Rows:
    for model_id, own in answers.items():
        for outcome in _OUTCOMES:
            yield model_id, outcome, own[outcome]


def moments(moments: Iterable[tuple[str, datetime | None]]) -> Rows:
    for model_id, moment in moments:
        if moment is not None:
            yield model_id, moment.timestamp()


class PauseEnds:
    """The later end of a target's own pause and of the pause of all models."""

    def __init__(self, pauses: Sequence[Action], now: datetime) -> None:
        self._own: dict[str | None, datetime] = {}
        for pause in pauses:
            if pause.until is not None and pause.until > now:
                self._own.setdefault(pause.model_id, pause.until)  # the last to end comes first
        self._of_all = self._own.pop(None, None)

    def __bool__(self) -> bool:
        return bool(self._own) or self._of_all is not None

    def of(self, model_id: str) -> datetime | None:
        own, of_all = self._own.get(model_id), self._of_all
        return max(own, of_all) if own and of_all else own or of_all


def paused(views: Views, ends: PauseEnds) -> Rows:
    for view in views:
        model_id = view.target.model_id
        yield model_id, int(ends.of(model_id) is not None)


def pause_expiries(views: Views, ends: PauseEnds) -> Rows:
    if ends:
        yield from moments((view.target.model_id, ends.of(view.target.model_id)) for view in views)


def budgets(views: Views, now: datetime, date: datetime | None) -> Rows:
    for view in views:
        target, attempts, policy = view.target, view.attempts, view.policy
        if policy is None:
            continue
        yield target.model_id, "episode", episode_remaining(target, attempts, policy)
        yield target.model_id, "window", window_remaining(attempts, policy, now, date)


def fleet_budgets(fleet: Fleet | None, now: datetime) -> Rows:
    if fleet is None:
        return
    yield from asdict(fleet_remaining(fleet, now)).items()


def _why_left_alone(target: Target) -> DecisionReason | None:
    """Why a failing target is not retried now; None while a retry is under way."""
    decision = target.decision
    if target.health is not Health.FAILING or decision.kind is DecisionKind.RETRY:
        return None
    if decision.reason is DecisionReason.ATTEMPT_UNDER_WAY:
        return None
    return decision.reason


def _gauge(name: str, text: str, *labels: str) -> Family:
    return Family(name, "gauge", text, *labels)


OF_TARGETS: tuple[tuple[Family, Callable[[Views], Rows]], ...] = (
    (_gauge("deployment_status", "1 for the current status.", "model_id", "status"), _statuses),
    (_gauge("target_state", "1 for what the target is doing.", "model_id", "state"), _states),
    (
        _gauge(
            "target_info",
            "Names, for joins; always 1.",
            "model_id",
            "model_name",
            "team",
            "deployment_id",
        ),
        _infos,
    ),
    (
        _gauge(
            "retry_suppressed", "1 while a failing target is not retried.", "model_id", "reason"
        ),
        _suppressed,
    ),
    (
        _gauge(
            "status_since_timestamp_seconds", "When the current status was first seen.", "model_id"
        ),
        _status_since,
    ),
    (
        _gauge("failing_since_timestamp_seconds", "When this failure was first seen.", "model_id"),
        _failing_since,
    ),
    (
        _gauge("next_attempt_timestamp_seconds", "When the next retry is due.", "model_id"),
        _next_attempts,
    ),
)
ATTEMPTS = Family(
    "retry_attempts_total",
    "counter",
    "Attempts, by the outcome of sending them.",
    "model_id",
    "outcome",
)
OBSERVED = _gauge("last_observed_timestamp_seconds", "When the status was last seen.", "model_id")
PAUSED = _gauge("paused", "Whether retries of the model are paused.", "model_id")
PAUSE_EXPIRY = _gauge("pause_expiry_timestamp_seconds", "When the pause ends.", "model_id")
WATCHED = _gauge("watched_targets", "Models that this replica watches.")
BUDGET = _gauge(
    "retry_budget_remaining", "Retries that the limit still allows.", "model_id", "scope"
)
FLEET_BUDGET = _gauge(
    "fleet_retry_budget_remaining", "Retries that the fleet's limit still allows.", "scope"
)
