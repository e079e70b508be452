"""The groups in which the models of the fleet are counted."""

from collections import Counter
from collections.abc import Iterable
from enum import StrEnum

from watchdog.domain.records import Target, TargetState
from watchdog.domain.status import needs_operator, state_of


class Group(StrEnum):
    """The group in which a model is counted, the most urgent first. Each model is in one group."""

    NEEDS_YOU = "needs_you"
    FAILING = "failing"
    RECOVERING = "recovering"
    PAUSED = "paused"
    STOPPED = "stopped"
    NOT_SEEN = "not_seen"
    IN_PROGRESS = "in_progress"
    OPTED_OUT = "opted_out"
    WELL = "well"


_GROUPS = {
    TargetState.WAITING: Group.FAILING,
    TargetState.RECOVERING: Group.RECOVERING,
    TargetState.PAUSED: Group.PAUSED,
    TargetState.NOT_RETRYABLE: Group.STOPPED,
    TargetState.UNKNOWN: Group.NOT_SEEN,
    TargetState.IN_PROGRESS: Group.IN_PROGRESS,
    TargetState.IGNORED: Group.OPTED_OUT,
    TargetState.HEALTHY: Group.WELL,
}
"""The states of targets that need no operator."""


def group_of(target: Target) -> Group:
    return Group.NEEDS_YOU if needs_operator(target) else _GROUPS[state_of(target)]


def groups(targets: Iterable[Target]) -> Counter[Group]:
    """How many targets each group has."""
    return Counter(map(group_of, targets))
