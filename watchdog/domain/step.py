"""A step of a target's record, and the small functions that all steps share."""

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

FIRST_LOOK = timedelta(seconds=2)
"""How soon after a retry its target is looked at, so that even a build that fails within seconds is
seen in progress. Otherwise it could only be presumed later that the retry failed again."""


class Happening(StrEnum):
    """What a step means, in the order in which it is reported."""

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
    """A target after a step, and what the step meant. `ended` is the episode that it closed, if
    any. `attempts` are the attempts that it changed, as they are now."""

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


@dataclass(frozen=True, slots=True)
class Timing:
    """Times between observations that change their meaning.

    `lag`: until this long after a POST the old failing status may still be shown. `longest_gap`: if
    two observations are further apart than this, it is not known what happened in between.
    `interval`: the least time between two *absent* looks that remove a target.
    """

    lag: timedelta
    longest_gap: timedelta
    interval: timedelta


def effective_interval(interval: timedelta, targets: int, max_rate: float) -> timedelta:
    """The configured time between two looks, stretched to what the request rate can serve."""
    return max(interval, timedelta(seconds=targets / max_rate))


def being_sent(attempts: Sequence[Attempt]) -> bool:
    return any(attempt.outcome is Outcome.PENDING for attempt in attempts)


def unresolved(attempts: Sequence[Attempt]) -> list[Attempt]:
    """The attempts that were sent and whose result has not been observed."""
    return [a for a in attempts if a.under_way and a.outcome is not Outcome.PENDING]


def resolve(
    attempts: Sequence[Attempt], resolution: Resolution, at: datetime
) -> tuple[Attempt, ...]:
    """The attempts with this resolution. After any other than REFAILED they are no longer
    `presumed`, because they can show no further effect."""
    may_show = resolution is Resolution.REFAILED
    return tuple(
        replace(a, resolution=resolution, resolved_at=at, presumed=a.presumed and may_show)
        for a in attempts
    )


def close(episode: Episode, result: EpisodeResult, at: datetime) -> Episode:
    """The episode, ended with this result."""
    return replace(episode, result=result, ended_at=at)


def end_superseded(target: Target, at: datetime, resolved: tuple[Attempt, ...] = ()) -> Transition:
    """The step of a target that left its failing state without our attempt, so by an operator's
    act."""
    if target.episode is None or not target.episode.open:
        return Transition(target, attempts=resolved)
    closed = close(target.episode, EpisodeResult.SUPERSEDED, at)
    return Transition(replace(target, episode=None), (Happening.SUPERSEDED,), closed, resolved)


def end_replaced(target: Target, at: datetime, resolved: tuple[Attempt, ...] = ()) -> Transition:
    """The step when another deployment is in the slot, and none of our attempts made it."""
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
    """The time between two looks. Zero if they are too far apart to know what happened in between,
    or if the clock was set back in between."""
    gap = at - before
    return gap if timedelta(0) <= gap <= longest_gap else timedelta(0)


def past(moment: datetime, now: datetime, instead: datetime) -> datetime:
    """`moment`, when something was sent or reserved; `instead`, if that lies in the future because
    the clock was set back: a delay must not last until the clock reaches it."""
    return moment if moment <= now else instead
