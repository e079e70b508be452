"""The attempts that count for targets, of all of them at once."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from watchdog.domain.limits import charged_at, window_starts
from watchdog.domain.records import Attempt, Policy, Target
from watchdog.engine.ports import LedgerTransaction


def counted(
    tx: LedgerTransaction, targets: Sequence[Target], policies: Mapping[str, Policy]
) -> dict[str, tuple[Attempt, ...]]:
    """By model id: those of each target's episode and window, in one reading however many targets
    there are. Without a policy there is no window."""
    now = tx.now()
    since = {
        each.model_id: counts_since(each, policies.get(each.model_id), now) for each in targets
    }
    found = tx.all_attempts(since=min(since.values(), default=now))
    return {
        each.model_id: _own(each, found.get(each.model_id, ()), since[each.model_id], now)
        for each in targets
    }


def counts_since(target: Target, policy: Policy | None, now: datetime) -> datetime:
    return window_starts(target, policy, now) if policy else now


def _own(
    target: Target, attempts: Iterable[Attempt], since: datetime, now: datetime
) -> tuple[Attempt, ...]:
    """Those of the target's episode and of its own window: others' may begin sooner."""
    episode = target.episode.id if target.episode is not None else None
    return tuple(
        each for each in attempts if each.episode_id == episode or charged_at(each, now) >= since
    )
