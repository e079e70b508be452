"""The engine's settings: given once, and replaced as a whole when the configuration changes."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from watchdog.domain.breaker import BreakerRules
from watchdog.domain.causes import Match, Pattern
from watchdog.domain.outbox import Receiver
from watchdog.domain.records import FleetLimits, Policy, Target
from watchdog.domain.step import Timing, effective_interval
from watchdog.text.links import APP_URL

TICK = timedelta(seconds=1)
"""How often due targets are claimed: the least interval that a configuration may ask for."""

MODE = "mode"
"""The ledger keeps, under this key, the mode of the active daemon, or of the last active one."""


def no_patterns(_line: str) -> tuple[Pattern, ...]:
    """A catalogue without patterns: every cause is unknown."""
    return ()


@dataclass(frozen=True, slots=True)
class Model:
    """One configured model."""

    name: str | None
    policy: Policy


@dataclass(frozen=True, slots=True)
class Settings:
    """`owner` is the name by which this process is known in its reservations; `max_rate` is in
    requests a second; `timeout` is for one request; `diagnose`: also find out why a deployment
    failed and who acted, with the patterns that `match` finds in the lines of a log; `app_url` is
    where links to Baseten's pages lead."""

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
    match: Match = no_patterns
    app_url: str = APP_URL
    receivers: tuple[Receiver, ...] = ()

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
        return effective_interval(self.interval, len(self.models), self.max_rate)

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
