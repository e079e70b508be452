"""Reads, for many targets in one query, the attempts of each that belong to its episode or count in
its window."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from watchdog.domain.limits import counting, of_episode
from watchdog.domain.records import Attempt, Policy, Target
from watchdog.engine.ports import LedgerTransaction


def counted(
    tx: LedgerTransaction,
    targets: Sequence[Target],
    policies: Mapping[str, Policy],
    date: datetime | None,
) -> dict[str, tuple[Attempt, ...]]:
    """By model id: those of each target's episode and window, in one reading however many targets
    there are. Without a policy there is no window. `date` is what the API's clock says now."""
    now = tx.now()
    span = max((policy.window for policy in policies.values()), default=timedelta(0))
    found = tx.attempts.of_all(since=now - span, dated=date and date - span)
    return {
        each.model_id: that_count(
            each, found.get(each.model_id, ()), policies.get(each.model_id), now, date
        )
        for each in targets
    }


def that_count(
    target: Target,
    attempts: Iterable[Attempt],
    policy: Policy | None,
    now: datetime,
    date: datetime | None,
) -> tuple[Attempt, ...]:
    """The attempts, of the given ones, that belong to the target's episode or count in its
    window."""
    if policy is None:
        return of_episode(target, attempts)
    return counting(target, attempts, policy, now, date)
