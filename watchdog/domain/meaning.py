"""What a status means for one target, where the word alone does not tell: SCALED_TO_ZERO may come
before anything was loaded, and INACTIVE may be an operator's act or the platform's."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from watchdog.domain.records import Actor, Attempt, Health, Observation, Policy, Target
from watchdog.domain.status import ASLEEP, DEACTIVATING, INACTIVE, health_of, may_be_ours
from watchdog.domain.step import past, watched_span

ASK_AGAIN = timedelta(minutes=1)
"""So long after INACTIVE was first seen the audit log is read again: an entry may come late."""

JUDGE_AFTER = timedelta(minutes=5)
"""So long after that it is read for the last time, and INACTIVE is judged even without an entry."""

_READ_AFTER = (ASK_AGAIN, JUDGE_AFTER)


@dataclass(frozen=True, slots=True)
class Meaning:
    """`health` is what the target counts as now, `slept` how long it has been seen asleep without
    a break, and `inactive_as` as in `Target`."""

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
    """What is seen means, after what was seen of the target before and with these attempts."""
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
    """Whether the audit log is to be read before this look is judged: at the first sight of
    INACTIVE, and again after each of `_READ_AFTER`, until it tells who deactivated it."""
    if observation.status != INACTIVE or health_of(INACTIVE, policy) is Health.FAILING:
        return False
    if not _still_inactive(target, observation):
        return True
    since, seen = target.status_since, target.observed_at
    if target.inactive_as is None or since is None or seen is None:
        return False
    return any(seen - since < delay <= observation.at - since for delay in _READ_AFTER)


def asked_at(target: Target, now: datetime) -> datetime | None:
    """When the audit log is to be read again for it; None if it is not."""
    if target.status != INACTIVE or target.inactive_as is None or target.status_since is None:
        return None
    return next((at for each in _READ_AFTER if (at := target.status_since + each) > now), None)


def has_begun(attempts: Sequence[Attempt], at: datetime, policy: Policy) -> bool:
    """Whether an attempt of ours is under way that has not reached `stuck_after`."""
    return any(
        each.under_way and at < past(each.reserved_at, at, at) + policy.stuck_after
        for each in attempts
    )


def _awaits_proof(target: Target, attempts: Sequence[Attempt]) -> bool:
    """Whether an attempt of ours has not recovered yet. A model may be scaled to zero before it was
    loaded: only having served, or having lasted, shows that it can be."""
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
    # Until it is judged nothing new is said.
    before = Health.BROKEN if target.health is Health.BROKEN else Health.NOT_RETRYABLE
    return Meaning(before, inactive_as=unless)


def _still_inactive(target: Target, observation: Observation) -> bool:
    return (
        target.status == INACTIVE
        and target.health is not None
        and target.deployment == observation.deployment
    )


def _unless_known(target: Target, attempts: Sequence[Attempt]) -> Health:
    """What an INACTIVE counts as if nobody is known to have deactivated it. What worked, or failed
    with no attempt of ours under way, was an operator's to stop; what was on its way was not."""
    if may_be_ours(target, attempts):
        return Health.BROKEN
    on_its_way = target.health in (Health.IN_PROGRESS, Health.BROKEN)
    return Health.BROKEN if on_its_way else Health.NOT_RETRYABLE
