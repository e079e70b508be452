"""How an observation changes a target, its episode and the attempts under way."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from watchdog.domain.effects import effect_seen, identified
from watchdog.domain.episode import forgotten, opened, reopened
from watchdog.domain.meaning import Meaning, has_young_attempt, meaning
from watchdog.domain.records import (
    Attempt,
    Episode,
    EpisodeResult,
    Health,
    Observation,
    Policy,
    Resolution,
    Target,
)
from watchdog.domain.status import BUILD_STOPPED, INACTIVE, health_of, is_stuck, may_be_ours
from watchdog.domain.step import (
    Happening,
    Timing,
    Transition,
    being_sent,
    close,
    end_superseded,
    past,
    resolve,
    unresolved,
    watched_span,
)


def observe(
    target: Target,
    attempts: Sequence[Attempt],
    observation: Observation,
    policy: Policy,
    timing: Timing,
) -> Transition:
    """The step for an observation of a target. `attempts` are those of the target's episode and
    window, oldest first. While one is `pending`, a process is sending it, and it is not known
    whether that caused what is seen: only the observation is noted, and the next check decides."""
    step = identified(target, attempts, observation, policy)
    if being_sent(attempts):
        seen = meaning(step.target, attempts, observation, policy, timing.longest_gap)
        return replace(step, target=_noted(step.target, observation, seen))
    if health_of(observation.status, policy) is not Health.FAILING:
        step = step.then(effect_seen(step.target, step.applied_to(attempts), observation, policy))
    attempts = step.applied_to(attempts)
    seen = meaning(step.target, attempts, observation, policy, timing.longest_gap)
    if _leaves_broken(step.target, seen) and not has_young_attempt(
        attempts, observation.at, policy
    ):
        over = resolve(unresolved(attempts), Resolution.SUPERSEDED, observation.at)
        step = step.then(end_superseded(step.target, observation.at, over))
        attempts = step.applied_to(attempts)
    match seen.health:
        case Health.FAILING:
            step = step.then(_failing(step.target, attempts, observation, policy, timing))
        case Health.HEALTHY:
            step = step.then(_healthy(step.target, attempts, observation, seen, policy, timing))
        case _:
            step = step.then(_neither(step.target, attempts, observation, seen, policy))
    noted = _noted(step.target, observation, seen)
    if _began_to_fail(target, step):
        noted = replace(noted, broke_at=observation.at)
    return replace(step, target=noted)


def _failing(
    target: Target,
    attempts: Sequence[Attempt],
    observation: Observation,
    policy: Policy,
    timing: Timing,
) -> Transition:
    episode, at = target.episode, observation.at
    failed = _refailed(target, attempts, at, policy, timing)
    happened: tuple[Happening, ...]
    if episode is None or forgotten(episode, at, policy):
        episode, happened = opened(target, observation), (Happening.OPENED,)
    else:
        happened = (Happening.REFAILED,) if failed or is_stuck(target, attempts) else ()
        if not episode.open:
            episode, happened = reopened(episode, at), (*happened, Happening.REOPENED)
    return Transition(
        replace(target, episode=episode, healthy_for=timedelta(0)), happened, attempts=failed
    )


def _refailed(
    target: Target, attempts: Sequence[Attempt], at: datetime, policy: Policy, timing: Timing
) -> tuple[Attempt, ...]:
    """The attempts that failed again. That is certain if another status was seen in between.
    Otherwise an attempt is presumed to have failed again after `lag`; that may be wrong because
    statuses lag, so it keeps its place in flight for `settle`."""
    watched, since = unresolved(attempts), target.failing_since
    if since is None:
        failed = resolve(watched, Resolution.REFAILED, at)
        return tuple(replace(each, in_flight_until=at) for each in failed)
    late = [a for a in watched if at > past(a.sent_at or a.reserved_at, at, since) + timing.lag]
    return tuple(
        replace(each, presumed=True, in_flight_until=at + policy.settle)
        for each in resolve(late, Resolution.REFAILED, at)
    )


def _leaves_broken(target: Target, seen: Meaning) -> bool:
    """Whether the target was `broken`, or INACTIVE and not judged yet, and is neither now. The
    watchdog activates nothing, so it was somebody else's act."""
    doubtful = target.status == INACTIVE and target.inactive_as is not None
    was = target.health is Health.BROKEN or doubtful
    return was and seen.health is not Health.BROKEN and seen.inactive_as is None


def _healthy(
    target: Target,
    attempts: Sequence[Attempt],
    observation: Observation,
    seen: Meaning,
    policy: Policy,
    timing: Timing,
) -> Transition:
    episode, at = target.episode, observation.at
    resolved = resolve(unresolved(attempts), Resolution.RECOVERED, at)
    if episode is None:
        return Transition(target, attempts=resolved)
    if episode.open and not may_be_ours(target, attempts):
        return end_superseded(target, at)
    if episode.open:
        recovered = close(episode, EpisodeResult.RECOVERED, _well_since(target, episode, seen, at))
        return Transition(
            replace(target, episode=recovered, healthy_for=seen.slept),
            (Happening.RECOVERED,),
            recovered,
            resolved,
        )
    healthy_for = target.healthy_for
    if target.health is Health.HEALTHY and target.observed_at is not None:
        healthy_for += watched_span(target.observed_at, at, timing.longest_gap)
    if healthy_for >= policy.healthy_reset:
        return Transition(
            replace(target, episode=None, healthy_for=timedelta(0)), attempts=resolved
        )
    return Transition(replace(target, healthy_for=healthy_for), attempts=resolved)


def _well_since(target: Target, episode: Episode, seen: Meaning, at: datetime) -> datetime:
    """The moment of the recovery: the present look, or, if only SCALED_TO_ZERO was seen, the moment
    when that began."""
    if not seen.slept or target.status_since is None:
        return at
    return min(at, max(target.status_since, episode.failing_from))


def _neither(
    target: Target,
    attempts: Sequence[Attempt],
    observation: Observation,
    seen: Meaning,
    policy: Policy,
) -> Transition:
    """The step for an observation of a target that is in progress, not retryable or broken."""
    watched, at = unresolved(attempts), observation.at
    if _by_an_operator(target, attempts, observation, seen):
        return end_superseded(target, at, resolve(watched, Resolution.SUPERSEDED, at))
    if target.episode is None or target.episode.open:
        target = replace(target, healthy_for=seen.slept)
    since = at if target.status != observation.status else target.status_since or at
    late = [a for a in watched if at >= past(a.reserved_at, at, since) + policy.stuck_after]
    stuck = resolve(late, Resolution.STUCK, at)
    return Transition(target, (Happening.STUCK,) if stuck else (), attempts=stuck)


def _by_an_operator(
    target: Target, attempts: Sequence[Attempt], observation: Observation, seen: Meaning
) -> bool:
    """Whether an operator's act led to a status that is neither failing nor healthy."""
    if observation.status == BUILD_STOPPED:
        return True
    if observation.status == INACTIVE:
        # While it is not known who deactivated it, the episode stays open. A deactivation by the
        # platform does not end it either.
        return seen.health is Health.NOT_RETRYABLE and seen.inactive_as is None
    return not may_be_ours(target, attempts)


def _noted(target: Target, observation: Observation, seen: Meaning) -> Target:
    # The same status of another deployment begins anew, as when somebody pushes during a build.
    same_deployment = target.deployment == observation.deployment
    same = same_deployment and target.status == observation.status
    in_progress_since = target.in_progress_since if same_deployment else None
    episode, health = target.episode, seen.health
    if episode is not None and not episode.open and health is not Health.FAILING:
        episode = replace(episode, standing=False)  # The deployment in the slot has changed.
    return replace(
        target,
        episode=episode,
        status=observation.status,
        status_since=target.status_since if same else observation.at,
        health=health,
        deployment=observation.deployment,
        observed_at=observation.at,
        # If the clock was set back, the delays must not become longer.
        failing_since=min(target.failing_since or observation.at, observation.at)
        if health is Health.FAILING
        else None,
        in_progress_since=min(in_progress_since or observation.at, observation.at)
        if health is Health.IN_PROGRESS
        else None,
        inactive_as=seen.inactive_as,
        missing_since=None,
        missing=False,
        seen_well=False,
        observed_twice=target.observed_at is not None,
        opted_out=observation.opted_out,
    )


def _began_to_fail(before: Target, step: Transition) -> bool:
    """Whether the last observation before this failure was not failing. That observation may be
    from before the target was removed. A re-failure continues the same failure; it is not a new one
    for the breaker."""
    was_well = before.seen_well or before.health not in (None, Health.FAILING)
    return was_well and bool({Happening.OPENED, Happening.REOPENED} & set(step.happened))
