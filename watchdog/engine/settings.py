"""The engine's settings: given once, and replaced as a whole when the configuration changes."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from watchdog.domain.breaker import BreakerRules
from watchdog.domain.records import FleetLimits, Policy, Target
from watchdog.domain.transition import Timing

MODE = "mode"
"""Under this key the ledger keeps the mode in which the active daemon watches, or last did."""


@dataclass(frozen=True, slots=True)
class Model:
    """One configured model."""

    name: str | None
    policy: Policy


@dataclass(frozen=True, slots=True)
class Settings:
    """`owner` is the owner in this process's reservations; `max_rate` is in requests a second;
    `timeout` is for one request; `diagnose`: also find out why a deployment failed and who
    acted."""

    observe: bool
    owner: str
    models: Mapping[str, Model]
    limits: FleetLimits
    breaker: BreakerRules
    interval: timedelta
    recovery_interval: timedelta
    timeout: timedelta
    concurrency: int
    max_rate: float
    diagnose: bool

    @property
    def mode(self) -> str:
        return "observe" if self.observe else "retry"

    @property
    def is_daemon(self) -> bool:
        """An owner begins with the role of its process."""
        return self.owner.startswith("daemon:")

    @property
    def policies(self) -> dict[str, Policy]:
        """The rules of each model, by id."""
        return {model_id: model.policy for model_id, model in self.models.items()}

    def policy_of(self, target: Target) -> Policy:
        return self.models[target.model_id].policy

    @property
    def effective_interval(self) -> timedelta:
        """The configured interval, stretched to what the request rate can serve."""
        return max(self.interval, timedelta(seconds=len(self.models) / self.max_rate))

    @property
    def timing(self) -> Timing:
        return Timing(
            lag=self.timeout + self.recovery_interval,
            longest_gap=2 * self.effective_interval,
            interval=self.interval,
        )


class LiveSettings:
    """The settings in force. They are replaced as a whole. A unit of work reads them once at its
    beginning, and uses the same ones until it ends."""

    def __init__(self, settings: Settings) -> None:
        self.current = settings
