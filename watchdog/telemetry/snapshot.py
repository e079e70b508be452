"""The present picture of every target, for the gauges that are made when somebody asks."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from watchdog.domain.limits import (
    episode_remaining,
    fleet_from,
    fleet_remaining,
    window_remaining,
)
from watchdog.domain.records import (
    Action,
    Attempt,
    DecisionKind,
    DecisionReason,
    FleetLimits,
    Health,
    Outcome,
    Policy,
    Target,
)
from watchdog.domain.status import state_of
from watchdog.engine.ports import Clock

PREFIX = "baseten_watchdog_"

_OUTCOMES = tuple(outcome for outcome in Outcome if outcome is not Outcome.PENDING)


@dataclass(frozen=True, slots=True)
class View:
    """A target, its rules, and the attempts of its episode and window."""

    target: Target
    policy: Policy
    attempts: tuple[Attempt, ...]
    observed_at: datetime | None = None


class Snapshot(Collector):
    """A collector over the views: a target that is forgotten has no series left."""

    def __init__(self, limits: FleetLimits, clock: Clock) -> None:
        self._limits = limits
        self._clock = clock
        self._views: dict[str, View] = {}
        self._pauses: tuple[Action, ...] = ()
        self._answers: dict[str, Counter[Outcome]] = {}

    def put(self, target: Target, policy: Policy, attempts: tuple[Attempt, ...]) -> None:
        old = self._views.get(target.model_id)
        # A steady check is told and not recorded: the record may be the older of the two.
        told_at = None if old is None else old.observed_at
        times = [at for at in (target.observed_at, told_at) if at is not None]
        self._views[target.model_id] = View(target, policy, attempts, max(times, default=None))
        if target.episode is not None:
            # Also an episode that an earlier process opened: rates see only what rises from 0.
            self._answers.setdefault(target.model_id, Counter())

    def put_unrecorded(self, target: Target) -> None:
        if view := self._views.get(target.model_id):
            self._views[target.model_id] = replace(view, target=target)

    def observed(self, model_id: str, at: datetime) -> None:
        if view := self._views.get(model_id):
            self._views[model_id] = replace(view, observed_at=at)

    def answered(self, model_id: str, outcome: Outcome) -> None:
        """Count what became of an attempt, of a target that is not forgotten."""
        if (answers := self._answers.get(model_id)) is not None:
            answers[outcome] += 1

    def limit(self, limits: FleetLimits) -> None:
        """The fleet's limits are others now."""
        self._limits = limits

    def paused(self, pauses: Sequence[Action]) -> None:
        """The pauses in force, the latest to expire first."""
        self._pauses = tuple(pauses)

    def forget(self, model_id: str) -> None:
        self._views.pop(model_id, None)
        self._answers.pop(model_id, None)

    def describe(self) -> list[Metric]:
        return []

    def collect(self) -> Iterator[Metric]:
        now, views = self._clock.now(), list(self._views.values())
        yield from self._states(views)
        yield self._attempts()
        yield from self._times(views)
        yield from self._paused(views, now)
        yield from self._budgets(views, now)

    def _states(self, views: list[View]) -> Iterator[Metric]:
        status = _gauge("deployment_status", "1 for the current status.", "model_id", "status")
        state = _gauge("target_state", "1 for what the target is doing.", "model_id", "state")
        info = _gauge(
            "target_info", "Names, for joins; always 1.", "model_id", "model_name", "deployment_id"
        )
        suppressed = _gauge(
            "retry_suppressed", "1 while a failing target is left alone.", "model_id", "reason"
        )
        for view in views:
            target = view.target
            if target.status is not None:
                status.add_metric((target.model_id, target.status), 1)
            state.add_metric((target.model_id, state_of(target)), 1)
            deployment = target.deployment.id if target.deployment else ""
            info.add_metric((target.model_id, target.name or "", deployment), 1)
            if (reason := _suppressed(target)) is not None:
                suppressed.add_metric((target.model_id, reason), 1)
        yield from (status, state, info, suppressed)

    def _attempts(self) -> Metric:
        attempts = CounterMetricFamily(
            f"{PREFIX}retry_attempts",
            "Attempts, by what became of sending them.",
            labels=("model_id", "outcome"),
        )
        for model_id, answers in self._answers.items():
            for outcome in _OUTCOMES:
                attempts.add_metric((model_id, outcome), answers[outcome])
        return attempts

    def _times(self, views: list[View]) -> Iterator[Metric]:
        failing = _gauge(
            "failing_since_timestamp_seconds", "When this failure was first seen.", "model_id"
        )
        following = _gauge(
            "next_attempt_timestamp_seconds", "When the next retry is due.", "model_id"
        )
        observed = _gauge(
            "last_observed_timestamp_seconds", "When the status was last seen.", "model_id"
        )
        for view in views:
            target = view.target
            for family, moment in (
                (failing, target.failing_since),
                (following, target.decision.until),
                (observed, view.observed_at),
            ):
                if moment is not None:
                    family.add_metric((target.model_id,), moment.timestamp())
        yield from (failing, following, observed)

    def _paused(self, views: list[View], now: datetime) -> Iterator[Metric]:
        paused = _gauge("paused", "Whether a person said hands off.", "model_id")
        expiry = _gauge("pause_expiry_timestamp_seconds", "When the pause ends.", "model_id")
        ends = [(pause.model_id, pause.until) for pause in self._pauses]
        for view in views:
            model_id = view.target.model_id
            mine = (until for paused_id, until in ends if paused_id in (None, model_id) and until)
            until = next((until for until in mine if until > now), None)
            paused.add_metric((model_id,), int(until is not None))
            if until is not None:
                expiry.add_metric((model_id,), until.timestamp())
        yield from (paused, expiry)

    def _budgets(self, views: list[View], now: datetime) -> Iterator[Metric]:
        budget = _gauge(
            "retry_budget_remaining", "Retries that the limit still allows.", "model_id", "scope"
        )
        for view in views:
            target, attempts, policy = view.target, view.attempts, view.policy
            episode = episode_remaining(target, attempts, policy)
            budget.add_metric((target.model_id, "episode"), episode)
            window = window_remaining(attempts, policy, now)
            budget.add_metric((target.model_id, "window"), window)
        fleet = _gauge(
            "fleet_retry_budget_remaining", "Retries that all targets may still have.", "scope"
        )
        attempts = tuple(attempt for view in views for attempt in view.attempts)
        left = fleet_remaining(fleet_from(attempts, self._limits, now), now)
        for scope in ("minute", "in_flight", "window"):
            fleet.add_metric((scope,), getattr(left, scope))
        yield from (budget, fleet)


def _gauge(name: str, text: str, *labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(PREFIX + name, text, labels=labels)


def _suppressed(target: Target) -> DecisionReason | None:
    """Why a failing target is not being retried, unless a retry is under way."""
    decision = target.decision
    if target.health is not Health.FAILING or decision.kind is DecisionKind.RETRY:
        return None
    if decision.reason is DecisionReason.ATTEMPT_UNDER_WAY:
        return None
    return decision.reason
