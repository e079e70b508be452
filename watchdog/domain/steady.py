"""Whether a look at a target changes nothing, so that it need not be recorded."""

from watchdog.domain.records import DecisionReason, Health, Observation, Policy, Target
from watchdog.domain.status import INACTIVE, health_of, is_paused, is_slow


def is_steady(target: Target, observation: Observation, policy: Policy) -> bool:
    """Whether the observation changes nothing in the record. That is the most frequent case, so it
    is checked first."""
    same = (
        target.episode is None
        and target.missing_since is None
        and target.observed_twice
        and target.health is not Health.FAILING
        and target.status == observation.status
        and target.deployment == observation.deployment
        and target.opted_out is observation.opted_out
        and target.inactive_as is None
        # A reset deletes the last decision, so the look must be recorded although it finds the
        # same.
        and target.decision.reason is not DecisionReason.UNOBSERVED
    )
    return same and _means_the_same(target, observation, policy)


def _means_the_same(target: Target, observation: Observation, policy: Policy) -> bool:
    """Whether the status, which has not changed, still means the same at this time."""
    by_itself = health_of(observation.status, policy)
    match target.health:
        case Health.IN_PROGRESS:
            said = target.decision.reason is DecisionReason.STUCK
            since = target.in_progress_since
            # If it lies in the future, the clock was set back, and recording the observation
            # corrects it.
            known = since is not None and since <= observation.at
            same = known and is_slow(target, observation.at, policy) is said
            return by_itself is Health.IN_PROGRESS and same
        case Health.BROKEN:
            said = target.decision.reason is DecisionReason.PAUSED
            same = is_paused(target, observation.at) is said or target.opted_out
            return same and (
                by_itself is Health.BROKEN
                or (observation.status == INACTIVE and by_itself is Health.NOT_RETRYABLE)
            )
    return target.health is by_itself
