"""A step of a target's record, and the small operations that all steps share."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from watchdog.domain.records import (
    Attempt,
    Episode,
    EpisodeResult,
    Outcome,
    Resolution,
    Target,
)


class Happening(StrEnum):
    """What an observation meant, in the order in which it is reported."""

    REPLACED = "replaced"
    SUPERSEDED = "superseded"
    RECOVERED = "recovered"
    REFAILED = "refailed"
    STUCK = "stuck"
    OPENED = "opened"
    REOPENED = "reopened"
    MISSING = "missing"
    REMOVED = "removed"
    RESET = "reset"


@dataclass(frozen=True, slots=True)
class Transition:
    """A target after an observation, and what the observation meant. `ended` is the episode that it
    closed; `attempts` has the attempts that it changed, as they are now."""

    target: Target
    happened: tuple[Happening, ...] = ()
    ended: Episode | None = None
    attempts: tuple[Attempt, ...] = ()

    def then(self, other: "Transition") -> "Transition":
        return Transition(
            target=other.target,
            happened=self.happened + other.happened,
            ended=other.ended or self.ended,
            attempts=self.attempts + other.attempts,
        )

    def applied_to(self, attempts: Sequence[Attempt]) -> tuple[Attempt, ...]:
        """All attempts, with the changes of this step."""
        now = {attempt.id: attempt for attempt in self.attempts}
        return tuple(now.get(attempt.id, attempt) for attempt in attempts)


def unresolved(attempts: Sequence[Attempt]) -> list[Attempt]:
    """The attempts whose end is still to be observed."""
    return [a for a in attempts if a.under_way and a.outcome is not Outcome.PENDING]


def resolve(
    attempts: Sequence[Attempt], resolution: Resolution, at: datetime
) -> tuple[Attempt, ...]:
    """The attempts with their resolution. Only one that failed again may still show an effect."""
    may_show = resolution is Resolution.REFAILED
    return tuple(
        replace(a, resolution=resolution, resolved_at=at, presumed=a.presumed and may_show)
        for a in attempts
    )


def close(episode: Episode, result: EpisodeResult, at: datetime) -> Episode:
    """The episode with how it ended."""
    return replace(episode, result=result, ended_at=at)


def end_superseded(target: Target, at: datetime, resolved: tuple[Attempt, ...] = ()) -> Transition:
    """The target left its failing state without an attempt of ours: a person acted."""
    if target.episode is None or not target.episode.open:
        return Transition(target, attempts=resolved)
    closed = close(target.episode, EpisodeResult.SUPERSEDED, at)
    return Transition(replace(target, episode=None), (Happening.SUPERSEDED,), closed, resolved)


def end_replaced(target: Target, at: datetime, resolved: tuple[Attempt, ...] = ()) -> Transition:
    """Another deployment stands in the slot, and none of our attempts made it."""
    fresh = replace(
        target,
        episode=None,
        health=None,
        failing_since=None,
        in_progress_since=None,
        inactive_as=None,
        healthy_for=timedelta(0),
    )
    if target.episode is None or not target.episode.open:
        return Transition(fresh, attempts=resolved)
    closed = close(target.episode, EpisodeResult.REPLACED, at)
    return Transition(fresh, (Happening.REPLACED,), closed, resolved)


def watched_span(before: datetime, at: datetime, longest_gap: timedelta) -> timedelta:
    """The time between two looks; zero if they are too far apart to say anything of it, or if the
    clock was set back in between."""
    gap = at - before
    return gap if timedelta(0) <= gap <= longest_gap else timedelta(0)


def past(moment: datetime, now: datetime, instead: datetime) -> datetime:
    """When something was sent or reserved; `instead`, if that lies in the future because the clock
    was set back: a delay must not wait until the clock gets there."""
    return moment if moment <= now else instead
