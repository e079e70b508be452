"""How an episode opens, re-opens, is reset, or is too old to continue."""

from dataclasses import replace
from datetime import datetime, timedelta

from watchdog.domain.records import Episode, EpisodeResult, Observation, Policy, Target
from watchdog.domain.step import Happening, Transition, close


def opened(target: Target, observation: Observation) -> Episode:
    return Episode(
        id=f"{target.model_id}@{observation.at:%Y-%m-%dT%H:%M:%S.%fZ}",
        model_id=target.model_id,
        deployment=observation.deployment,
        status=observation.status,
        opened_at=observation.at,
        failing_from=observation.at,
        standing=target.observed_at is None or _still_standing(target.episode),
    )


def reopened(episode: Episode, at: datetime) -> Episode:
    """The episode, open again with its count of attempts. If the target had recovered, the failure
    is a new one and no longer a standing failure."""
    standing = _still_standing(episode)
    return replace(episode, result=None, ended_at=None, failing_from=at, standing=standing)


def forgotten(episode: Episode, at: datetime, policy: Policy) -> bool:
    """Whether a removed target came back too late to continue its episode."""
    return (
        episode.result is EpisodeResult.REMOVED
        and episode.ended_at is not None
        and at - episode.ended_at >= policy.healthy_reset
    )


def reset(target: Target, at: datetime) -> Transition:
    """The step for an operator's reset while no attempt is under way: the next failing observation
    opens a new episode, and the window is empty."""
    ended = None
    if target.episode is not None and target.episode.open:
        ended = close(target.episode, EpisodeResult.RESET, at)
    cleared = replace(target, episode=None, healthy_for=timedelta(0), window_since=at)
    return Transition(cleared, (Happening.RESET,), ended)


def _still_standing(last: Episode | None) -> bool:
    """Whether the last episode was a standing failure that only the removal of its target ended."""
    return last is not None and last.standing and last.result is EpisodeResult.REMOVED
