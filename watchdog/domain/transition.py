"""What an observation does to a target, its episode and the attempts under way."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from watchdog.domain.effects import effect_seen, identified
from watchdog.domain.meaning import Meaning, has_begun, meaning
from watchdog.domain.records import (
    Attempt,
    Episode,
    EpisodeResult,
    Health,
    Observation,
    Outcome,
    Policy,
    Resolution,
    Target,
)
from watchdog.domain.status import BUILD_STOPPED, INACTIVE, health_of, is_stuck, may_be_ours
from watchdog.domain.step import (
    Happening,
    Transition,
    close,
    end_superseded,
    past,
    resolve,
    unresolved,
    watched_span,
)


@dataclass(frozen=True, slots=True)
class Timing:
    """How to read the distance between observations.

    `lag`: until this long after a POST the old failing status may still be shown. `longest_gap`:
    two healthy observations further apart than this say nothing of the time between them.
    `interval`: the least distance of two 404s that mean removal.
    """

    lag: timedelta
    longest_gap: timedelta
    interval: timedelta


def observe(
    target: Target,
    attempts: Sequence[Attempt],
    observation: Observation,
    policy: Policy,
    timing: Timing,
) -> Transition:
    """What an observation does to a target, its episode and the attempts under way. `attempts` are
    those of the target's episode and window, oldest first. While one is `pending` a process is
    sending it, and nobody can say whether that caused what is seen: the next check judges."""
    step = identified(target, attempts, observation, policy)
    if _being_sent(attempts):
        seen = meaning(step.target, attempts, observation, policy, timing.longest_gap)
        return replace(step, target=_noted(step.target, observation, seen))
    if health_of(observation.status, policy) is not Health.FAILING:
        step = step.then(effect_seen(step.target, step.applied_to(attempts), observation, policy))
    attempts = step.applied_to(attempts)
    seen = meaning(step.target, attempts, observation, policy, timing.longest_gap)
    if _leaves_broken(step.target, seen) and not has_begun(attempts, observation.at, policy):
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
    if _broke(target, step):
        noted = replace(noted, broke_at=observation.at)
    return replace(step, target=noted)


def missed(target: Target, attempts: Sequence[Attempt], at: datetime, timing: Timing) -> Transition:
    """What a 404 does. The second one, at least an interval after the first, removes the target."""
    if target.missing or _being_sent(attempts):
        return Transition(target)
    if target.missing_since is None or target.missing_since > at:
        return Transition(replace(target, missing_since=at))
    if at - target.missing_since < timing.interval:
        return Transition(target)
    return _removed(replace(target, missing=True), Happening.MISSING, attempts, at)


def unwatched(target: Target, attempts: Sequence[Attempt], at: datetime) -> Transition:
    """What happens when a target leaves the configuration."""
    return _removed(replace(target, watched=False), Happening.REMOVED, attempts, at)


def reset(target: Target, at: datetime) -> Transition:
    """What an operator's reset does while no attempt is under way: the next failing observation
    opens a new episode, with an empty window."""
    ended = None
    if target.episode is not None and target.episode.open:
        ended = close(target.episode, EpisodeResult.RESET, at)
    cleared = replace(target, episode=None, healthy_for=timedelta(0), window_since=at)
    return Transition(cleared, (Happening.RESET,), ended)


def ended_with_its_target(target: Target | None, attempt: Attempt, at: datetime) -> Attempt:
    """An attempt whose target was removed while it was being sent ends at once, because the target
    is no longer watched."""
    episode = target.episode if target is not None else None
    kept = episode is not None and episode.open and episode.id == attempt.episode_id
    if kept or not attempt.under_way:
        return attempt
    return replace(attempt, resolution=Resolution.REMOVED, resolved_at=at)


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
    if episode is None or _forgotten(episode, at, policy):
        episode, happened = _opened(target, observation), (Happening.OPENED,)
    else:
        happened = (Happening.REFAILED,) if failed or is_stuck(target, attempts) else ()
        if not episode.open:
            episode, happened = _reopened(episode, at), (*happened, Happening.REOPENED)
    return Transition(
        replace(target, episode=episode, healthy_for=timedelta(0)), happened, attempts=failed
    )


def _refailed(
    target: Target, attempts: Sequence[Attempt], at: datetime, policy: Policy, timing: Timing
) -> tuple[Attempt, ...]:
    """The attempts that failed again: after another status was seen, or because of the time that
    passed, which may be wrong where statuses lag. An attempt of the second kind keeps its place in
    flight for `settle`."""
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
    """Whether it was broken, or perhaps was, and is not any more: whoever activated it again, it
    was not us."""
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
    """When a recovery came: for one that was only seen asleep, when that began."""
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
    """In progress, not retryable, or broken."""
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
    """Whether an operator brought about a status that is neither failing nor healthy."""
    if observation.status == BUILD_STOPPED:
        return True
    if observation.status == INACTIVE:
        # While it is not judged the episode waits; the platform's act does not end it.
        return seen.health is Health.NOT_RETRYABLE and seen.inactive_as is None
    return not may_be_ours(target, attempts)


def _noted(target: Target, observation: Observation, seen: Meaning) -> Target:
    same, episode, health = target.status == observation.status, target.episode, seen.health
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
        in_progress_since=min(target.in_progress_since or observation.at, observation.at)
        if health is Health.IN_PROGRESS
        else None,
        inactive_as=seen.inactive_as,
        missing_since=None,
        missing=False,
        seen_well=False,
        observed_twice=target.observed_at is not None,
        opted_out=observation.opted_out,
    )


def _broke(before: Target, step: Transition) -> bool:
    """Whether it began to fail right after it was seen not failing, before a removal perhaps. A
    re-failure continues the same failure; it is not a new one for the breaker."""
    was_well = before.seen_well or before.health not in (None, Health.FAILING)
    return was_well and bool({Happening.OPENED, Happening.REOPENED} & set(step.happened))


def _removed(
    target: Target, happening: Happening, attempts: Sequence[Attempt], at: datetime
) -> Transition:
    seen_well = target.seen_well or target.health not in (None, Health.FAILING)
    target = replace(
        target,
        status=None,
        health=None,
        failing_since=None,
        in_progress_since=None,
        inactive_as=None,
        seen_well=seen_well,
    )
    resolved = resolve(unresolved(attempts), Resolution.REMOVED, at)
    if target.episode is None or not target.episode.open:
        return Transition(target, (happening,), attempts=resolved)
    ended = close(target.episode, EpisodeResult.REMOVED, at)
    return Transition(replace(target, episode=ended), (happening,), ended, resolved)


def _opened(target: Target, observation: Observation) -> Episode:
    return Episode(
        id=f"{target.model_id}@{observation.at:%Y-%m-%dT%H:%M:%S.%fZ}",
        model_id=target.model_id,
        deployment=observation.deployment,
        status=observation.status,
        opened_at=observation.at,
        failing_from=observation.at,
        standing=target.observed_at is None or _still_standing(target.episode),
    )


def _still_standing(last: Episode | None) -> bool:
    """Whether the last episode was a standing failure that only the removal of its target ended."""
    return last is not None and last.standing and last.result is EpisodeResult.REMOVED


def _reopened(episode: Episode, at: datetime) -> Episode:
    """The count of attempts is kept. A failure that had recovered is a new one, no longer a
    standing failure."""
    standing = _still_standing(episode)
    return replace(episode, result=None, ended_at=None, failing_from=at, standing=standing)


def _being_sent(attempts: Sequence[Attempt]) -> bool:
    return any(attempt.outcome is Outcome.PENDING for attempt in attempts)


def _forgotten(episode: Episode, at: datetime, policy: Policy) -> bool:
    """Whether a removed target came back too late to continue its episode."""
    return (
        episode.result is EpisodeResult.REMOVED
        and episode.ended_at is not None
        and at - episode.ended_at >= policy.healthy_reset
    )
