"""Which target is retried first when the fleet's limits do not allow all retries at once: the one
that was ready first."""

from collections.abc import Iterable, Sequence

from watchdog.domain.limits import episode_used, of_episode
from watchdog.domain.records import (
    Attempt,
    Decision,
    DecisionKind,
    DecisionReason,
    Outcome,
    Target,
)

QUEUED = frozenset(reason for reason in DecisionReason if reason.queued)
"""A target that waits for one of these has a place in the queue."""

FIRST_ATTEMPT, LATER_ATTEMPT, FORBIDDEN_BEFORE = range(3)
"""The ranks. First attempts go before later ones, because a target that waits for a later one has
already had a retry. A target whose last retry was forbidden goes last, because another retry would
probably be forbidden too."""


def rank(target: Target, attempts: Sequence[Attempt]) -> int:
    """The rank of a target. Among equal ranks, the target that has been ready for longest goes
    first."""
    answered = [a for a in of_episode(target, attempts) if a.outcome is not Outcome.ABANDONED]
    if answered and answered[-1].forbidden_key is not None:
        return FORBIDDEN_BEFORE
    return LATER_ATTEMPT if episode_used(target, attempts) else FIRST_ATTEMPT


def is_queued(decision: Decision) -> bool:
    """Whether a target with this decision has a place in the queue. A target that is about to be
    retried keeps its place until the retry is reserved."""
    if decision.kind is DecisionKind.RETRY:
        return True
    return decision.kind is DecisionKind.WAIT and decision.reason in QUEUED


def places(targets: Iterable[Target]) -> dict[str, int]:
    """The place of each target in the queue, by model id: 1 goes first. A target that is not in the
    queue has no entry."""
    queue = [
        (target.queue_rank, target.ready_at, target.model_id)
        for target in targets
        if target.queue_rank is not None and target.ready_at is not None and not target.missing
        if target.decision.kind is DecisionKind.WAIT
    ]
    return {model_id: number for number, (*_, model_id) in enumerate(sorted(queue), start=1)}
