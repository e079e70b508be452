"""Whose doing is what is seen: the effect of an attempt of ours, or a person's act.

Statuses lag, by any time: the effect of a retry may be seen first when the retry was already taken
to have failed again. What looked like a person's act then would give the failure a fresh budget.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from watchdog.domain.limits import of_episode
from watchdog.domain.records import Attempt, DeploymentRef, Observation, Policy, Resolution, Target
from watchdog.domain.status import BUILD_STOPPED
from watchdog.domain.step import (
    Transition,
    end_replaced,
    past,
    resolve,
    unresolved,
)


def named_in_answer(
    target: Target, attempts: Sequence[Attempt], attempt_id: str, named: DeploymentRef
) -> Transition:
    """What the deployment that the answer to our own POST names does: it becomes the episode's.

    Our retry must never grant itself the fresh budget of a replaced deployment.
    """
    if target.deployment == named:
        return Transition(target)
    maker = next((each for each in attempts if each.id == attempt_id), None)
    made = (replace(maker, made=named),) if maker is not None else ()
    return Transition(_adopted(target, named), attempts=made)


def _adopted(target: Target, deployment: DeploymentRef) -> Target:
    episode = target.episode and replace(target.episode, deployment=deployment)
    return replace(target, deployment=deployment, episode=episode)


def identified(
    target: Target, attempts: Sequence[Attempt], observation: Observation, policy: Policy
) -> Transition:
    """Whose change of the deployment it is: ours, once for each attempt, or a person's push."""
    seen = observation.deployment
    if target.deployment is None or target.deployment == seen:
        return Transition(target)
    if any(seen in (each.deployment, each.made) for each in of_episode(target, attempts)):
        # A look that lags shows again what stood there before, or what we made.
        return Transition(_adopted(target, seen))
    for attempt in _may_still_show(target, attempts, observation.at, policy):
        if attempt.made is None:
            # A program of an older schema did not note what stood there.
            before = attempt.deployment or target.deployment
            maker = replace(attempt, deployment=before, made=seen)
            return Transition(_adopted(target, seen), attempts=(maker,))
    over = resolve(unresolved(attempts), Resolution.SUPERSEDED, observation.at)
    return end_replaced(target, observation.at, over)


def effect_seen(
    target: Target, attempts: Sequence[Attempt], observation: Observation, policy: Policy
) -> Transition:
    """Whose effect it is that a target leaves its failing state.

    Effects come in the order of the retries: it is that of the oldest attempt that has shown none.
    The newest is the one to watch, under way again if it was presumed to have failed; its own
    effect may still come.
    """
    if observation.status == BUILD_STOPPED or target.failing_since is None:
        return Transition(target)
    waiting = _may_still_show(target, attempts, observation.at, policy)
    if not waiting:
        return Transition(target)
    oldest, newest, at = waiting[0], waiting[-1], observation.at
    watched = replace(
        newest,
        resolution=None,
        resolved_at=None,
        presumed=oldest is not newest,
        in_flight_until=past(newest.reserved_at, at, at) + policy.stuck_after,
    )
    if oldest is newest:
        return Transition(target, attempts=(watched,))
    return Transition(target, attempts=(replace(oldest, presumed=False), watched))


def _may_still_show(
    target: Target, attempts: Sequence[Attempt], at: datetime, policy: Policy
) -> list[Attempt]:
    """The attempts whose effect may be seen first at `at`, oldest first: those under way, and those
    that were only presumed to have failed. Statuses may lag for longer than any timer, but what
    comes later than `stuck_after` after such an attempt is taken for a person's act."""
    late = [
        attempt
        for attempt in of_episode(target, attempts)
        if attempt.presumed and at < past(attempt.reserved_at, at, at) + policy.stuck_after
    ]
    return [attempt for attempt in attempts if attempt.under_way or attempt in late]


def pushed(target: Target, attempts: Sequence[Attempt], at: datetime) -> Transition:
    """What a push does that only the audit log shows: it was taken for an effect of ours."""
    return end_replaced(target, at, resolve(unresolved(attempts), Resolution.SUPERSEDED, at))
