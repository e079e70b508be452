"""What a status means for one target if the word alone does not say it: a model may be
SCALED_TO_ZERO before it was ever loaded, and INACTIVE may be an operator's act or the
platform's."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from watchdog.domain.records import Actor, Attempt, Health, Observation, Policy, Target
from watchdog.domain.status import ASLEEP, DEACTIVATING, INACTIVE, health_of, may_be_ours
from watchdog.domain.step import past, watched_span

ASK_AGAIN = timedelta(minutes=1)
"""The audit log is read again this long after INACTIVE was first seen: an entry may appear late."""

JUDGE_AFTER = timedelta(minutes=5)
"""The audit log is read for the last time this long after INACTIVE was first seen, and then
INACTIVE is judged even without an entry."""

_READ_AFTER = (ASK_AGAIN, JUDGE_AFTER)


@dataclass(frozen=True, slots=True)
class Meaning:
    """`health` is what the target counts as now. `slept` is how long it has been seen
    SCALED_TO_ZERO without interruption. `inactive_as` is as in `Target`."""

    health: Health
    slept: timedelta = timedelta(0)
    inactive_as: Health | None = None


def meaning(
    target: Target,
    attempts: Sequence[Attempt],
    observation: Observation,
    policy: Policy,
    longest_gap: timedelta,
) -> Meaning:
    """What an observation means, given what was recorded of the target before, and its attempts."""
    health = health_of(observation.status, policy)
    match observation.status:
        case _ if health is Health.FAILING:
            return Meaning(health)
        case str() if observation.status == ASLEEP and _awaits_proof(target, attempts):
            slept = _slept(target, observation, longest_gap)
            return Meaning(health if slept >= policy.settle else Health.IN_PROGRESS, slept)
        case str() if observation.status == DEACTIVATING:
            kept = target.inactive_as if target.status == DEACTIVATING else None
            return Meaning(health, inactive_as=kept or _unless_known(target, attempts))
        case str() if observation.status == INACTIVE:
            return _inactive(target, attempts, observation)
    return Meaning(health)


def asks_who(target: Target, observation: Observation, policy: Policy) -> bool:
    """Whether the audit log must be read before this observation is judged: when INACTIVE is first
    seen, and again after each delay of `_READ_AFTER`, until the log shows who deactivated the
    deployment."""
    if observation.status != INACTIVE or health_of(INACTIVE, policy) is Health.FAILING:
        return False
    if not _still_inactive(target, observation):
        return True
    since, seen = target.status_since, target.observed_at
    if target.inactive_as is None or since is None or seen is None:
        return False
    return any(seen - since < delay <= observation.at - since for delay in _READ_AFTER)


def ask_again_at(target: Target, now: datetime) -> datetime | None:
    """When the audit log must be read again for this target; None if it need not be."""
    if target.status != INACTIVE or target.inactive_as is None or target.status_since is None:
        return None
    return next((at for each in _READ_AFTER if (at := target.status_since + each) > now), None)


def has_young_attempt(attempts: Sequence[Attempt], at: datetime, policy: Policy) -> bool:
    """Whether an attempt of ours is under way that has not reached `stuck_after`."""
    return any(
        each.under_way and at < past(each.reserved_at, at, at) + policy.stuck_after
        for each in attempts
    )


def _awaits_proof(target: Target, attempts: Sequence[Attempt]) -> bool:
    """Whether SCALED_TO_ZERO does not prove yet that our attempt has helped: the model may have
    been scaled to zero before it was loaded. It is proved when the model was seen healthy in
    another status, or when SCALED_TO_ZERO has lasted."""
    if target.episode is not None and not target.episode.open:
        return False
    return may_be_ours(target, attempts)


def _slept(target: Target, observation: Observation, longest_gap: timedelta) -> timedelta:
    if target.status != observation.status or target.observed_at is None:
        return timedelta(0)
    return target.healthy_for + watched_span(target.observed_at, observation.at, longest_gap)


def _inactive(target: Target, attempts: Sequence[Attempt], observation: Observation) -> Meaning:
    same = _still_inactive(target, observation)
    if same and target.inactive_as is None:  # It is judged already.
        broken = target.health is Health.BROKEN
        return Meaning(Health.BROKEN if broken else Health.NOT_RETRYABLE)
    unless = target.inactive_as or _unless_known(target, attempts)
    match observation.deactivated_by:
        case Actor.PERSON:
            return Meaning(Health.NOT_RETRYABLE)
        case Actor.PLATFORM:
            return Meaning(Health.BROKEN)
        case Actor.NOBODY:
            return Meaning(unless)
    since = target.status_since if same and target.status_since else observation.at
    if observation.at - since >= JUDGE_AFTER:
        return Meaning(unless)
    # Until INACTIVE is judged, what was reported before stays.
    before = Health.BROKEN if target.health is Health.BROKEN else Health.NOT_RETRYABLE
    return Meaning(before, inactive_as=unless)


def _still_inactive(target: Target, observation: Observation) -> bool:
    return (
        target.status == INACTIVE
        and target.health is not None
        and target.deployment == observation.deployment
    )


def _unless_known(target: Target, attempts: Sequence[Attempt]) -> Health:
    """What INACTIVE counts as if it is not known who deactivated the deployment. If an attempt of
    ours is under way or stuck, or if the target was in progress or broken before, the platform is
    assumed; otherwise an operator."""
    if may_be_ours(target, attempts):
        return Health.BROKEN
    on_its_way = target.health in (Health.IN_PROGRESS, Health.BROKEN)
    return Health.BROKEN if on_its_way else Health.NOT_RETRYABLE
