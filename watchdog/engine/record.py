"""The transactions of a check and of an attempt: what is read, judged and written together."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from watchdog.domain.limits import FLEET_DAY, FLEET_MINUTE, episode_used
from watchdog.domain.policy import decide
from watchdog.domain.records import (
    Attempt,
    Decision,
    DecisionKind,
    DecisionReason,
    DeploymentRef,
    Fleet,
    Health,
    Hold,
    Observation,
    Outcome,
    Target,
)
from watchdog.domain.transition import Transition, adopted, missed, observe
from watchdog.engine.ports import RESERVATION_TTL, Ledger, LedgerTransaction, VersionConflict
from watchdog.engine.settings import Settings


@dataclass(frozen=True, slots=True)
class Look:
    """What one look found: an observation, or None for a 404."""

    at: datetime
    observation: Observation | None


@dataclass(frozen=True, slots=True)
class Recorded:
    """A target before and after, what it meant, and the attempts that the judgement saw."""

    before: Target
    after: Target
    step: Transition
    attempts: tuple[Attempt, ...]


class Recorder:
    """Builds the units of work that the ledger runs. Holds no state of its own."""

    def __init__(self, ledger: Ledger, settings: Settings) -> None:
        self._ledger = ledger
        self._settings = settings

    def look(
        self, tx: LedgerTransaction, model_id: str, look: Look, hold: Hold | None
    ) -> Recorded | None:
        """Record a look and judge it; None when the target is no longer there."""
        target = tx.target(model_id)
        if target is None:
            return None
        attempts = self.attempts(tx, target, look.at)
        step = self._step(target, attempts, look)
        return self._save(tx, target, step, attempts, hold, look.at)

    def reserve(
        self, tx: LedgerTransaction, seen: Target, attempt_id: str, hold: Hold | None
    ) -> tuple[Recorded, Attempt | None]:
        """Judge once more with every limit re-computed, and insert the pending attempt.

        No attempt comes back when the judgement has changed. Raises VersionConflict when the
        target has.
        """
        target = tx.target(seen.model_id)
        if target is None or target.version != seen.version or target.episode is None:
            raise VersionConflict(seen.model_id)
        now = tx.now()
        attempts = self.attempts(tx, target, now)
        decision = self._decide(tx, target, attempts, hold, now)
        if decision.kind is not DecisionKind.RETRY:
            return self._save(tx, target, Transition(target), attempts, hold, now), None
        attempt = Attempt(
            id=attempt_id,
            model_id=target.model_id,
            episode_id=target.episode.id,
            number=episode_used(target, attempts) + 1,
            owner=self._settings.owner,
            reserved_at=now,
        )
        tx.add_attempt(attempt)
        saved = self._save(tx, target, Transition(target), (*attempts, attempt), hold, now)
        return saved, attempt

    def settle(
        self,
        tx: LedgerTransaction,
        attempt: Attempt,
        answered: DeploymentRef | None,
        look: Look | None,
        hold: Hold | None,
    ) -> Recorded | None:
        """Record what became of an attempt, adopt the deployment that the answer named, and apply
        the look that made it be abandoned, if that was it."""
        now = tx.now()
        tx.record_answer(attempt)
        target = tx.target(attempt.model_id)
        if target is None:
            return None
        attempts = self.attempts(tx, target, now)
        step = Transition(target)
        if answered is not None and target.deployment != answered:
            step = Transition(adopted(target, answered))
        if look is not None:
            step = self._step(target, attempts, look)
        blind = attempt.outcome is Outcome.ABANDONED and look is None
        return self._save(tx, target, step, attempts, hold, now, blind=blind)

    def resolve_left_behind(self, tx: LedgerTransaction) -> list[Attempt]:
        """Turn the pending attempts whose owners are dead into unknown ones; they stay charged."""
        return [
            self._lost(tx, attempt)
            for attempt in tx.pending_attempts()
            if self._ledger.knows_dead(attempt.owner)
        ]

    def attempts(self, tx: LedgerTransaction, target: Target, now: datetime) -> tuple[Attempt, ...]:
        """Those of the target's episode and window; ones left behind come out as unknown."""
        since = now - self._settings.models[target.model_id].policy.window
        return tuple(
            self._lost(tx, attempt) if self._left_behind(attempt, now) else attempt
            for attempt in tx.attempts(target, since=since)
        )

    def _left_behind(self, attempt: Attempt, now: datetime) -> bool:
        return (
            attempt.outcome is Outcome.PENDING
            and now > attempt.reserved_at + RESERVATION_TTL
            and self._ledger.knows_dead(attempt.owner)
        )

    @staticmethod
    def _lost(tx: LedgerTransaction, attempt: Attempt) -> Attempt:
        """Nobody knows whether or when it was sent: the latest moment allowed is the safe guess."""
        sent_at, now = attempt.reserved_at + RESERVATION_TTL, tx.now()
        if attempt.reserved_at <= now:  # else the clock was set back, and now says nothing
            sent_at = min(sent_at, now)
        lost = replace(attempt, outcome=Outcome.UNKNOWN, sent_at=sent_at)
        tx.record_answer(lost)
        return lost

    def _step(self, target: Target, attempts: Sequence[Attempt], look: Look) -> Transition:
        timing = self._settings.timing
        if look.observation is None:
            return missed(target, attempts, look.at, timing)
        policy = self._settings.models[target.model_id].policy
        return observe(target, attempts, look.observation, policy, timing)

    def _save(
        self,
        tx: LedgerTransaction,
        before: Target,
        step: Transition,
        attempts: tuple[Attempt, ...],
        hold: Hold | None,
        now: datetime,
        *,
        blind: bool = False,
    ) -> Recorded:
        for attempt in step.resolved:
            tx.resolve_attempt(attempt)
        resolved = {attempt.id: attempt for attempt in step.resolved}
        attempts = tuple(resolved.get(attempt.id, attempt) for attempt in attempts)
        decision = self._decide(tx, step.target, attempts, hold, now)
        if blind and decision.kind is DecisionKind.RETRY:
            next_look = now + self._settings.recovery_interval
            decision = Decision(DecisionKind.WAIT, DecisionReason.LOOK_AGAIN_FAILED, next_look)
        after = replace(
            step.target, decision=decision, next_check_at=self._next_check(decision, now)
        )
        if step.ended is not None and (after.episode is None or after.episode.id != step.ended.id):
            tx.save_episode(step.ended)
        return Recorded(before, tx.save_target(after), step, attempts)

    def _decide(
        self,
        tx: LedgerTransaction,
        target: Target,
        attempts: Sequence[Attempt],
        hold: Hold | None,
        now: datetime,
    ) -> Decision:
        limits = self._settings.limits
        fleet = Fleet(limits)
        if target.health is Health.FAILING:
            usage = tx.fleet_usage(
                minute=now - FLEET_MINUTE,
                day=now - FLEET_DAY,
                most=max(limits.max_attempts_per_window, limits.max_retries_per_minute),
            )
            fleet = Fleet(limits, usage.in_flight, usage.sent, usage.charged, hold)
        policy = self._settings.models[target.model_id].policy
        return decide(target, attempts, fleet, policy, now)

    def _next_check(self, decision: Decision, now: datetime) -> datetime:
        settings = self._settings
        if decision.reason is DecisionReason.ATTEMPT_UNDER_WAY:
            return now + settings.recovery_interval
        regular = now + settings.effective_interval
        if decision.until is None:
            return regular
        return min(regular, max(decision.until, now))
