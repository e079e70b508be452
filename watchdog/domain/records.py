"""The values that the rules work on. All frozen; every datetime is aware and in UTC."""

from collections.abc import Mapping
from dataclasses import astuple, dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

from watchdog.domain.causes import Cause, Explanation
from watchdog.domain.reasons import DecisionReason as DecisionReason


class Health(StrEnum):
    """What a deployment status means to a policy. NOT_RETRYABLE and BROKEN are not retried: an
    operator stopped the first; the second does not work, and nobody stopped it."""

    HEALTHY = "healthy"
    FAILING = "failing"
    IN_PROGRESS = "in_progress"
    NOT_RETRYABLE = "not_retryable"
    BROKEN = "broken"


class Actor(StrEnum):
    """Who deactivated a deployment. NOBODY: it is known that the audit log will not show it."""

    PERSON = "person"
    PLATFORM = "platform"
    NOBODY = "nobody"


@dataclass(frozen=True, slots=True)
class DeploymentRef:
    """The deployment in the development slot. A push replaces the deployment in the slot, and it is
    not documented whether `id` stays the same then, so both fields together are the identity.
    `created_at` is rounded down to seconds, because some answers of the API have fractions and
    others do not."""

    id: str
    created_at: datetime

    def __post_init__(self) -> None:
        if self.created_at.microsecond:
            object.__setattr__(self, "created_at", self.created_at.replace(microsecond=0))


@dataclass(frozen=True, slots=True)
class Observation:
    """The result of a look that found a deployment. A look that failed is an error, never an
    observation. `opted_out`: a label on the deployment says that it must not be retried.
    `deactivated_by` is who made it INACTIVE, by the API's audit log; None if that is not known
    yet."""

    status: str
    deployment: DeploymentRef
    at: datetime
    opted_out: bool = False
    deactivated_by: Actor | None = None


class DecisionKind(StrEnum):
    RETRY = "retry"
    WAIT = "wait"
    GIVE_UP = "give_up"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Decision:
    """What the policy decides now.

    `reason` is None only for a retry. `until` is set only for a wait whose end is known.
    """

    kind: DecisionKind
    reason: DecisionReason | None = None
    until: datetime | None = None


class Outcome(StrEnum):
    """The outcome of sending an attempt."""

    PENDING = "pending"
    ACCEPTED = "accepted"
    REFUSED = "refused"
    THROTTLED = "throttled"
    ABANDONED = "abandoned"
    FAILED = "failed"
    UNKNOWN = "unknown"
    DRY_RUN = "dry_run"

    @property
    def charged(self) -> bool:
        """Whether it counts against the limits of the episode and the window. In observe mode a
        `dry_run` counts like the POST that retry mode would have sent. Retry mode never loads such
        rows."""
        return self in _CHARGED


_CHARGED = frozenset(
    {Outcome.PENDING, Outcome.ACCEPTED, Outcome.REFUSED, Outcome.UNKNOWN, Outcome.DRY_RUN}
)


LONGEST_IN_FLIGHT = timedelta(hours=24)
"""The longest time for which an attempt may hold a place in flight: the longest `stuck_after` that
a configuration may have."""


class Resolution(StrEnum):
    """How an attempt ended. There is no REPLACED: a new deployment may be the result of our own
    attempt."""

    ANSWERED = "answered"
    RECOVERED = "recovered"
    REFAILED = "refailed"
    STUCK = "stuck"
    SUPERSEDED = "superseded"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True)
class Attempt:
    """One retry: first reserved, then sent.

    `number` counts the charged attempts of the episode, including this one. `resolved_at` None
    means that it is under way. `sent_at` None means that it was certainly not sent, except while
    `pending`, when that is not known yet. `reason` is free text of the API, which is untrusted.

    `presumed`: it was resolved as failed again only because of the time that passed; no other
    status than failing ones has been seen that may be its effect. Until `in_flight_until` it may
    hold one of the fleet's places in flight. `deployment` was in the slot when it was reserved;
    `made` is the deployment that replaced it as this attempt's effect. `forbidden_key` is the mark
    of the key that may not retry the model, if its POST got that answer.

    For the limits (`limits.counts_at`): `api_date` is the time of the API's clock at the look
    before it was sent. `ahead_since` is since when it is known that the ledger's clock was set back
    to before it was sent.
    """

    id: str
    model_id: str
    episode_id: str
    number: int
    owner: str
    reserved_at: datetime
    outcome: Outcome = Outcome.PENDING
    sent_at: datetime | None = None
    answered_at: datetime | None = None
    reason: str | None = None
    resolution: Resolution | None = None
    resolved_at: datetime | None = None
    presumed: bool = False
    in_flight_until: datetime | None = None
    deployment: DeploymentRef | None = None
    made: DeploymentRef | None = None
    forbidden_key: str | None = None
    api_date: datetime | None = None
    ahead_since: datetime | None = None

    @property
    def under_way(self) -> bool:
        return self.resolved_at is None

    @property
    def unended(self) -> bool:
        """Whether its end was not observed: it is under way, or it is only presumed to have
        failed."""
        return self.under_way or self.presumed

    def reserved_for(self, now: datetime) -> timedelta:
        """How long ago it was reserved. If the clock was set back to before that moment: the time
        since this was noticed."""
        if self.reserved_at > now and self.ahead_since is not None:
            return now - self.ahead_since
        return now - self.reserved_at

    def in_flight(self, now: datetime, date: datetime | None = None) -> bool:
        """Whether it holds one of the fleet's places in flight. As in the other limits, the later
        of two clocks counts: it holds the place as long as either clock says so. So an attempt that
        seems to be stuck after a jump of the ledger's clock still holds its place. `date` is the
        API's `Date` at the present look."""
        until = self.in_flight_until or self.reserved_at + LONGEST_IN_FLIGHT
        if self.unended and now < until:
            return True
        if date is None or self.api_date is None or self.api_date > date + LONGEST_IN_FLIGHT:
            return False
        unseen = self.under_way or self.resolution is Resolution.STUCK
        return unseen and date < self.api_date + (until - self.reserved_at)


class EpisodeResult(StrEnum):
    RECOVERED = "recovered"
    SUPERSEDED = "superseded"
    REPLACED = "replaced"
    REMOVED = "removed"
    RESET = "reset"


@dataclass(frozen=True, slots=True)
class Episode:
    """One failure of a target, from the first failing observation until it recovers, an operator
    acts, or it is removed. Everything that is seen while one of its attempts is under way belongs
    to it.

    `failing_from` is when it opened or last re-opened; the time to a recovery counts from it.
    `result` None means that it is open. `standing`: the target was failing already when it was
    first observed, or when the mode changed to retry.
    """

    id: str
    model_id: str
    deployment: DeploymentRef
    status: str
    opened_at: datetime
    failing_from: datetime
    standing: bool = False
    ended_at: datetime | None = None
    result: EpisodeResult | None = None
    explanation: Explanation | None = None

    @property
    def open(self) -> bool:
        return self.result is None

    @property
    def cause(self) -> Cause:
        """The last one that was found."""
        return Cause.UNKNOWN if self.explanation is None else self.explanation.cause


UNOBSERVED = Decision(DecisionKind.NOTHING, DecisionReason.UNOBSERVED)


@dataclass(frozen=True, slots=True)
class Target:
    """The development slot of one watched model, as last recorded.

    `episode` is the present one, or an ended one that a new failure would re-open. `health`,
    `status` and `deployment` are None until the first observation. `failing_since` is the first of
    the present uninterrupted failing observations, `in_progress_since` the first of those in
    progress. `healthy_for` is how long the target has been seen healthy since the episode ended;
    while the episode is open, how long it has been seen SCALED_TO_ZERO. `inactive_as` is what
    INACTIVE counts as unless it becomes known who deactivated the deployment; None once that is
    judged. `missing_since` is the time of the first of several *absent* looks in a row; the second
    one sets `missing`. `seen_well`: the target was removed, and was not failing when it was last
    seen. `opted_out` is what its deployment's label last said. `version` grows with each recorded
    change, and a change that is based on an older version is refused; claims do not change it.

    By operators: `paused_until` is the later end of the target's own pause and of the pause of all
    models. It is read with the target and never written with it. Attempts before `window_since` no
    longer count in the window.

    For the queue (`domain.queue`): `ready_at` is since when only the fleet's limits prevent a retry
    of the failing target. `queue_rank` is its rank among the targets that wait for them; None if it
    does not wait.

    For the breaker: `broke_at` is when it last began to fail after it was seen not failing.
    `observed_twice` is False until its second observation.
    """

    model_id: str
    name: str | None = None
    watched: bool = True
    status: str | None = None
    health: Health | None = None
    deployment: DeploymentRef | None = None
    status_since: datetime | None = None
    observed_at: datetime | None = None
    failing_since: datetime | None = None
    in_progress_since: datetime | None = None
    inactive_as: Health | None = None
    healthy_for: timedelta = timedelta(0)
    missing_since: datetime | None = None
    missing: bool = False
    seen_well: bool = False
    paused_until: datetime | None = None
    window_since: datetime | None = None
    broke_at: datetime | None = None
    observed_twice: bool = False
    opted_out: bool = False
    ready_at: datetime | None = None
    queue_rank: int | None = None
    episode: Episode | None = None
    decision: Decision = UNOBSERVED
    next_check_at: datetime | None = None
    version: int = 0

    @property
    def failing_from(self) -> datetime | None:
        """When its present failure began, before any retries that did not help; None while it does
        not fail. `failing_since` is later: when it began to fail after the last other status."""
        if self.failing_since is None or self.episode is None or not self.episode.open:
            return self.failing_since
        return min(self.failing_since, self.episode.failing_from)


@dataclass(frozen=True, slots=True)
class Breakage:
    """One continuous time of a target being broken. `status` is the status at its beginning; None
    if the model or its development deployment was missing. `ended_at` is None while it lasts."""

    model_id: str
    began_at: datetime
    status: str | None
    ended_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class StatusChange:
    """A target had this status from `at` on; None means that it was missing."""

    model_id: str
    at: datetime
    status: str | None


class ActionKind(StrEnum):
    """What an operator did to the watchdog."""

    PAUSE = "pause"
    RESUME = "resume"
    RESET = "reset"
    RETRY = "retry"


@dataclass(frozen=True, slots=True)
class Action:
    """An operator's act, as it is stored in the ledger. `model_id` None means all models. `until`
    is when a pause expires, `ended_at` when an operator ended it earlier. `who` is user@host.
    `note` is free text."""

    at: datetime
    kind: ActionKind
    model_id: str | None
    who: str
    note: str
    until: datetime | None = None
    ended_at: datetime | None = None
    id: int | None = None


class Standing(StrEnum):
    """What to do about a target that was failing before the watchdog watched it."""

    RETRY = "retry"
    IGNORE = "ignore"


class AllowedTimes(Protocol):
    """When retries may happen."""

    def opens_at(self, now: datetime) -> datetime | None:
        """None if retries are allowed now. Otherwise the next moment at which they are allowed, or
        at which to call this again."""


class CauseAction(StrEnum):
    """How often a failure with a certain cause is retried. ONCE: until one retry has proven that a
    retry does not help."""

    RETRY = "retry"
    ONCE = "once"
    NEVER = "never"


@dataclass(frozen=True, slots=True)
class CauseRule:
    """What a cause means for the retries. A backoff that is None is the policy's."""

    action: CauseAction = CauseAction.RETRY
    backoff: timedelta | None = None
    backoff_factor: float | None = None
    backoff_max: timedelta | None = None


_AS_ALWAYS = CauseRule()


@dataclass(frozen=True, slots=True)
class Policy:
    """The rules for a target. The configuration has the defaults and the reasons for them. `settle`
    is how long SCALED_TO_ZERO must last after a retry before it counts as healthy, and how long an
    attempt that is presumed to have failed keeps its place in flight. `allowed_times` None means
    always."""

    retry_on: frozenset[str]
    first_delay: timedelta
    backoff: timedelta
    backoff_factor: float
    backoff_max: timedelta
    jitter: float
    max_attempts: int
    window: timedelta
    max_attempts_per_window: int
    healthy_reset: timedelta
    stuck_after: timedelta
    settle: timedelta
    standing: Standing
    allowed_times: AllowedTimes | None = None
    causes: Mapping[Cause, CauseRule] = field(default_factory=dict)

    def rule_for(self, cause: Cause) -> CauseRule:
        return self.causes.get(cause, _AS_ALWAYS)


@dataclass(frozen=True, slots=True)
class FleetLimits:
    """The limits of all targets together."""

    max_retries_per_minute: int
    max_in_flight: int
    max_attempts_per_window: int

    @property
    def most(self) -> int:
        """The largest of them: this many of the newest retries are enough to find out whether any
        limit is reached."""
        numbers: tuple[int, ...] = astuple(self)
        return max(numbers)


@dataclass(frozen=True, slots=True)
class Hold:
    """One operation of the API is not to be requested before `until`. `reason` is `api_held` or
    `auth_failed`."""

    reason: DecisionReason
    until: datetime


@dataclass(frozen=True, slots=True)
class OpenBreaker:
    """The breaker is open: only `canary`, a model's id, may be retried. `until` is when the next
    canary may be named; None while that depends on the present one."""

    until: datetime | None
    canary: str | None = None


@dataclass(frozen=True, slots=True)
class Fleet:
    """The state of all targets together, from the ledger, and of the API's retry operation.

    `sent` are the times of the POSTs that may have been sent in the last minute, `charged` those of
    the charged attempts of the last 24 h. Both are oldest first, and a `pending` attempt counts in
    both as now. `in_flight` is the number of targets that hold a place. `breaker` None means
    closed. `date` is the API's `Date` at the present look.

    `ahead` is how many other targets are before this one in the queue: `domain.queue`. `key_mark`
    identifies the key in use. `probe_at`: the key may retry nothing, and this is when one retry may
    be sent to find out whether that has changed; None while the key may retry. Only retries that
    were forbidden after `forbidden_from` count. `diagnosed`: the causes of failures are read.
    """

    limits: FleetLimits
    in_flight: int = 0
    sent: tuple[datetime, ...] = field(default=())
    charged: tuple[datetime, ...] = field(default=())
    hold: Hold | None = None
    breaker: OpenBreaker | None = None
    ahead: int = 0
    key_mark: str = ""
    probe_at: datetime | None = None
    forbidden_from: datetime | None = None
    date: datetime | None = None
    diagnosed: bool = False


class TargetState(StrEnum):
    """What a target is doing, in one word, for people and the `target_state` metric. The most
    urgent state is first: targets are shown in this order."""

    EXHAUSTED = "exhausted"
    STUCK = "stuck"
    BROKEN = "broken"
    MISSING = "missing"
    WAITING = "waiting"
    RECOVERING = "recovering"
    PAUSED = "paused"
    NOT_RETRYABLE = "not_retryable"
    UNKNOWN = "unknown"
    IN_PROGRESS = "in_progress"
    IGNORED = "ignored"
    HEALTHY = "healthy"
