"""The result of a transaction about one target."""

from dataclasses import dataclass

from watchdog.domain.records import (
    Attempt,
    DecisionKind,
    DecisionReason,
    Health,
    Target,
)
from watchdog.domain.status import is_broken
from watchdog.domain.step import Happening, Transition
from watchdog.engine.events import Event


@dataclass(frozen=True, slots=True)
class Recorded:
    """The result of one transaction about a target: the target before and after it, the step
    between the two, the attempts that the decision was made from, the events about the fleet
    (`news`), and whether the attempt that was just reserved is the breaker's canary."""

    before: Target
    after: Target
    step: Transition
    attempts: tuple[Attempt, ...]
    news: tuple[Event, ...] = ()
    canary: bool = False

    @property
    def has_new_reason(self) -> bool:
        """Whether the target is failing, and its decision has another reason than before. A
        decision to retry has the reason None."""
        failing = self.after.health is Health.FAILING
        return failing and self.after.decision.reason is not self.before.decision.reason

    @property
    def gave_up(self) -> bool:
        return self.has_new_reason and self.after.decision.kind is DecisionKind.GIVE_UP

    @property
    def attempt_got_stuck(self) -> bool:
        return Happening.STUCK in self.step.happened

    @property
    def got_stuck_by_itself(self) -> bool:
        """Whether the target is stuck now, was not before, and no attempt of ours got stuck."""
        was = self.before.decision.reason is DecisionReason.STUCK or self.attempt_got_stuck
        return self.after.decision.reason is DecisionReason.STUCK and not was

    @property
    def became_broken(self) -> bool:
        return is_broken(self.after) and not is_broken(self.before)

    @property
    def became_healthy(self) -> bool:
        """Whether it is healthy and was last seen otherwise."""
        was = self.before.health
        seen = self.before.observed_at is not None
        return seen and self.after.health is Health.HEALTHY and was is not Health.HEALTHY
