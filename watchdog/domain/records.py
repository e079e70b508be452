"""The values that the rules work on. All frozen; every datetime is aware and in UTC."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

from watchdog.domain.reasons import DecisionReason as DecisionReason


class Health(StrEnum):
    """What a deployment status means to a policy. Neither NOT_RETRYABLE nor BROKEN is retried: the
    first was stopped by an operator, the second does not work and nobody stopped it."""

    HEALTHY = "healthy"
    FAILING = "failing"
    IN_PROGRESS = "in_progress"
    NOT_RETRYABLE = "not_retryable"
    BROKEN = "broken"


class Actor(StrEnum):
    """Who deactivated a deployment. NOBODY: it is known that nobody will tell."""

    PERSON = "person"
    PLATFORM = "platform"
    NOBODY = "nobody"


@dataclass(frozen=True, slots=True)
class DeploymentRef:
    """The deployment in the development slot. A push overwrites the slot in place, and it is not
    documented whether `id` stays the same then, so both fields together are the identity.
    `created_at` is kept to the second, because the API gives fractions in some answers and not in
    others."""

    id: str
    created_at: datetime

    def __post_init__(self) -> None:
        if self.created_at.microsecond:
            object.__setattr__(self, "created_at", self.created_at.replace(microsecond=0))


@dataclass(frozen=True, slots=True)
class Observation:
    """The result of a check that could see. One that could not is an error, never one of these.
    `opted_out`: a label on the deployment asks to be left alone. `deactivated_by` is who made it
    INACTIVE, by the API's audit log; None where that is not known yet."""

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
    """What the policy says now.

    `reason` is None only for a retry; `until` is set only for a wait whose end is known.
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
        """Whether it counts against the episode and the window. In observe mode a `dry_run` counts
        as the POST would that it stands for. Retry mode never loads such rows."""
        return self in _CHARGED


_CHARGED = frozenset(
    {Outcome.PENDING, Outcome.ACCEPTED, Outcome.REFUSED, Outcome.UNKNOWN, Outcome.DRY_RUN}
)


LONGEST_IN_FLIGHT = timedelta(hours=24)
"""How long an attempt may hold a place in flight at most: the longest `stuck_after` that a
configuration may ask for."""


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
    """One retry: reserved, then sent.

    `number` counts the charged attempts of the episode, this one included. `resolved_at` None
    means under way. `sent_at` None means surely not sent, except while `pending`, when it is not
    known yet. `reason` is the API's free text: untrusted.

    `presumed`: no other status than failing ones was seen that may be its effect, so only the time
    that passed says that it failed again. `in_flight_until` is how long it may hold one of the
    fleet's places in flight. `deployment` is what stood in the slot when it was reserved, `made`
    the one change of that which it adopted. `forbidden_key` is the mark of the key that may not
    retry the model, if its POST was answered so.

    For the limits: `api_date` is what the API's clock said at the look before it was sent, and
    `ahead_since` since when it is known that the clock was set back behind it: `limits.counts_at`.
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
        """Whether its end was not observed: it is under way, or only presumed to have failed."""
        return self.under_way or self.presumed

    def reserved_for(self, now: datetime) -> timedelta:
        """How long ago it was reserved. If the clock was set back to before that moment, the time
        since that was noticed."""
        if self.reserved_at > now and self.ahead_since is not None:
            return now - self.ahead_since
        return now - self.reserved_at

    def in_flight(self, now: datetime, date: datetime | None = None) -> bool:
        """Whether it holds one of the fleet's places in flight. That depends on time alone, and it
        holds the place for as long as one of the two clocks says so, as in the other limits: so an
        attempt that looks stuck after a jump of the ledger's clock still holds it. `date` is the
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
    """One continuous span of a target failing.

    `failing_from` is when it opened or last re-opened: what a recovery is measured from.
    `result` None means open. `standing`: it was failing already when first observed, or when the
    mode changed to retry.
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

    @property
    def open(self) -> bool:
        return self.result is None


UNOBSERVED = Decision(DecisionKind.NOTHING, DecisionReason.UNOBSERVED)


@dataclass(frozen=True, slots=True)
class Target:
    """One watched model's development slot, as last recorded.

    `episode` is the current one, or an ended one that a new failure would re-open. `health`,
    `status` and `deployment` are None until the first observation. `failing_since` is the first
    failing observation of the present span of failing ones, `in_progress_since` the same of those
    in progress. `healthy_for` is the health observed since the episode ended; while it is open, how
    long the target has been seen asleep. `inactive_as` is what an INACTIVE counts as unless it
    becomes known who deactivated it; None once that is judged. `missing_since` is the first of an
    unbroken run of 404s; `missing` is set by the second. `seen_well`: it is not seen any more, and
    was not failing when it last was. `opted_out` is what its deployment's label last said.
    `version` grows with each recorded change and fences reservations; claims do not touch it.

    A person's: `paused_until` is the later end of its own pause and of everybody's, read with the
    target and never written with it; attempts before `window_since` count no more in the window.

    `ready_at` is since when nothing but the fleet keeps a failing one from being retried, and
    `queue_rank` its rank among those that wait with it, None where it does not wait: see
    `domain.queue`.

    For the breaker: `broke_at` is when it last began to fail after it was seen not failing;
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
        """When its present failure began, retries that did not help included; None while it does
        not fail. `failing_since` is only when it began to fail after the last other status."""
        if self.failing_since is None or self.episode is None or not self.episode.open:
            return self.failing_since
        return min(self.failing_since, self.episode.failing_from)


@dataclass(frozen=True, slots=True)
class Breakage:
    """One continuous span of a target being broken. `status` is the one that it began with; None:
    the model, or its development deployment, was missing. `ended_at` None: it lasts."""

    model_id: str
    began_at: datetime
    status: str | None
    ended_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class StatusChange:
    """From `at` on a target had this status; None means that it was missing."""

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
    """An operator's act, as the ledger keeps it. `model_id` None means all models; `until` is when
    a pause expires, `ended_at` when somebody ended it earlier; `who` is user@host. `note` is free
    text."""

    at: datetime
    kind: ActionKind
    model_id: str | None
    who: str
    note: str
    until: datetime | None = None
    ended_at: datetime | None = None
    id: int | None = None


class Standing(StrEnum):
    """What to do about a target that was failing before anyone watched."""

    RETRY = "retry"
    IGNORE = "ignore"


class AllowedTimes(Protocol):
    """When retries may happen."""

    def opens_at(self, now: datetime) -> datetime | None:
        """None when retries are allowed now, else the next moment at which they are, or at which to
        ask again."""


@dataclass(frozen=True, slots=True)
class Policy:
    """The rules for a target. The configuration has the defaults and the reasons for them. `settle`
    is how long a status must last before it has a meaning by itself. `allowed_times` None means
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


@dataclass(frozen=True, slots=True)
class FleetLimits:
    """The limits over all targets."""

    max_retries_per_minute: int
    max_in_flight: int
    max_attempts_per_window: int


@dataclass(frozen=True, slots=True)
class Hold:
    """The API must not be called before `until`. `reason` is `api_held` or `auth_failed`."""

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
    """What the ledger says of all targets together, and what the API says of the retry operation.

    `sent` holds the times of the POSTs that may have been sent in the last minute, `charged` those
    of the charged attempts of the last 24 h, both oldest first, and a `pending` attempt counts in
    both as now. `in_flight` counts the targets that hold a place. `breaker` None means closed.

    `ahead` is how many other targets go before the one that is judged: `domain.queue`. `key_mark`
    is the key in use. `probe_at`: that key may retry nothing, and one retry may find out whether
    that is still so then; None while it may. Only what was forbidden after `forbidden_from` counts.
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


class TargetState(StrEnum):
    """What a target is doing, in one word, for people and the `target_state` metric."""

    HEALTHY = "healthy"
    IN_PROGRESS = "in_progress"
    WAITING = "waiting"
    RECOVERING = "recovering"
    EXHAUSTED = "exhausted"
    STUCK = "stuck"
    PAUSED = "paused"
    IGNORED = "ignored"
    NOT_RETRYABLE = "not_retryable"
    BROKEN = "broken"
    MISSING = "missing"
    UNKNOWN = "unknown"
