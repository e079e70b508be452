"""What happens in one simulated run: plain values, in seconds."""

from dataclasses import dataclass
from typing import Literal

FAILING = ("BUILD_FAILED", "DEPLOY_FAILED")
HEALTHY = ("ACTIVE", "SCALED_TO_ZERO")
STOPPED = ("BUILD_STOPPED", "INACTIVE")

NEVER = float("inf")


@dataclass(frozen=True, slots=True)
class Rules:
    """The policy of one model."""

    first_delay: float
    backoff: float
    backoff_factor: float
    backoff_max: float
    jitter: float
    max_attempts: int
    window: float
    max_attempts_per_window: int
    healthy_reset: float
    stuck_after: float
    ignores_standing: bool = False
    settle: float = 300.0


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of the fleet."""

    per_minute: int
    in_flight: int
    per_day: int


@dataclass(frozen=True, slots=True)
class BreakerPlan:
    """The breaker's settings. They have no effect if `min_failures` is higher than the number of
    models."""

    min_failures: int
    ratio: float
    max_failures: int
    window: float
    cooldown: float


Deploy = tuple[tuple[str, float | None], ...]
"""Statuses, and how long each lasts; the last one lasts until the next deploy."""


@dataclass(frozen=True, slots=True)
class ModelPlan:
    """One model, and what its deploys do; the last one is repeated for ever. `new_id_on_retry`: an
    accepted retry makes another deployment. `new_created_at_on_retry`: it makes one with the same
    id, whose `created_at` is `made_later` seconds after the retry was accepted, or before if
    negative."""

    id: str
    rules: Rules
    deploys: tuple[Deploy, ...]
    refuses: str | None = None
    new_id_on_retry: bool = False
    new_created_at_on_retry: bool = False
    made_later: float = 0.0


ActKind = Literal[
    "push", "push_new_id", "stop", "deactivate", "delete", "fail", "platform_deactivates"
]


@dataclass(frozen=True, slots=True)
class Act:
    """What is done to a model, by an operator except for `platform_deactivates`. The audit log
    shows who deactivated it `logged` seconds later; None means never."""

    at: float
    model_id: str
    what: ActKind
    logged: float | None = 0.0


FaultKind = Literal[
    "refuse", "reset_before", "reset_after", "hang_before", "hang_after", "slow",
    "429", "429_blind", "429_garbage", "401", "403", "404", "503", "504_after",
    "truncated", "ill_typed", "retried_yes", "other_deployment", "hostile_reason",
    "lag", "lag_status", "lag_reads", "ledger_locked",
    "404_all", "other_model", "not_development", "blind",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Fault:
    """What happens to requests that are sent in a time span. A fault without an end lasts during
    the calm too.

    `amount` is the seconds of a delay, a lag or a `retry_after`; for `lag_reads` it is the number
    of reads. `lag` shows what was in the slot some seconds ago, `lag_status` the status of that
    time with the present identity. `404_all` answers every request, including listings.
    `other_model` answers a look with another model's deployment, `not_development` with the model's
    production deployment. `blind`: no look is answered after a retry of the model was executed.
    """

    kind: FaultKind
    since: float
    until: float
    model_id: str | None = None
    operation: Literal["look", "retry"] | None = None
    share: float = 1.0
    amount: float = 0.0


@dataclass(frozen=True, slots=True)
class Life:
    """One life of the daemon, and how it ends: `at` a moment, or at the nth reservation if that
    comes first; a kill then comes `steps` steps of the loop later. None means that it runs to the
    end. `downtime` follows, in which the wall clock is stepped by `step`."""

    ends_at: float | None = None
    at_reservation: int | None = None
    steps: int = 0
    gracefully: bool = False
    downtime: float = 0.0
    step: float = 0.0
    observe: bool = False


@dataclass(frozen=True, slots=True)
class Command:
    """A `check --retry`. It is killed after so many steps, or not if that is None. `models`: its
    configuration has only these; if empty, all. `observe`: it only observes."""

    at: float
    killed_after: int | None = None
    models: tuple[str, ...] = ()
    observe: bool = False


@dataclass(frozen=True, slots=True)
class Scenario:
    """A run: trouble until `calm_at`, then no more faults, acts, crashes or clock steps, and
    `bound` seconds in which every target that can recover must.

    `starts_at` is when the daemon first starts. `races` are numbers of reservations, each with the
    seconds after which an operator pushes that model. `steps` are steps of the wall clock, and
    `suspends` are times for which the machine sleeps, each with its moment. `reaction` is how long
    a process may take to act on an answer; a simulated process takes no time. `cron`: there is no
    daemon, and a `check --retry` begins so many seconds after the last one began, also in the calm.
    `unwatched` are the models that no daemon is configured with: only commands look at them.
    `audited`: the key may read the audit log.
    """

    seed: int
    models: tuple[ModelPlan, ...]
    limits: Limits
    breaker: BreakerPlan
    interval: float
    recovery_interval: float
    timeout: float
    concurrency: int
    max_rate: float
    latency: float
    ledger_latency: float
    starts_at: float
    lives: tuple[Life, ...]
    commands: tuple[Command, ...]
    acts: tuple[Act, ...]
    faults: tuple[Fault, ...]
    races: tuple[tuple[int, float], ...]
    steps: tuple[tuple[float, float], ...]
    suspends: tuple[tuple[float, float], ...]
    calm_at: float
    bound: float
    reaction: float = 0.0
    cron: float | None = None
    unwatched: tuple[str, ...] = ()
    audited: bool = False

    @property
    def effective_interval(self) -> float:
        return max(self.interval, len(self.models) / self.max_rate)

    def rules(self, model_id: str) -> Rules:
        return self.model(model_id).rules

    def model(self, model_id: str) -> ModelPlan:
        return next(model for model in self.models if model.id == model_id)
