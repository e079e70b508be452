"""What the ledger holds about the fleet at one moment, for display. The number of queries does not
depend on the number of targets."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from watchdog.domain.breaker import Opening
from watchdog.domain.limits import episode_used, window_remaining
from watchdog.domain.queue import places
from watchdog.domain.records import (
    Action,
    Attempt,
    Episode,
    Fleet,
    FleetLimits,
    Policy,
    StatusChange,
    Target,
)
from watchdog.domain.replica import Replica
from watchdog.domain.status import with_present_pause
from watchdog.engine.fleet import api_state
from watchdog.engine.fleet.api_date import api_date
from watchdog.engine.fleet.api_state import ApiState
from watchdog.engine.fleet.counted import counted, that_count
from watchdog.engine.fleet.teams import load as load_teams
from watchdog.engine.fleet.usage import fleet_used
from watchdog.engine.ports import LedgerTransaction
from watchdog.engine.settings import MODE

TIMELINE = timedelta(hours=24)
"""How far back the statuses are shown."""

_RECENT = 12
"""How many entries of each kind are shown of what happened to all targets."""

_LISTED = 50
"""How many episodes, attempts and operators' actions are shown of one target."""


@dataclass(frozen=True, slots=True)
class Watched:
    """A target, its policy, if it is configured, the attempts of its episode and window, its
    changes of status, its place in the queue (1 goes first), the API's `Date`, if known, and its
    team, if known."""

    target: Target
    policy: Policy | None
    attempts: tuple[Attempt, ...]
    changes: tuple[StatusChange, ...] = ()
    place: int | None = None
    date: datetime | None = None
    team: str | None = None

    @property
    def is_gone(self) -> bool:
        """Whether nobody watches it any more: no daemon, and no configuration that is known."""
        return not self.target.watched and self.policy is None

    @property
    def used(self) -> int:
        """How many attempts its episode has been charged."""
        return episode_used(self.target, self.attempts)

    def window_left(self, now: datetime) -> int | None:
        """How many attempts its window still has; None without a policy."""
        policy = self.policy
        return window_remaining(self.attempts, policy, now, self.date) if policy else None


@dataclass(frozen=True, slots=True)
class Recent:
    """What happened to all targets, newest first."""

    attempts: tuple[Attempt, ...] = ()
    actions: tuple[Action, ...] = ()
    openings: tuple[Opening, ...] = ()


@dataclass(frozen=True, slots=True)
class Overview:
    """All targets, and what concerns more than one of them."""

    now: datetime
    targets: tuple[Watched, ...]
    fleet: Fleet
    pauses: tuple[Action, ...]
    opening: Opening | None
    replicas: tuple[Replica, ...]
    api: ApiState = field(default_factory=ApiState)
    """As the active replica knows it."""

    recent: Recent = field(default_factory=Recent)
    mode: str | None = None
    """`observe` or `retry`, as the active replica has it; None before the first one."""


@dataclass(frozen=True, slots=True)
class Past:
    """One target, and what the ledger holds of its past, newest first."""

    now: datetime
    watched: Watched
    episodes: tuple[Episode, ...]
    history: tuple[Attempt, ...]
    actions: tuple[Action, ...]


def targets(
    tx: LedgerTransaction, policies: Mapping[str, Policy], also: Collection[str] = ()
) -> list[Watched]:
    """Each target that is watched or has a policy, and those with one of the ids or names in
    `also`, by model id, as its pause is now. Without its statuses."""
    now, date = tx.now(), api_date(tx)
    shown = [with_present_pause(each, now) for each in _shown(tx, policies, also)]
    attempts = counted(tx, shown, policies, date)
    in_queue, teams = places(shown), load_teams(tx)
    return [
        Watched(
            each,
            policies.get(each.model_id),
            attempts[each.model_id],
            place=in_queue.get(each.model_id),
            date=date,
            team=teams.get(each.model_id),
        )
        for each in shown
    ]


def _shown(
    tx: LedgerTransaction, policies: Mapping[str, Policy], also: Collection[str] = ()
) -> list[Target]:
    return [
        each
        for each in tx.targets.all()
        if each.watched or each.model_id in policies or each.model_id in also or each.name in also
    ]


def overview(
    tx: LedgerTransaction, policies: Mapping[str, Policy], limits: FleetLimits
) -> Overview:
    now = tx.now()
    changes = _by_model(tx.statuses.since(now - TIMELINE))
    return Overview(
        now,
        tuple(
            replace(each, changes=changes.get(each.target.model_id, ()))
            for each in targets(tx, policies)
        ),
        fleet_used(tx, limits, date=api_date(tx)),
        tuple(tx.actions.pauses()),
        tx.breaker.opening(),
        tuple(tx.replicas.all()),
        api_state.load(tx),
        Recent(
            tuple(tx.attempts.newest(None, limit=_RECENT)),
            tuple(tx.actions.newest(None, limit=_RECENT)),
            tuple(tx.breaker.openings(limit=_RECENT)),
        ),
        tx.meta.get(MODE),
    )


def past(tx: LedgerTransaction, policies: Mapping[str, Policy], model_id: str) -> Past | None:
    """None where the ledger knows no such target."""
    target, now = tx.targets.get(model_id), tx.now()
    if target is None:
        return None
    target = with_present_pause(target, now)
    policy, date = policies.get(model_id), api_date(tx)
    span = policy.window if policy is not None else timedelta(0)
    attempts = tx.attempts.of(target, since=now - span, dated=date and date - span)
    changes = tx.statuses.since(now - TIMELINE, model_id)
    # The other targets are read only where the place depends on them.
    place = places(_shown(tx, policies)).get(model_id) if places([target]) else None
    return Past(
        now,
        Watched(
            target,
            policy,
            that_count(target, attempts, policy, now, date),
            tuple(changes),
            place,
            date,
            load_teams(tx).get(model_id),
        ),
        tuple(tx.episodes.newest(model_id, limit=_LISTED)),
        tuple(tx.attempts.newest(model_id, limit=_LISTED)),
        tuple(tx.actions.newest(model_id, limit=_LISTED)),
    )


def _by_model(changes: Sequence[StatusChange]) -> dict[str, tuple[StatusChange, ...]]:
    found: dict[str, list[StatusChange]] = {}
    for change in changes:
        found.setdefault(change.model_id, []).append(change)
    return {model_id: tuple(own) for model_id, own in found.items()}
