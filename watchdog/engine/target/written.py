"""Writes a target and its attempts after the target was judged."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from watchdog.domain.meaning import ask_again_at
from watchdog.domain.queue import is_queued, rank
from watchdog.domain.records import (
    UNOBSERVED,
    Attempt,
    Breakage,
    Decision,
    DecisionReason,
    StatusChange,
    Target,
)
from watchdog.domain.status import is_broken
from watchdog.domain.step import Transition
from watchdog.engine.ports import LedgerTransaction
from watchdog.engine.settings import Settings
from watchdog.engine.target.judgement import Judged
from watchdog.engine.target.notices import say_recorded
from watchdog.engine.target.recorded import Recorded


def write(
    tx: LedgerTransaction,
    settings: Settings,
    before: Target,
    step: Transition,
    attempts: tuple[Attempt, ...],
    judged: Judged,
    now: datetime,
    look_at: datetime | None = None,
) -> Recorded:
    """Write what was judged. The next look is at `look_at`, or when the decision says."""
    decision = judged.decision
    after = replace(
        step.target,
        decision=decision,
        next_check_at=look_at or _next_check(settings, step.target, attempts, decision, now),
        ready_at=judged.ready_at,
        queue_rank=rank(step.target, attempts)
        if judged.ready_at is not None and is_queued(decision)
        else None,
    )
    if step.ended is not None and (after.episode is None or after.episode.id != step.ended.id):
        tx.episodes.save(step.ended)
    (saved,) = save(tx, [(before, after)], now)
    recorded = Recorded(before, saved, step, attempts, judged.news)
    say_recorded(tx, settings, recorded)
    return recorded


def write_step(
    tx: LedgerTransaction,
    settings: Settings,
    target: Target,
    step: Transition,
    attempts: tuple[Attempt, ...],
    now: datetime,
) -> Recorded:
    """Write a step that did not come from a look. The next look judges the target again."""
    attempts = write_attempts(tx, step, attempts)
    return write(tx, settings, target, step, attempts, Judged(UNOBSERVED), now)


def save(
    tx: LedgerTransaction, changes: Sequence[tuple[Target, Target]], now: datetime
) -> Sequence[Target]:
    """Write the targets, each given as (before, after). Also write each change of a status, and
    each beginning and end of a breakage. Returns the targets as saved."""
    tx.breakages.end([after.model_id for before, after in changes if _ceases(before, after)], now)
    tx.breakages.begin(
        [
            Breakage(after.model_id, now, after.status)
            for before, after in changes
            if is_broken(after) and not is_broken(before)
        ]
    )
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


def _ceases(before: Target, after: Target) -> bool:
    """Whether its breakage ends: it was broken, and is now either not broken or not watched."""
    removed = before.watched and not after.watched
    return is_broken(before) and (removed or not is_broken(after))


def write_attempts(
    tx: LedgerTransaction, step: Transition, attempts: tuple[Attempt, ...]
) -> tuple[Attempt, ...]:
    """Write the changes that a step makes to attempts. Returns all attempts with these changes."""
    tx.attempts.resolve(step.attempts)
    if any(not attempt.in_flight(tx.now()) for attempt in step.attempts):
        wake_first_waiting(tx)
    return step.applied_to(attempts)


def _next_check(
    settings: Settings,
    target: Target,
    attempts: Sequence[Attempt],
    decision: Decision,
    now: datetime,
) -> datetime:
    # A broken target with an attempt under way is checked at the same interval.
    if target.health is not None and any(attempt.under_way for attempt in attempts):
        return now + settings.recovery_interval
    plans = [now + settings.effective_interval]
    if decision.until is not None:
        plans.append(max(decision.until, now))
    if (asked := ask_again_at(target, now)) is not None:
        plans.append(asked)
    return min(plans)


def wake_first_waiting(tx: LedgerTransaction) -> None:
    """A place in flight may be free: have the first target that waits for one checked now."""
    first = tx.queue.first_waiting(DecisionReason.FLEET_IN_FLIGHT)
    if first is not None:
        tx.targets.make_due(first, tx.now())
