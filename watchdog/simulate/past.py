"""What `replay` reads, and what it finds."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from watchdog.domain.breaker import Canary, Opening
from watchdog.domain.records import (
    Attempt,
    DecisionReason,
    Episode,
    Health,
    Outcome,
    Policy,
    StatusChange,
)
from watchdog.domain.status import health_of


class Verdict(StrEnum):
    """What the other policy would have done, as far as it is known."""

    SAME = "same"
    FEWER = "fewer"
    UNKNOWN = "unknown"
    LASTS = "lasts"

    @property
    def sentence(self) -> str:
        return _SENTENCES[self]


_SENTENCES = {
    Verdict.SAME: "the same retries, with the same result",
    Verdict.FEWER: "fewer retries, and all that they brought is known",
    Verdict.UNKNOWN: "a retry that was never sent: nobody knows what it would have brought",
    Verdict.LASTS: "the episode is not over",
}


@dataclass(frozen=True, slots=True)
class Past:
    """What the ledger knows, oldest first. Only retries that were really sent, or refused before
    that, are among the attempts. `earlier` are the attempts of episodes that are not replayed: they
    happened under every policy, and count against its limits."""

    episodes: Sequence[Episode]
    attempts: Sequence[Attempt]
    changes: Sequence[StatusChange]
    openings: Sequence[Opening]
    canaries: Sequence[Canary]
    now: datetime
    earlier: Sequence[Attempt] = ()

    def counted_before(self, longest: timedelta) -> list[Attempt]:
        """The earlier attempts that may count in a window of this length."""
        begins = min((each.opened_at for each in self.episodes), default=self.now)
        return [each for each in self.earlier if each.reserved_at >= begins - longest]

    def failures(self, policies: Mapping[str, Policy]) -> dict[str, list[datetime]]:
        """When each model was seen to begin to fail."""
        found: dict[str, list[datetime]] = {}
        for change in self.changes:
            policy = policies.get(change.model_id)
            if policy and change.status and health_of(change.status, policy) is Health.FAILING:
                found.setdefault(change.model_id, []).append(change.at)
        return found

    def opening_at(self, at: datetime) -> Opening | None:
        """The opening of the breaker at a moment."""
        for opening in self.openings:
            if opening.opened_at <= at < (opening.closed_at or self.now):
                return opening
        return None

    def turn(self, model_id: str, opening: Opening, at: datetime, near: timedelta) -> Canary | None:
        """The canary, if it was this model's turn at that moment, or will be within `near`."""
        for canary in self._turns(model_id, opening):
            if canary.named_at - near <= at < (canary.ended_at or self.now):
                return canary
        return None

    def wakes(self, model_id: str, opening: Opening, at: datetime) -> datetime:
        """When a model that waits for the breaker is judged again: when it is its turn, or when the
        breaker closes."""
        turns = (each.named_at for each in self._turns(model_id, opening) if each.named_at > at)
        return min(turns, default=opening.closed_at or self.now)

    def closed_within(self, span: timedelta, at: datetime) -> bool:
        """Whether the breaker closed within this span before a moment."""
        closings = (each.closed_at for each in self.openings if each.closed_at is not None)
        return any(at - span <= closed <= at for closed in closings)

    def _turns(self, model_id: str, opening: Opening) -> Iterator[Canary]:
        for each in self.canaries:
            if each.opening_id == opening.id and each.model_id == model_id:
                yield each


@dataclass(frozen=True, slots=True)
class Held:
    """The policy would have waited for this reason until then."""

    reason: DecisionReason
    since: datetime
    until: datetime


@dataclass(slots=True)
class Replayed:
    """What the other policy would have done in one episode. `sent` are the retries of this policy
    that were also sent in reality. `unknown_at` is when it would have sent a retry that was never
    sent. `was` counts the retries that were really sent."""

    episode: Episode
    was: int
    sent: list[datetime] = field(default_factory=list)
    held: list[Held] = field(default_factory=list)
    gave_up_at: datetime | None = None
    gave_up: DecisionReason | None = None
    unknown_at: datetime | None = None
    verdict: Verdict = Verdict.LASTS

    def hold(self, reason: DecisionReason, at: datetime, until: datetime) -> None:
        """Note that the policy waits, perhaps for the same reason as before."""
        if self.held and self.held[-1].reason is reason and self.held[-1].until == at:
            self.hold_on(until)
        else:
            self.held.append(Held(reason, at, until))

    def hold_on(self, until: datetime) -> None:
        """Note that the last wait lasts until then."""
        self.held[-1] = replace(self.held[-1], until=until)

    def let_go(self, at: datetime) -> None:
        """Note that the wait is over at this moment."""
        if self.held and self.held[-1].until > at:
            self.hold_on(at)


@dataclass(slots=True)
class Course:
    """An episode that is being replayed. `failing_since` is the first of the present failing looks,
    `real` are the attempts that were made and have no counterpart yet. `ready_at`: since when only
    the fleet's day keeps it from the next retry; it may lie in the future."""

    replayed: Replayed
    failing_since: datetime
    real: list[Attempt]
    ready_at: datetime | None = None


def sent_or_refused(attempts: Sequence[Attempt]) -> list[Attempt]:
    """The attempts that say something of the past, oldest first: an abandoned one was not sent, and
    nothing follows from it. Those of observe mode were not sent either."""
    left_out = (Outcome.ABANDONED, Outcome.PENDING, Outcome.DRY_RUN)
    kept = [each for each in attempts if each.outcome not in left_out]
    return sorted(kept, key=lambda each: each.reserved_at)
