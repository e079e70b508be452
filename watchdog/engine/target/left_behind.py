"""Pending attempts of dead processes. No process will record their outcome, so it is recorded as
`unknown`."""

from dataclasses import replace
from datetime import datetime

from watchdog.domain.limits import RESERVATION_TTL, counting
from watchdog.domain.records import (
    Attempt,
    Outcome,
    Target,
)
from watchdog.domain.removal import ended_with_its_target
from watchdog.engine.ports import LedgerTransaction
from watchdog.engine.settings import Settings


def resolve_left_behind(tx: LedgerTransaction) -> None:
    """Turn the pending attempts whose owners are dead into unknown ones; they stay charged."""
    now = tx.now()
    left = [
        each for each in tx.attempts.pending() if tx.knows_dead(each.owner, each.reserved_for(now))
    ]
    targets = {each.model_id: each for each in tx.targets.all()} if left else {}
    for attempt in left:
        lost = _lost(tx, attempt)
        end_with_its_target(tx, targets.get(attempt.model_id), lost, now)


def resolve_and_read(
    tx: LedgerTransaction,
    settings: Settings,
    target: Target,
    now: datetime,
    date: datetime | None = None,
) -> tuple[Attempt, ...]:
    """Read the attempts of the target's episode and window. Those that a dead process left pending
    are written and returned as `unknown`. `date` is that of the present look."""
    policy = settings.policy_of(target)
    dated = None if date is None else date - policy.window
    found = tx.attempts.of(target, since=now - policy.window, dated=dated)
    return tuple(
        _lost(tx, attempt) if _is_left_behind(tx, attempt) else attempt
        for attempt in counting(target, found, policy, now, date)
    )


def end_with_its_target(
    tx: LedgerTransaction, target: Target | None, attempt: Attempt, now: datetime
) -> None:
    """End an attempt whose target was removed or whose episode ended: no process watches it any
    more."""
    ended = ended_with_its_target(target, attempt, now)
    if ended is not attempt:
        tx.attempts.resolve([ended])


def _is_left_behind(tx: LedgerTransaction, attempt: Attempt) -> bool:
    return (
        attempt.outcome is Outcome.PENDING
        and attempt.reserved_for(tx.now()) > RESERVATION_TTL
        and tx.knows_dead(attempt.owner, attempt.reserved_for(tx.now()))
    )


def _lost(tx: LedgerTransaction, attempt: Attempt) -> Attempt:
    """Record the attempt as `unknown`. It is not known whether or when it was sent, so the latest
    possible moment is recorded."""
    sent_at, now = attempt.reserved_at + RESERVATION_TTL, tx.now()
    if attempt.reserved_at <= now:  # else the clock was set back: `now` is no bound
        sent_at = min(sent_at, now)
    date = attempt.api_date and attempt.api_date + RESERVATION_TTL
    lost = replace(attempt, outcome=Outcome.UNKNOWN, sent_at=sent_at, api_date=date)
    tx.attempts.record_answer(lost)
    return lost
