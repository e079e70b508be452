"""What happens when a target is removed: its model is missing, or is no longer configured."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from watchdog.domain.records import (
    UNOBSERVED,
    Attempt,
    EpisodeResult,
    Health,
    Resolution,
    Target,
)
from watchdog.domain.step import (
    Happening,
    Timing,
    Transition,
    being_sent,
    close,
    resolve,
    unresolved,
)


def missed(target: Target, attempts: Sequence[Attempt], at: datetime, timing: Timing) -> Transition:
    """The step for an *absent* look. The second one, at least an interval after the first, removes
    the target."""
    if target.missing or being_sent(attempts):
        return Transition(target)
    if target.missing_since is None or target.missing_since > at:
        return Transition(replace(target, missing_since=at))
    if at - target.missing_since < timing.interval:
        return Transition(target)
    return _removed(replace(target, missing=True), Happening.MISSING, attempts, at)


def unwatched(target: Target, attempts: Sequence[Attempt], at: datetime) -> Transition:
    """The step when a target is no longer watched. Nothing is decided for it any more."""
    target = replace(target, watched=False, decision=UNOBSERVED, ready_at=None, queue_rank=None)
    return _removed(target, Happening.REMOVED, attempts, at)


def ended_with_its_target(target: Target | None, attempt: Attempt, at: datetime) -> Attempt:
    """An attempt whose target was removed, or whose episode ended, while it was being sent is
    resolved as `removed` at once, because no process watches for its effect."""
    episode = target.episode if target is not None else None
    kept = episode is not None and episode.open and episode.id == attempt.episode_id
    if kept or not attempt.under_way:
        return attempt
    return replace(attempt, resolution=Resolution.REMOVED, resolved_at=at)


def _removed(
    target: Target, happening: Happening, attempts: Sequence[Attempt], at: datetime
) -> Transition:
    seen_well = target.seen_well or target.health not in (None, Health.FAILING)
    target = replace(
        target,
        status=None,
        status_since=at,
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
