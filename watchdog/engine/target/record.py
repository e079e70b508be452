"""The transactions of a check and of an attempt: what is read, judged and written together."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from watchdog.domain.effects import named_in_answer, pushed
from watchdog.domain.limits import RESERVATION_TTL, counting, episode_used
from watchdog.domain.policy import decide, ready_since
from watchdog.domain.queue import is_queued, rank
from watchdog.domain.records import (
    UNOBSERVED,
    Attempt,
    Decision,
    DecisionKind,
    DecisionReason,
    DeploymentRef,
    Episode,
    Fleet,
    Health,
    Hold,
    OpenBreaker,
    Outcome,
    Policy,
    StatusChange,
    Target,
)
from watchdog.domain.replica import Replica
from watchdog.domain.step import Transition
from watchdog.domain.transition import left_behind, missed, observe
from watchdog.engine.events import Event, ForbiddenSeen
from watchdog.engine.fleet.breaker import Breaker
from watchdog.engine.fleet.forbidden import Forbidding
from watchdog.engine.fleet.hold import held, keep_hold
from watchdog.engine.fleet.judges import living_others
from watchdog.engine.fleet.usage import fleet_used
from watchdog.engine.look import Look
from watchdog.engine.ports import Access, Ledger, LedgerTransaction, VersionConflict
from watchdog.engine.settings import MODE, Settings

FIRST_LOOK = timedelta(seconds=2)
"""How soon after a retry its target is looked at: even a build that fails within seconds is seen
then. Otherwise only the time that passes could say that it failed again."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """A target before and after, what it meant, the attempts that the judgement saw, what
    happened to the fleet as a whole, and whether the attempt just reserved is the breaker's canary.
    """

    before: Target
    after: Target
    step: Transition
    attempts: tuple[Attempt, ...]
    news: tuple[Event, ...] = ()
    canary: bool = False


@dataclass(frozen=True, slots=True)
class _Judged:
    """A decision and what it was made from. What concerns the fleet is there only for a failing
    target."""

    decision: Decision
    fleet: Fleet | None = None
    ready_at: datetime | None = None
    breaker: Breaker | None = None
    forbidding: Forbidding | None = None
    news: tuple[Event, ...] = ()

    def reserved(self, attempt: Attempt) -> bool:
        """Tell those that follow single attempts; whether it is the breaker's canary."""
        if self.forbidding is not None:
            self.forbidding.reserved()
        canary = self.fleet is not None and self.fleet.breaker is not None
        if canary and self.breaker is not None:
            self.breaker.send(attempt)
        return canary


def save(
    tx: LedgerTransaction, changes: Sequence[tuple[Target, Target]], now: datetime
) -> Sequence[Target]:
    """Write targets, given before and after, and what their statuses changed to where they did; the
    targets as they are then."""
    tx.statuses.add(
        [
            StatusChange(
                after.model_id,
                now if after.status is None else after.status_since or now,
                after.status,
            )
            for before, after in changes
            if after.status != before.status
        ]
    )
    return tx.targets.save_all([after for _, after in changes])


class Recorder:
    """Builds the units of work that the ledger runs. Holds no state of its own."""

    def __init__(self, ledger: Ledger, settings: Settings) -> None:
        self._ledger = ledger
        self._settings = settings

    def look(
        self, tx: LedgerTransaction, seen: Target, look: Look, access: Access
    ) -> Recorded | None:
        """Record a look at a target and judge it; None when it is no longer watched, or when
        another process made an attempt since: what was seen before that says nothing of it."""
        target = tx.targets.get(seen.model_id)
        if target is None or (seen.watched and not target.watched):
            return None
        attempts = self.attempts(tx, target, look.at, look.date)
        if target.version != seen.version and any(a.reserved_at > look.at for a in attempts):
            tx.targets.make_due(target.model_id, tx.now())
            return None
        step = self._step(target, attempts, look)
        attempts = self._write_attempts(tx, step, attempts)
        judged = self._judge(tx, step.target, attempts, access, look.at, date=look.date)
        return self._save(tx, target, step, attempts, judged, look.at)

    def reserve(
        self,
        tx: LedgerTransaction,
        seen: Target,
        attempt_id: str,
        access: Access,
        *,
        forced: bool = False,
        date: datetime | None = None,
    ) -> tuple[Recorded, Attempt | None]:
        """Judge once more with every limit re-computed, and insert the pending attempt.

        No attempt comes back when the judgement has changed. `forced` as in `decide`; `date` is
        that of the look that led here. Raises VersionConflict when the target has changed.
        """
        target = tx.targets.get(seen.model_id)
        if target is None or target.version != seen.version or target.episode is None:
            raise VersionConflict(seen.model_id)
        now = tx.now()
        attempts = self.attempts(tx, target, now, date)
        judged = self._judge(tx, target, attempts, access, now, forced=forced, date=date)
        if judged.decision.kind is not DecisionKind.RETRY:
            return self._save(tx, target, Transition(target), attempts, judged, now), None
        attempt = Attempt(
            id=attempt_id,
            model_id=target.model_id,
            episode_id=target.episode.id,
            number=episode_used(target, attempts) + 1,
            owner=self._settings.owner,
            reserved_at=now,
            in_flight_until=now + self._policy(target).stuck_after,
            deployment=target.deployment,
            api_date=date,
        )
        tx.attempts.add(attempt)
        canary = judged.reserved(attempt)
        under_way = Decision(DecisionKind.WAIT, DecisionReason.ATTEMPT_UNDER_WAY)
        judged = replace(judged, decision=under_way, ready_at=None)
        attempts = (*attempts, attempt)
        saved = self._save(tx, target, Transition(target), attempts, judged, now)
        return replace(saved, canary=canary), attempt

    def settle(
        self,
        tx: LedgerTransaction,
        attempt: Attempt,
        answered: DeploymentRef | None,
        look: Look | None,
        access: Access,
        throttled: Hold | None = None,
    ) -> Recorded | None:
        """Record what became of an attempt, adopt the deployment that the answer named, and apply
        the look that made it be abandoned, if that was it. `throttled` is the hold that its 429
        asked for: other processes must keep that too."""
        now = tx.now()
        tx.attempts.record_answer(attempt)
        if throttled is not None:
            keep_hold(tx, throttled)
        target = tx.targets.get(attempt.model_id)
        self._leave_behind(tx, target, attempt, now)
        if target is None:
            return None
        date = attempt.api_date
        attempts, step = self.attempts(tx, target, now, date), Transition(target)
        # A refusal made nothing: what it names would look replaced at the next look.
        if answered is not None and attempt.outcome is Outcome.ACCEPTED:
            step = named_in_answer(target, attempts, attempt.id, answered)
        if look is not None:
            step = step.then(self._step(step.target, attempts, look))
        attempts = self._write_attempts(tx, step, attempts)
        if not attempt.under_way:
            _wake_first_waiting(tx)
        forbidding = self._forbidding(tx, access)
        forbidding.answered(attempt, attempts)
        judged = self._judge(
            tx, step.target, attempts, access, now, forbidding=forbidding, date=date
        )
        blind = attempt.outcome is Outcome.ABANDONED and look is None
        if blind and judged.decision.kind is DecisionKind.RETRY:
            next_look = now + self._settings.recovery_interval
            wait = Decision(DecisionKind.WAIT, DecisionReason.LOOK_AGAIN_FAILED, next_look)
            judged = replace(judged, decision=wait)
        told = replace(step, attempts=()) if answered is not None else step
        first_look = now + FIRST_LOOK if attempt.under_way else None
        return self._save(tx, target, told, attempts, judged, now, first_look)

    def pushed(self, tx: LedgerTransaction, episode: Episode) -> Recorded | None:
        """A person pushed what was taken for the effect of our attempt: that ends the episode. None
        where it has ended since."""
        target, now = tx.targets.get(episode.model_id), tx.now()
        if target is None or target.episode != episode:
            return None
        attempts = self.attempts(tx, target, now)
        recorded = self.apply(tx, target, pushed(target, attempts, now), attempts, now)
        tx.targets.make_due(target.model_id, now)
        return recorded

    def still_wanted(self, tx: LedgerTransaction, attempt: Attempt, *, forced: bool) -> bool:
        """Whether nobody said hands off since the attempt was reserved. `forced` passes the pauses
        that were there when it was asked for."""
        target = tx.targets.get(attempt.model_id)
        episode = target.episode if target is not None else None
        if episode is None or episode.id != attempt.episode_id or not episode.open:
            return False
        return not any(
            pause.model_id in (None, attempt.model_id)
            and (not forced or pause.at >= attempt.reserved_at)
            for pause in tx.actions.pauses()
        )

    def apply(
        self,
        tx: LedgerTransaction,
        target: Target,
        step: Transition,
        attempts: tuple[Attempt, ...],
        now: datetime,
    ) -> Recorded:
        """Write a step that no look led to; the next look judges anew."""
        attempts = self._write_attempts(tx, step, attempts)
        return self._save(tx, target, step, attempts, _Judged(UNOBSERVED), now)

    def resolve_left_behind(self, tx: LedgerTransaction) -> None:
        """Turn the pending attempts whose owners are dead into unknown ones; they stay charged."""
        now = tx.now()
        left = [
            each
            for each in tx.attempts.pending()
            if self._ledger.knows_dead(each.owner, each.reserved_for(now))
        ]
        targets = {each.model_id: each for each in tx.targets.all()} if left else {}
        for attempt in left:
            lost = self._lost(tx, attempt)
            self._leave_behind(tx, targets.get(attempt.model_id), lost, now)

    def living_others(self, tx: LedgerTransaction) -> list[Replica]:
        """The other daemons that may be alive, by what they last said."""
        return living_others(tx, self._ledger, self._settings.owner)

    def attempts(
        self, tx: LedgerTransaction, target: Target, now: datetime, date: datetime | None = None
    ) -> tuple[Attempt, ...]:
        """Those of the target's episode and window; ones left behind come out as unknown. `date`
        is that of the present look."""
        policy = self._policy(target)
        dated = None if date is None else date - policy.window
        found = tx.attempts.of(target, since=now - policy.window, dated=dated)
        return tuple(
            self._lost(tx, attempt) if self._left_behind(attempt, tx.now()) else attempt
            for attempt in counting(target, found, policy, now, date)
        )

    @staticmethod
    def _leave_behind(
        tx: LedgerTransaction, target: Target | None, attempt: Attempt, now: datetime
    ) -> None:
        ended = left_behind(target, attempt, now)
        if ended is not attempt:
            tx.attempts.resolve([ended])

    def _left_behind(self, attempt: Attempt, now: datetime) -> bool:
        return (
            attempt.outcome is Outcome.PENDING
            and attempt.reserved_for(now) > RESERVATION_TTL
            and self._ledger.knows_dead(attempt.owner, attempt.reserved_for(now))
        )

    @staticmethod
    def _lost(tx: LedgerTransaction, attempt: Attempt) -> Attempt:
        """Nobody knows whether or when it was sent: the latest moment allowed is the safe guess."""
        sent_at, now = attempt.reserved_at + RESERVATION_TTL, tx.now()
        if attempt.reserved_at <= now:  # else the clock was set back, and now says nothing
            sent_at = min(sent_at, now)
        date = attempt.api_date and attempt.api_date + RESERVATION_TTL
        lost = replace(attempt, outcome=Outcome.UNKNOWN, sent_at=sent_at, api_date=date)
        tx.attempts.record_answer(lost)
        return lost

    def _step(self, target: Target, attempts: Sequence[Attempt], look: Look) -> Transition:
        timing = self._settings.timing
        if look.observation is None:
            return missed(target, attempts, look.at, timing)
        return observe(target, attempts, look.observation, self._policy(target), timing)

    @staticmethod
    def _write_attempts(
        tx: LedgerTransaction, step: Transition, attempts: tuple[Attempt, ...]
    ) -> tuple[Attempt, ...]:
        """Write down what a step says of attempts; all of them as they are then."""
        tx.attempts.resolve(step.attempts)
        if any(not attempt.in_flight(tx.now()) for attempt in step.attempts):
            _wake_first_waiting(tx)
        return step.applied_to(attempts)

    def _save(
        self,
        tx: LedgerTransaction,
        before: Target,
        step: Transition,
        attempts: tuple[Attempt, ...],
        judged: _Judged,
        now: datetime,
        look_at: datetime | None = None,
    ) -> Recorded:
        """Write what was judged. The next look is at `look_at`, or when the decision says."""
        decision = judged.decision
        after = replace(
            step.target,
            decision=decision,
            next_check_at=look_at or self._next_check(decision, now),
            ready_at=judged.ready_at,
            queue_rank=rank(step.target, attempts)
            if judged.ready_at is not None and is_queued(decision)
            else None,
        )
        if step.ended is not None and (after.episode is None or after.episode.id != step.ended.id):
            tx.episodes.save(step.ended)
        (saved,) = save(tx, [(before, after)], now)
        return Recorded(before, saved, step, attempts, judged.news)

    def _judge(
        self,
        tx: LedgerTransaction,
        target: Target,
        attempts: Sequence[Attempt],
        access: Access,
        now: datetime,
        *,
        forced: bool = False,
        forbidding: Forbidding | None = None,
        date: datetime | None = None,
    ) -> _Judged:
        policy, fleet = self._policy(target), Fleet(self._settings.limits)
        if target.health is not Health.FAILING:
            news = tuple(forbidding.news) if forbidding is not None else ()
            return _Judged(decide(target, attempts, fleet, policy, now), fleet, news=news)
        forbidding = forbidding or self._forbidding(tx, access)
        breaker = Breaker(tx, self._ledger, self._settings)
        fleet = self._fleet(tx, access, forbidding, breaker.judge(target), now, date)
        ready_at = ready_since(target, attempts, fleet, policy, now)
        if ready_at is not None and not self._beside_another_mode(tx):
            seen_since = now - self._settings.timing.longest_gap
            place = rank(target, attempts), ready_at, target.model_id
            fleet = replace(fleet, ahead=tx.queue.ahead(*place, seen_since=seen_since))
        decision = decide(target, attempts, fleet, policy, now, forced=forced)
        news = (
            *forbidding.news,
            ForbiddenSeen(forbidden=forbidding.probe_at is not None),
            *breaker.news,
        )
        return _Judged(decision, fleet, ready_at, breaker, forbidding, news)

    def _beside_another_mode(self, tx: LedgerTransaction) -> bool:
        """Whether a daemon in the other mode writes down who waits: those wait for its limits, and
        a command's are others."""
        settings = self._settings
        if settings.is_daemon or tx.meta.get(MODE) in (None, settings.mode):
            return False
        return bool(self.living_others(tx))

    def _forbidding(self, tx: LedgerTransaction, access: Access) -> Forbidding:
        return Forbidding(tx, access.key_mark, observe=self._settings.observe)

    def _fleet(
        self,
        tx: LedgerTransaction,
        access: Access,
        forbidding: Forbidding,
        breaker: OpenBreaker | None,
        now: datetime,
        date: datetime | None,
    ) -> Fleet:
        """What the ledger and the API say of the whole fleet."""
        return replace(
            fleet_used(tx, self._settings.limits, date=date),
            hold=access.hold or held(tx, now),
            breaker=breaker,
            key_mark=access.key_mark,
            probe_at=forbidding.probe_at,
            forbidden_from=forbidding.allowed_at,
            date=date,
        )

    def _policy(self, target: Target) -> Policy:
        return self._settings.models[target.model_id].policy

    def _next_check(self, decision: Decision, now: datetime) -> datetime:
        settings = self._settings
        if decision.reason is DecisionReason.ATTEMPT_UNDER_WAY:
            return now + settings.recovery_interval
        regular = now + settings.effective_interval
        if decision.until is None:
            return regular
        return min(regular, max(decision.until, now))


def _wake_first_waiting(tx: LedgerTransaction) -> None:
    """A place in flight may be free: have the first target that waits for one checked now."""
    first = tx.queue.first_waiting(DecisionReason.FLEET_IN_FLIGHT)
    if first is not None:
        tx.targets.make_due(first, tx.now())
