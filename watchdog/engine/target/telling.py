"""Turns what was recorded into events, and passes them to the listener."""

from collections.abc import Iterator

from watchdog.domain.limits import episode_used, of_episode
from watchdog.domain.records import DecisionReason, Episode, Resolution
from watchdog.domain.status import is_broken
from watchdog.domain.step import Happening
from watchdog.engine.events import (
    DeploymentBroken,
    DeploymentFailedAgain,
    DeploymentFailing,
    DeploymentNoLongerBroken,
    DeploymentReplaced,
    DeploymentStuck,
    EffectSeen,
    EpisodeSuperseded,
    Event,
    GaveUp,
    Recovered,
    RetrySuppressed,
    TargetChanged,
    TargetForgotten,
    TargetMissing,
    TargetRemoved,
)
from watchdog.engine.ports import Listener
from watchdog.engine.settings import Settings
from watchdog.engine.target.recorded import Recorded


def tell(recorded: Recorded, settings: Settings, listener: Listener) -> None:
    """Report what happened, the decision if it has changed, and then the whole new state. If the
    target is no longer watched, report that instead of the state."""
    for happening in recorded.step.happened:
        for event in _happened(happening, recorded):
            listener(event)
    decided = (*_decided(recorded), *_broken_events(recorded))
    for event in (*_effects(recorded), *recorded.news, *decided):
        listener(event)
    model = settings.models.get(recorded.after.model_id)
    if model is None or not recorded.after.watched:
        listener(TargetForgotten(model_id=recorded.after.model_id))
        return
    listener(TargetChanged(target=recorded.after, policy=model.policy, attempts=recorded.attempts))


def _happened(happening: Happening, recorded: Recorded) -> Iterator[Event]:
    target, episode = recorded.after, recorded.after.episode
    match happening:
        case Happening.OPENED | Happening.REOPENED if episode is not None:
            reopened = happening is Happening.REOPENED
            yield DeploymentFailing(target=target, episode=episode, reopened=reopened)
        case Happening.REFAILED:
            if own := of_episode(target, recorded.attempts):
                yield DeploymentFailedAgain(target=target, attempt=own[-1])
        case Happening.STUCK:
            for attempt in recorded.step.attempts:
                if attempt.resolution is Resolution.STUCK:
                    yield DeploymentStuck(target=target, attempt=attempt)
        case Happening.MISSING:
            yield TargetMissing(target=target, episode=recorded.step.ended)
        case Happening.REMOVED:
            yield TargetRemoved(target=target, episode=recorded.step.ended)
        case _ if recorded.step.ended is not None:
            yield _ended(happening, recorded, recorded.step.ended)


def _effects(recorded: Recorded) -> Iterator[Event]:
    """Changes that were taken for the effect of an attempt, although they may have been a person's
    act."""
    episode = recorded.after.episode
    for attempt in recorded.step.attempts:
        if episode is not None and episode.open and attempt.under_way:
            yield EffectSeen(target=recorded.after, episode=episode, attempt=attempt)


def _broken_events(recorded: Recorded) -> Iterator[Event]:
    """That a target is broken, or no longer broken."""
    before, after = recorded.before, recorded.after
    if recorded.became_broken:
        yield DeploymentBroken(target=after)
    elif is_broken(before) and not is_broken(after) and after.watched is before.watched:
        yield DeploymentNoLongerBroken(target=after)


def _ended(happening: Happening, recorded: Recorded, episode: Episode) -> Event:
    target = recorded.after
    if happening is Happening.SUPERSEDED:
        return EpisodeSuperseded(target=target, episode=episode)
    if happening is Happening.REPLACED:
        return DeploymentReplaced(target=target, episode=episode)
    return Recovered(
        target=target,
        episode=episode,
        after=(episode.ended_at or episode.failing_from) - episode.failing_from,
        attempts_used=episode_used(target, recorded.attempts),
    )


def _decided(recorded: Recorded) -> Iterator[Event]:
    """Why a failing target is not retried, and that a target is stuck. Reported when the reason
    changes."""
    target, decision = recorded.after, recorded.after.decision
    if recorded.got_stuck_by_itself:
        yield DeploymentStuck(target=target, attempt=None)
    if recorded.gave_up:
        used = episode_used(target, recorded.attempts)
        yield GaveUp(target=target, decision=decision, attempts_used=used)
    elif recorded.has_new_reason and decision.reason not in _NOT_SUPPRESSED:
        yield RetrySuppressed(target=target, decision=decision)


_NOT_SUPPRESSED = (None, DecisionReason.ATTEMPT_UNDER_WAY)
