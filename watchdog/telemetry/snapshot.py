"""The present picture of every target, rendered when somebody asks."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from watchdog.domain.limits import (
    episode_remaining,
    fleet_remaining,
    window_remaining,
)
from watchdog.domain.records import (
    Action,
    Attempt,
    DecisionKind,
    DecisionReason,
    Fleet,
    Health,
    Outcome,
    Policy,
    Target,
)
from watchdog.domain.status import state_of
from watchdog.engine.fleet.overview import Watched
from watchdog.engine.ports import Clock
from watchdog.telemetry.exposition import Family, escape

_OUTCOMES = tuple(outcome for outcome in Outcome if outcome is not Outcome.PENDING)

_Rows = Iterator[tuple[object, ...]]


class Snapshot:
    """What was last told of each target: one that is forgotten has no series left."""

    def __init__(self, clock: Clock) -> None:
        self._fleet: Fleet | None = None
        self._count: int | None = None
        self._clock = clock
        self._views: dict[str, Watched] = {}
        self._observed: dict[str, datetime] = {}
        self._pauses: tuple[Action, ...] = ()
        self._answers: dict[str, Counter[Outcome]] = {}
        self._ledger_ahead: timedelta | None = None

    def put(self, target: Target, policy: Policy, attempts: tuple[Attempt, ...]) -> None:
        self._views[target.model_id] = Watched(target, policy, attempts)
        # A steady check is told and not recorded: the record may be the older of the two.
        told_at = self._observed.get(target.model_id)
        if target.observed_at is not None and (told_at is None or target.observed_at > told_at):
            self._observed[target.model_id] = target.observed_at
        if target.episode is not None:
            # Also an episode that an earlier process opened: rates see only what rises from 0.
            self._answers.setdefault(target.model_id, Counter())

    def put_unrecorded(self, target: Target) -> None:
        if view := self._views.get(target.model_id):
            self._views[target.model_id] = replace(view, target=target)

    def observed(self, model_id: str, at: datetime) -> None:
        if model_id in self._views:
            self._observed[model_id] = at

    def answered(self, model_id: str, outcome: Outcome) -> None:
        """Count what became of an attempt, of a target that is not forgotten."""
        if (answers := self._answers.get(model_id)) is not None:
            answers[outcome] += 1

    def fleet_seen(self, fleet: Fleet | None) -> None:
        """What all targets have used of their limits; None: that is another replica's to say."""
        self._fleet = fleet

    def watching(self, count: int | None) -> None:
        """How many targets this replica watches; None: that is another replica's to say."""
        self._count = count

    def api_clock(self, ledger_ahead: timedelta) -> None:
        """By how much the ledger's time is ahead of the API's clock."""
        self._ledger_ahead = ledger_ahead

    def paused(self, pauses: Sequence[Action]) -> None:
        """The pauses in force, the latest to expire first."""
        self._pauses = tuple(pauses)

    def forget(self, model_id: str) -> None:
        for each in (self._views, self._observed, self._answers):
            each.pop(model_id, None)

    def render(self, *, openmetrics: bool = False) -> Iterator[bytes]:
        """The exposition as of the first piece: whatever changes between two of them shows in the
        next one."""
        now, views = self._clock.now(), tuple(self._views.values())
        date = None if self._ledger_ahead is None else now - self._ledger_ahead
        observed, pauses, fleet = dict(self._observed), self._pauses, self._fleet
        count = self._count
        answers = {model_id: own.copy() for model_id, own in self._answers.items()}
        ends = _PauseEnds(pauses, now)
        shown = [(family, rows(views)) for family, rows in _OF_TARGETS]
        shown += [
            (_ATTEMPTS, _attempts(answers)),
            (_OBSERVED, _moments(observed.items())),
            (_PAUSED, _paused(views, ends)),
            (_PAUSE_EXPIRY, _pause_expiries(views, ends)),
            (_BUDGET, _budgets(views, now, date)),
            (_FLEET_BUDGET, _fleet_budgets(fleet, now)),
            (_WATCHED, iter(() if count is None else [(count,)])),
        ]
        for family, samples in shown:
            yield from family.render(samples, openmetrics=openmetrics)


_Views = Sequence[Watched]


def _statuses(views: _Views) -> _Rows:
    for view in views:
        if view.target.status is not None:
            yield view.target.model_id, escape(view.target.status), 1


def _states(views: _Views) -> _Rows:
    for view in views:
        yield view.target.model_id, state_of(view.target), 1


def _infos(views: _Views) -> _Rows:
    for view in views:
        target = view.target
        deployment = target.deployment.id if target.deployment else ""
        yield target.model_id, escape(target.name or ""), escape(deployment), 1


def _suppressed(views: _Views) -> _Rows:
    for view in views:
        if (reason := _why_left_alone(view.target)) is not None:
            yield view.target.model_id, reason, 1


def _failing_since(views: _Views) -> _Rows:
    return _moments((view.target.model_id, view.target.failing_from) for view in views)


def _status_since(views: _Views) -> _Rows:
    return _moments(
        (view.target.model_id, view.target.status_since)
        for view in views
        if view.target.status is not None
    )


def _next_attempts(views: _Views) -> _Rows:
    return _moments((view.target.model_id, view.target.decision.until) for view in views)


def _attempts(answers: dict[str, Counter[Outcome]]) -> _Rows:
    for model_id, own in answers.items():
        for outcome in _OUTCOMES:
            yield model_id, outcome, own[outcome]


def _moments(moments: Iterable[tuple[str, datetime | None]]) -> _Rows:
    for model_id, moment in moments:
        if moment is not None:
            yield model_id, moment.timestamp()


class _PauseEnds:
    """When the later of a target's own pause and everybody's ends."""

    def __init__(self, pauses: Sequence[Action], now: datetime) -> None:
        self._own: dict[str | None, datetime] = {}
        for pause in pauses:
            if pause.until is not None and pause.until > now:
                self._own.setdefault(pause.model_id, pause.until)  # the latest comes first
        self._of_all = self._own.pop(None, None)

    def __bool__(self) -> bool:
        return bool(self._own) or self._of_all is not None

    def of(self, model_id: str) -> datetime | None:
        own, of_all = self._own.get(model_id), self._of_all
        return max(own, of_all) if own and of_all else own or of_all


def _paused(views: _Views, ends: _PauseEnds) -> _Rows:
    for view in views:
        model_id = view.target.model_id
        yield model_id, int(ends.of(model_id) is not None)


def _pause_expiries(views: _Views, ends: _PauseEnds) -> _Rows:
    if ends:
        yield from _moments((view.target.model_id, ends.of(view.target.model_id)) for view in views)


def _budgets(views: _Views, now: datetime, date: datetime | None) -> _Rows:
    for view in views:
        target, attempts, policy = view.target, view.attempts, view.policy
        if policy is None:
            continue
        yield target.model_id, "episode", episode_remaining(target, attempts, policy)
        yield target.model_id, "window", window_remaining(attempts, policy, now, date)


def _fleet_budgets(fleet: Fleet | None, now: datetime) -> _Rows:
    if fleet is None:
        return
    left = fleet_remaining(fleet, now)
    for scope in ("minute", "in_flight", "window"):
        yield scope, getattr(left, scope)


def _why_left_alone(target: Target) -> DecisionReason | None:
    """Why a failing target is not being retried, unless a retry is under way."""
    decision = target.decision
    if target.health is not Health.FAILING or decision.kind is DecisionKind.RETRY:
        return None
    if decision.reason is DecisionReason.ATTEMPT_UNDER_WAY:
        return None
    return decision.reason


def _gauge(name: str, text: str, *labels: str) -> Family:
    return Family(name, "gauge", text, *labels)


_OF_TARGETS: tuple[tuple[Family, Callable[[_Views], _Rows]], ...] = (
    (_gauge("deployment_status", "1 for the current status.", "model_id", "status"), _statuses),
    (_gauge("target_state", "1 for what the target is doing.", "model_id", "state"), _states),
    (
        _gauge(
            "target_info", "Names, for joins; always 1.", "model_id", "model_name", "deployment_id"
        ),
        _infos,
    ),
    (
        _gauge("retry_suppressed", "1 while a failing target is left alone.", "model_id", "reason"),
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
_ATTEMPTS = Family(
    "retry_attempts_total",
    "counter",
    "Attempts, by what became of sending them.",
    "model_id",
    "outcome",
)
_OBSERVED = _gauge("last_observed_timestamp_seconds", "When the status was last seen.", "model_id")
_PAUSED = _gauge("paused", "Whether a person said hands off.", "model_id")
_PAUSE_EXPIRY = _gauge("pause_expiry_timestamp_seconds", "When the pause ends.", "model_id")
_WATCHED = _gauge("watched_targets", "Models that this replica watches.")
_BUDGET = _gauge(
    "retry_budget_remaining", "Retries that the limit still allows.", "model_id", "scope"
)
_FLEET_BUDGET = _gauge(
    "fleet_retry_budget_remaining", "Retries that all targets may still have.", "scope"
)
