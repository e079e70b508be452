"""Events: facts that the engine and the adapters report, and that telemetry receives. The name and
the level of an event in the log are a public contract."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import ClassVar

from watchdog.domain.breaker import ClosedBy
from watchdog.domain.causes import Cause, Finding
from watchdog.domain.notices import NoticeEvent
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
    """The level of a line in the log."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """`name` is None for an event that is not logged, which only metrics or other listeners
    need. `own_texts` are the fields whose text cannot hold the API key, because it is made of the
    configuration or of the system's errors: the log does not mask a word in it that looks like the
    key, such as a folder's name."""

    name: ClassVar[str | None] = None
    level: ClassVar[Level] = Level.INFO
    own_texts: ClassVar[frozenset[str]] = frozenset()

    def logged_as(self) -> tuple[str | None, Level]:
        """The event's name and level in the log."""
        return self.name, self.level


# The daemon


@dataclass(frozen=True, slots=True, kw_only=True)
class Started(Event):
    """The daemon started. `ledger` is a URL without its password, `replica` is the owner in this
    process's reservations, `config` is the configuration file, if there is one, and `page`,
    `metrics` and `api` are URLs."""

    name = "started"
    own_texts = frozenset({"version", "mode", "ledger", "page", "metrics", "config", "api"})
    version: str
    replica: str
    mode: str
    targets: int
    limits: FleetLimits
    ledger: str
    page: str
    metrics: str
    config: str | None
    api: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BecameActive(Event):
    """This replica became active: it watches and retries from now on."""

    name = "replica_active"


@dataclass(frozen=True, slots=True, kw_only=True)
class BecameStandby(Event):
    """This replica does not watch, and is ready to take over. Another replica watches, unless `why`
    says why this one gave up the active role."""

    name = "replica_standby"
    why: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigDoubtful(Event):
    """A setting is valid but may be a mistake."""

    name = "config_warning"
    level = Level.WARNING
    own_texts = frozenset({"warning"})
    warning: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigReloaded(Event):
    """The configuration was read again. `changed` are the paths of the settings that changed; it
    may be empty."""

    name = "config_reloaded"
    own_texts = frozenset({"changed", "mode"})
    changed: tuple[str, ...]
    mode: str
    targets: int
    limits: FleetLimits


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchingSeen(Event):
    """How many targets this replica watches. Reported at the start of a term and when the number
    changed."""

    name = None
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NothingWatched(Event):
    """No model is configured, and none was discovered. The daemon waits until there is one."""

    name = "nothing_watched"
    level = Level.WARNING


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelsDiscovered(Event):
    """The set of discovered models changed. `joined` and `left` are ids of models; `discovered` is
    how many discovered models there are now."""

    name = "models_discovered"
    joined: tuple[str, ...]
    left: tuple[str, ...]
    discovered: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscoveryFailed(Event):
    """A round of discovery failed, and the one before it had succeeded. The same models are watched
    as before."""

    name = "discovery_failed"
    level = Level.WARNING
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscoveryDone(Event):
    """A round of discovery succeeded."""

    at: datetime
    discovered: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelsListed(Event):
    """The API listed its models, whatever the listing was for. `unreadable` is how many entries
    could not be read."""

    listed: int
    unreadable: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TeamsSeen(Event):
    """The team of each watched model, by id, as far as it is known. Sent when it changes."""

    teams: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class ListingIncomplete(Event):
    """The number of entries that could not be read changed. A listing with such entries removes no
    model."""

    name = "listing_incomplete"
    level = Level.WARNING
    listed: int
    unreadable: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigReloadFailed(Event):
    """A changed configuration cannot be used. The previous one stays in force."""

    name = "config_reload_failed"
    level = Level.ERROR
    own_texts = frozenset({"problems"})
    problems: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stopped(Event):
    """The daemon stopped. `abandoned_checks` is how many checks were still running when the grace
    period ended."""

    name = "stopped"
    abandoned_checks: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerOpened(Event):
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerCreated(Event):
    """A new ledger was created: all budgets in it are unused. If the old ledger was lost, that is
    wrong."""

    name = "ledger_created"
    own_texts = frozenset({"ledger"})
    ledger: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerLost(Event):
    """A transaction failed, and the one before it had succeeded."""

    name = "ledger_unavailable"
    level = Level.ERROR
    own_texts = frozenset({"error"})
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerBack(Event):
    name = "ledger_available"


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerWentBack(Event):
    """The ledger is in an older state than before: a backup was restored, or there was a fail-over
    to a server that lagged. `put_back` is how many attempts of this process were missing and have
    been written again."""

    name = "ledger_went_back"
    level = Level.ERROR
    put_back: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerTransacted(Event):
    """A transaction ended. The duration counts from the request, so it includes the wait for its
    turn."""

    duration_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockDrifted(Event):
    """The wall clock and the ledger's time differ. The difference is adopted gradually."""

    name = "clock_drifted"
    difference: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiClockSeen(Event):
    """How far the ledger's time is ahead of the API's clock. Reported at the first look and when it
    changed."""

    ledger_ahead: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockJumped(Event):
    """The difference between the ledger's clock and the API's changed by more than a minute: one of
    them jumped. The limits hold in spite of that."""

    name = "clock_jumped"
    level = Level.WARNING
    by: timedelta
    ledger_ahead: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class IntervalStretched(Event):
    """There are more targets than the request rate can check at the configured interval, so they
    are checked less often."""

    name = "interval_stretched"
    interval: timedelta
    effective: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class InternalError(Event):
    """A bug: an unexpected exception ended the work on one target or, without a `model_id`, one run
    of a periodic job."""

    name = "internal_error"
    level = Level.ERROR
    model_id: str | None
    error: BaseException


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepDone(Event):
    """The targets that are due were claimed, once a tick; or, with `first`, every target has been
    checked once since the term began."""

    at: datetime
    first: bool


# The API


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiRequested(Event):
    """One request to the API. `code` is the HTTP status, `timeout`, `connect` or `invalid_body`."""

    operation: str
    code: str
    duration_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiHeld(Event):
    """The API answered 429: one operation waits."""

    name = "api_held"
    operation: str
    hold: Hold


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthFailed(Event):
    """The API refuses the key: every operation but the list of models waits."""

    name = "auth_failed"
    level = Level.ERROR
    code: str
    hold: Hold


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthRecovered(Event):
    name = "auth_recovered"


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiDown(Event):
    """No look at any target is answered: the checks are made less often. `error` is the latest
    one."""

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
    """An operator paused, resumed, reset or retried something by a command. `model_name` None: the
    action was for all models, or the ledger has no name of this one."""

    name = "operator_action"
    action: Action
    model_name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PausesSeen(Event):
    """The pauses in force. Reported at the start and after each change."""

    pauses: tuple[Action, ...]


# The fleet


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetSeen(Event):
    """How much of the fleet's limits is used. Reported at the start and after each change. The
    fields of `fleet` about one target are not set."""

    fleet: Fleet


@dataclass(frozen=True, slots=True, kw_only=True)
class EffectSeen(Event):
    """A change was taken for the effect of an attempt. The audit log may show that an operator made
    it."""

    target: Target
    episode: Episode
    attempt: Attempt


@dataclass(frozen=True, slots=True, kw_only=True)
class ForbiddenSeen(Event):
    """Whether the key in use may retry nothing, as found at the last decision about a failing
    target."""

    forbidden: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RetriesForbidden(Event):
    """The API forbade retries of several models in a row (HTTP 403) but accepts the key otherwise.
    From now on one retry an hour is sent to find out whether that is still so, the first at
    `probe_at`. `models` is the number of those models."""

    name = "retries_forbidden"
    level = Level.ERROR
    models: int
    probe_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RetriesAllowed(Event):
    """A retry was allowed again, or another key is in use."""

    name = "retries_allowed"
    after: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerSeen(Event):
    """Whether the breaker is open, as last read from the ledger."""

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
    """A canary failed: its target still does not work, and so probably the platform. The next
    canary may be named at `canary_at`."""

    name = "canary_failed"
    level = Level.WARNING
    model_id: str
    canary_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerClosed(Event):
    """The breaker closed. `canary` is the id of the model whose recovery closed it, if one did."""

    name = "breaker_closed"
    closed_by: ClosedBy
    canary: str | None
    after: timedelta


# Notifications


@dataclass(frozen=True, slots=True, kw_only=True)
class NotificationSent(Event):
    """A receiver took a message. `notices` is how many notices the message has."""

    name = "notification_sent"
    receiver: str
    notices: int
    answer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NotificationFailed(Event):
    """A receiver did not take a message. It is sent again. `tries` is how often it was sent."""

    name = "notification_failed"
    level = Level.WARNING
    receiver: str
    notices: int
    answer: str
    tries: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NotificationDropped(Event):
    """A notice is not sent any more: its receiver took nothing for a day, or is not configured any
    more. `about` is a model's id, or what else it is about."""

    name = "notification_dropped"
    level = Level.ERROR
    receiver: str
    notice: NoticeEvent
    about: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NotificationsWaiting(Event):
    """How many notices wait to be sent, and the names of the configured receivers."""

    count: int
    receivers: tuple[str, ...]


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
    """A state of a target that could not be written to the ledger. The metrics show it, with the
    attempts as last reported."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetForgotten(Event):
    """A target is no longer watched: its metrics are removed."""

    model_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckStarted(Event):
    model_id: str
    lateness: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckDone(Event):
    """A check ended. `result` is the health that was seen, `missing`, or `error`. `observed_at` is
    None if the check got no observation."""

    model_id: str
    result: str
    observed_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckFailed(TargetEvent):
    """A look failed although the API answers looks at other targets. Reported for the first and
    every tenth failure in a row."""

    name = "check_failed"
    level = Level.WARNING
    code: str
    error: str
    in_a_row: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentFailing(TargetEvent):
    """An episode opened, or re-opened with the count of its attempts."""

    name = "deployment_failing"
    level = Level.WARNING
    episode: Episode
    reopened: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CauseFound(TargetEvent):
    """The cause of the target's failure was looked for in its log and its starts. An unknown cause
    is only counted."""

    finding: Finding

    def logged_as(self) -> tuple[str | None, Level]:
        known = self.finding.cause is not Cause.UNKNOWN
        return "cause_found" if known else None, Level.INFO


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentFailedAgain(TargetEvent):
    """The target fails again after our attempt."""

    name = "deployment_failed_again"
    level = Level.WARNING
    attempt: Attempt


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryReserved(TargetEvent):
    name = "retry_reserved"
    attempt: Attempt


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryAnswered(TargetEvent):
    """The outcome of sending an attempt is known. The event's name and level in the log depend on
    it."""

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
    """A failing target is not retried now, for the reason in `decision`. Reported when the reason
    changes. The level is `debug` for a reason that passes by itself within minutes."""

    name = "retry_suppressed"
    decision: Decision

    def logged_as(self) -> tuple[str | None, Level]:
        reason = self.decision.reason
        return self.name, Level.DEBUG if reason is not None and reason.passing else Level.INFO


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
    """The target left its failing state without our attempt, so by an operator's act."""

    name = "episode_superseded"
    episode: Episode


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentReplaced(TargetEvent):
    name = "deployment_replaced"
    episode: Episode


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentStuck(TargetEvent):
    """The target has been in progress for longer than `stuck_after`: since `attempt` or, without
    one, since somebody else began it."""

    name = "deployment_stuck"
    level = Level.ERROR
    attempt: Attempt | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentBroken(TargetEvent):
    """The target does not work, is not retried, and no operator stopped it: an operator is
    needed."""

    name = "deployment_broken"
    level = Level.ERROR


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentNoLongerBroken(TargetEvent):
    name = "deployment_no_longer_broken"


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetMissing(TargetEvent):
    """The target is missing: two *absent* looks, at least an interval apart. `episode` is the one
    that this ended, if any."""

    name = "target_missing"
    level = Level.WARNING
    episode: Episode | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetRemoved(TargetEvent):
    """The target is no longer watched. `episode` is the one that this ended, if any."""

    name = "target_removed"
    episode: Episode | None
