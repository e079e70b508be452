"""The present state of every target, rendered for each request."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from watchdog.domain.records import (
    Action,
    Attempt,
    DecisionReason,
    Fleet,
    Outcome,
    Policy,
    Target,
)
from watchdog.domain.status import with_present_pause
from watchdog.engine.fleet.overview import Watched
from watchdog.engine.ports import Clock
from watchdog.telemetry import target_series as series


class Snapshot:
    """What was last reported about each target. A target that is forgotten has no series any
    more."""

    def __init__(self, clock: Clock) -> None:
        self._fleet: Fleet | None = None
        self._count: int | None = None
        self._clock = clock
        self._views: dict[str, Watched] = {}
        self._teams: Mapping[str, str] = {}
        self._observed: dict[str, datetime] = {}
        self._pauses: tuple[Action, ...] = ()
        self._answers: dict[str, Counter[Outcome]] = {}
        self._ledger_ahead: timedelta | None = None

    def put(self, target: Target, policy: Policy, attempts: tuple[Attempt, ...]) -> None:
        team = self._teams.get(target.model_id)
        self._views[target.model_id] = Watched(target, policy, attempts, team=team)
        # A check that changes nothing is reported and not recorded, so the record may be older.
        told_at = self._observed.get(target.model_id)
        if target.observed_at is not None and (told_at is None or target.observed_at > told_at):
            self._observed[target.model_id] = target.observed_at
        if target.episode is not None:
            # Also for an episode that an earlier process opened: a rate counts only a series that
            # rises from 0.
            self._answers.setdefault(target.model_id, Counter())

    def put_unrecorded(self, target: Target) -> None:
        if view := self._views.get(target.model_id):
            self._views[target.model_id] = replace(view, target=target)

    def teams(self, teams: Mapping[str, str]) -> None:
        """The team of each model, where it is known."""
        self._teams = teams
        for model_id, view in self._views.items():
            if view.team != teams.get(model_id):
                self._views[model_id] = replace(view, team=teams.get(model_id))

    def observed(self, model_id: str, at: datetime) -> None:
        if model_id in self._views:
            self._observed[model_id] = at

    def answered(self, model_id: str, outcome: Outcome) -> None:
        """Count the outcome of an attempt, if its target is not forgotten and has had an
        episode."""
        if (answers := self._answers.get(model_id)) is not None:
            answers[outcome] += 1

    def fleet_seen(self, fleet: Fleet | None) -> None:
        """Set how much of the fleet's limits is used; None if another replica exports that."""
        self._fleet = fleet

    def watching(self, count: int | None) -> None:
        """Set how many targets this replica watches; None if another replica exports that."""
        self._count = count

    def api_clock(self, ledger_ahead: timedelta) -> None:
        """Set by how much the ledger's time is ahead of the API's clock."""
        self._ledger_ahead = ledger_ahead

    def paused(self, pauses: Sequence[Action]) -> None:
        """Set the pauses in force, of which the one that expires last comes first."""
        self._pauses = tuple(pauses)

    def forget(self, model_id: str) -> None:
        for each in (self._views, self._observed, self._answers):
            each.pop(model_id, None)

    def render(self, *, openmetrics: bool = False) -> Iterator[bytes]:
        """Render the state at the first piece: a change between two pieces shows only in the next
        exposition."""
        now = self._clock.now()
        date = None if self._ledger_ahead is None else now - self._ledger_ahead
        observed, pauses, fleet = dict(self._observed), self._pauses, self._fleet
        count = self._count
        answers = {model_id: own.copy() for model_id, own in self._answers.items()}
        ends = series.PauseEnds(pauses, now)
        views = [_as_paused(view, ends, now) for view in self._views.values()]
        shown = [(family, rows(views)) for family, rows in series.OF_TARGETS]
        shown += [
            (series.ATTEMPTS, series.attempts(answers)),
            (series.OBSERVED, series.moments(observed.items())),
            (series.PAUSED, series.paused(views, ends)),
            (series.PAUSE_EXPIRY, series.pause_expiries(views, ends)),
            (series.BUDGET, series.budgets(views, now, date)),
            (series.FLEET_BUDGET, series.fleet_budgets(fleet, now)),
            (series.WATCHED, iter(() if count is None else [(count,)])),
        ]
        for family, samples in shown:
            yield from family.render(samples, openmetrics=openmetrics)


def _as_paused(view: Watched, ends: series.PauseEnds, now: datetime) -> Watched:
    """The view as its pause is now, which may have changed since the target was reported."""
    until = ends.of(view.target.model_id)
    if (until is not None) is (view.target.decision.reason is DecisionReason.PAUSED):
        return view
    return replace(view, target=with_present_pause(replace(view.target, paused_until=until), now))
