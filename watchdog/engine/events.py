"""Events: facts that happened. The engine and the adapters report them, and telemetry listens. An
event's name and level in the log are a public contract."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import ClassVar

from watchdog.domain.breaker import ClosedBy
from watchdog.domain.records import (
    Action,
    Attempt,
    Decision,
    DeploymentRef,
    Episode,
    Fleet,
    FleetLimits,
    Hold,
    Outcome,
    Policy,
    Target,
)


class Level(StrEnum):
    """Of a line in the log."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """`name` is None where only metrics and the like need it."""

    name: ClassVar[str | None] = None
    level: ClassVar[Level] = Level.INFO

    def logged_as(self) -> tuple[str | None, Level]:
        """Its name and level in the log."""
        return self.name, self.level


# The daemon


@dataclass(frozen=True, slots=True, kw_only=True)
class Started(Event):
    """`ledger` is a URL without its password, `replica` is the owner in this process's
    reservations."""

    name = "started"
    version: str
    replica: str
    mode: str
    targets: int
    limits: FleetLimits
    ledger: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BecameActive(Event):
    """This replica watches and retries from now on."""

    name = "replica_active"


@dataclass(frozen=True, slots=True, kw_only=True)
class BecameStandby(Event):
    """This replica does not watch, and is ready to take over. Another one does, unless it gave up:
    then it says why."""

    name = "replica_standby"
    why: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigDoubtful(Event):
    """A setting that is valid but may be a mistake."""

    name = "config_warning"
    level = Level.WARNING
    warning: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigReloaded(Event):
    """A changed configuration is in force. `changed` are the paths of the settings that differ."""

    name = "config_reloaded"
    changed: tuple[str, ...]
    mode: str
    targets: int
    limits: FleetLimits


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchingSeen(Event):
    """How many targets this replica watches: at the start of a term, and when that changed."""

    name = None
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NothingWatched(Event):
    """No model is configured, and none is discovered. The daemon waits for a configuration that
    names one."""

    name = "nothing_watched"
    level = Level.WARNING


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelsDiscovered(Event):
    """Other models are watched than before. Both are ids; `discovered` is how many there are."""

    name = "models_discovered"
    joined: tuple[str, ...]
    left: tuple[str, ...]
    discovered: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscoveryFailed(Event):
    """A round of discovery failed, the first one in a row: the same models are watched as
    before."""

    name = "discovery_failed"
    level = Level.WARNING
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscoveryDone(Event):
    """A round was made."""

    at: datetime
    discovered: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelsListed(Event):
    """The API listed its models, for whatever reason; so many entries could not be read."""

    listed: int
    unreadable: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ListingIncomplete(Event):
    """Another number of entries than before could not be read: such a listing removes no model."""

    name = "listing_incomplete"
    level = Level.WARNING
    listed: int
    unreadable: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigReloadFailed(Event):
    """What was in force still is."""

    name = "config_reload_failed"
    level = Level.ERROR
    problems: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stopped(Event):
    """`abandoned_checks` were still running when the grace period ended."""

    name = "stopped"
    abandoned_checks: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerOpened(Event):
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerCreated(Event):
    """A new ledger: its budgets are fresh, which after a loss they should not be."""

    name = "ledger_created"
    ledger: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerLost(Event):
    """The first failed transaction of a run of them."""

    name = "ledger_unavailable"
    level = Level.ERROR
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerBack(Event):
    name = "ledger_available"


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerWentBack(Event):
    """It is in an older state than before: a backup was moved in, or a server took over that lags.
    `put_back` attempts of this process were missing, and are in it again."""

    name = "ledger_went_back"
    level = Level.ERROR
    put_back: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerTransacted(Event):
    """A transaction ended. The duration counts from the request, so it includes the time in the
    queue."""

    duration_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockDrifted(Event):
    """Wall time and ledger time differ; the difference is adopted gradually."""

    name = "clock_drifted"
    difference: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiClockSeen(Event):
    """How far the ledger's time is ahead of the API's clock: first, and when that changed."""

    ledger_ahead: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockJumped(Event):
    """That changed by more than a minute: the ledger's clock jumped, or the API's. The limits
    hold all the same."""

    name = "clock_jumped"
    level = Level.WARNING
    by: timedelta
    ledger_ahead: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class IntervalStretched(Event):
    """More targets than the request rate can serve at the configured interval."""

    name = "interval_stretched"
    interval: timedelta
    effective: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class InternalError(Event):
    """A bug: an exception that nothing foresaw ended the work on one target or, without a
    `model_id`, one run of a periodic job."""

    name = "internal_error"
    level = Level.ERROR
    model_id: str | None
    error: BaseException


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepDone(Event):
    """`first` marks the moment when every target has been checked once since the start."""

    at: datetime
    first: bool


# The API


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiRequested(Event):
    """One request and what came back: the HTTP status, `timeout`, `connect` or `invalid_body`."""

    operation: str
    code: str
    duration_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiHeld(Event):
    """The API said 429: one operation waits."""

    name = "api_held"
    operation: str
    hold: Hold


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthFailed(Event):
    """The key is refused: everything waits."""

    name = "auth_failed"
    level = Level.ERROR
    code: str
    hold: Hold


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthRecovered(Event):
    name = "auth_recovered"


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiDown(Event):
    """Nothing is answered, whatever the target: checks slow down. `error` is the latest."""

    name = "api_down"
    level = Level.ERROR
    code: str
    error: str
    failures: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiRecovered(Event):
    name = "api_recovered"
    after: timedelta


# Operators


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorActed(Event):
    """A person paused, resumed, reset or retried something by command."""

    name = "operator_action"
    action: Action


@dataclass(frozen=True, slots=True, kw_only=True)
class PausesSeen(Event):
    """The pauses in force. Reported at the start and after each change."""

    pauses: tuple[Action, ...]


# The fleet


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetSeen(Event):
    """How much of their limits all targets together have used. Reported at the start and after each
    change. Only that part of `fleet` is filled."""

    fleet: Fleet


@dataclass(frozen=True, slots=True, kw_only=True)
class EffectSeen(Event):
    """A change was taken for the effect of an attempt. The audit log may say that a person made
    it."""

    target: Target
    episode: Episode
    attempt: Attempt


@dataclass(frozen=True, slots=True, kw_only=True)
class ForbiddenSeen(Event):
    """Whether the key in use may retry nothing, by the last judgement of a failing target."""

    forbidden: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RetriesForbidden(Event):
    """The API forbade retries of so many models in a row (HTTP 403) and accepts the key otherwise:
    from now on one retry an hour finds out whether that is still so, the first at `probe_at`."""

    name = "retries_forbidden"
    level = Level.ERROR
    models: int
    probe_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RetriesAllowed(Event):
    """A retry was allowed again, or the key is another one."""

    name = "retries_allowed"
    after: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerSeen(Event):
    """Whether it is open, as last read from the ledger."""

    open: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerOpened(Event):
    """Many targets began to fail at once: nothing is retried before `canary_at`."""

    name = "breaker_opened"
    level = Level.ERROR
    failures: int
    not_failing: int
    canary_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class CanaryFailed(Event):
    """A canary failed: the platform still does not work, as far as one target shows."""

    name = "canary_failed"
    level = Level.WARNING
    model_id: str
    canary_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerClosed(Event):
    """`canary` is the id of the model that recovered, if that is why."""

    name = "breaker_closed"
    closed_by: ClosedBy
    canary: str | None
    after: timedelta


# One target


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetEvent(Event):
    target: Target


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetChanged(TargetEvent):
    """The whole present state of a target. Reported at the start and after each change."""

    policy: Policy
    attempts: tuple[Attempt, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetUnrecorded(TargetEvent):
    """A state that could not be written to the ledger. It is for the metrics, with the attempts as
    last reported."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetForgotten(Event):
    """No longer watched: its metrics vanish."""

    model_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckStarted(Event):
    model_id: str
    lateness: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckDone(Event):
    """`result` is the health seen, `missing`, or `error`. `observed_at` is None unless it could
    see."""

    model_id: str
    result: str
    observed_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckFailed(TargetEvent):
    """It fails while others are answered. Told for the first and every tenth failure in a row."""

    name = "check_failed"
    level = Level.WARNING
    code: str
    error: str
    in_a_row: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentFailing(TargetEvent):
    """An episode opened, or re-opened with its count."""

    name = "deployment_failing"
    level = Level.WARNING
    episode: Episode
    reopened: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentFailedAgain(TargetEvent):
    """Our attempt did not help."""

    name = "deployment_failed_again"
    level = Level.WARNING
    attempt: Attempt


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryReserved(TargetEvent):
    name = "retry_reserved"
    attempt: Attempt


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryAnswered(TargetEvent):
    """What became of an attempt. Its name and level in the log depend on the outcome."""

    attempt: Attempt

    LOG_NAMES: ClassVar[dict[Outcome, str]] = {
        Outcome.ACCEPTED: "retry_accepted",
        Outcome.REFUSED: "retry_refused",
        Outcome.THROTTLED: "retry_throttled",
        Outcome.FAILED: "retry_failed",
        Outcome.UNKNOWN: "retry_outcome_unknown",
        Outcome.ABANDONED: "retry_abandoned",
        Outcome.DRY_RUN: "retry_dry_run",
    }
    AS_INTENDED: ClassVar[frozenset[Outcome]] = frozenset(
        {Outcome.ACCEPTED, Outcome.ABANDONED, Outcome.DRY_RUN}
    )

    def logged_as(self) -> tuple[str | None, Level]:
        outcome = self.attempt.outcome
        level = Level.INFO if outcome in self.AS_INTENDED else Level.WARNING
        return self.LOG_NAMES[outcome], level


@dataclass(frozen=True, slots=True, kw_only=True)
class CanarySent(TargetEvent):
    """The one retry that an open breaker lets through may have been sent."""

    name = "canary_sent"
    attempt: Attempt


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryMismatched(TargetEvent):
    """The answer to our POST named another deployment than the one observed."""

    name = "retry_deployment_mismatch"
    level = Level.WARNING
    attempt: Attempt
    observed: DeploymentRef
    answered: DeploymentRef


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrySuppressed(TargetEvent):
    """Why a failing target is not retried. Reported when the reason changes."""

    name = "retry_suppressed"
    decision: Decision


@dataclass(frozen=True, slots=True, kw_only=True)
class GaveUp(TargetEvent):
    name = "gave_up"
    level = Level.ERROR
    decision: Decision
    attempts_used: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovered(TargetEvent):
    name = "recovered"
    episode: Episode
    after: timedelta
    attempts_used: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EpisodeSuperseded(TargetEvent):
    """It left its failing state without us: a person acted."""

    name = "episode_superseded"
    episode: Episode


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentReplaced(TargetEvent):
    name = "deployment_replaced"
    episode: Episode


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentStuck(TargetEvent):
    """It has been in progress for longer than `stuck_after`: since `attempt` or, without one, since
    another party began it."""

    name = "deployment_stuck"
    level = Level.ERROR
    attempt: Attempt | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentBroken(TargetEvent):
    """It does not work, it is not retried, and no operator stopped it: a person is needed."""

    name = "deployment_broken"
    level = Level.ERROR


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentNoLongerBroken(TargetEvent):
    name = "deployment_no_longer_broken"


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetMissing(TargetEvent):
    """Two 404s at least an interval apart, each confirmed by a listing. `episode` is the one that
    this ended, if any."""

    name = "target_missing"
    level = Level.WARNING
    episode: Episode | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetRemoved(TargetEvent):
    """No longer in the configuration. `episode` is the one that this ended, if any."""

    name = "target_removed"
    episode: Episode | None
