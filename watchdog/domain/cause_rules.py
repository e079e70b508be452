"""What the cause of a failure means for its retries."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from watchdog.domain.causes import Cause, Explanation, Finding
from watchdog.domain.records import (
    Attempt,
    CauseAction,
    Episode,
    Policy,
    Resolution,
    StatusChange,
    Target,
)

LONGEST_WAIT_FOR_CAUSE = timedelta(seconds=10)
"""How long a retry may be delayed until the cause of the failure is known."""

_BEGINNINGS = frozenset({"BUILDING", "DEPLOYING"})
"""The statuses with which a build or a deployment begins."""


def explained(
    episode: Episode, attempts: Sequence[Attempt], finding: Finding, at: datetime
) -> Episode:
    """The episode with what was found of the failure at `at`. `attempts` are its own. If the
    episode already has a finding of a later failure, that one is kept."""
    before, mark = episode.explanation, finding.mark
    if before is not None and before.at > at:
        return episode
    proven = (
        before is not None
        and (before.cause, before.mark) == (finding.cause, mark)
        and (before.proven or _failed_between(attempts, before, at))
    )
    return replace(episode, explanation=Explanation(finding.cause, mark, at, proven))


def _failed_between(attempts: Sequence[Attempt], before: Explanation, at: datetime) -> bool:
    return any(
        attempt.outcome.charged
        and attempt.resolution is Resolution.REFAILED
        and before.at < attempt.reserved_at <= at
        for attempt in attempts
    )


def failed_at(target: Target, attempts: Sequence[Attempt]) -> datetime | None:
    """When the present failure was seen: at the beginning, or after the last attempt. `attempts`
    are those of the episode."""
    again = [each.resolved_at for each in attempts if each.resolution is Resolution.REFAILED]
    return max(filter(None, (target.failing_since, *again)), default=None)


def present_cause(target: Target, attempts: Sequence[Attempt]) -> Cause | None:
    """The cause of the present failure; None while it is not known. `attempts` are those of the
    episode."""
    found = target.episode.explanation if target.episode is not None else None
    since = failed_at(target, attempts)
    return None if found is None or since is None or found.at < since else found.cause


def is_permanent(target: Target, attempts: Sequence[Attempt], policy: Policy) -> bool:
    """Whether no retry can help, by the cause of the present failure. `attempts` are those of the
    episode."""
    found = target.episode.explanation if target.episode is not None else None
    if found is None or present_cause(target, attempts) is None:
        return False
    action = policy.rule_for(found.cause).action
    return action is CauseAction.NEVER or (action is CauseAction.ONCE and found.proven)


def began_at(
    changes: Sequence[StatusChange],
    attempts: Sequence[Attempt],
    failing_since: datetime,
    longest_gap: timedelta,
) -> datetime | None:
    """When the build or the deployment that failed began. Earlier lines of a log do not say why it
    failed. None if it began before the first known status. `changes` are those of the target,
    oldest first; `attempts` are those of the episode."""
    seen = _seen_to_begin(changes, failing_since, longest_gap)
    sent = (attempt.sent_at for attempt in attempts)
    return max(filter(None, (seen, *sent)), default=None)


def _seen_to_begin(
    changes: Sequence[StatusChange], failing_since: datetime, longest_gap: timedelta
) -> datetime | None:
    """When the last build before the failure began. If the deployment was seen running after that,
    `longest_gap` before the failure, because the beginning was not seen. None if no such status is
    known."""
    before = [change for change in changes if change.at < failing_since]
    for change in reversed(before):
        if change.status in _BEGINNINGS:
            return change.at
        if change.status in _RUNNING:
            return max(change.at, failing_since - longest_gap)
    return None


_RUNNING = frozenset({"ACTIVE", "SCALED_TO_ZERO", "INACTIVE", "UNHEALTHY", "WAKING_UP"})
"""The statuses in which a deployment runs, or ran: nothing is being built or deployed."""
