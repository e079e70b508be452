"""Decides whether an observed change is the effect of our own attempt or an operator's act.

Statuses may lag by any time, so the effect of a retry may be seen only after that retry was
presumed to have failed again. If that effect were taken for an operator's act, the failure would
get a new budget.
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
    """Adopt the deployment that the answer to our POST names as the deployment of the target and
    its episode. A failure must not get a new budget because our own retry replaced the
    deployment."""
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
    """Decide whether a change of the deployment is the effect of an attempt or an operator's push.
    Each attempt has at most one such effect."""
    seen = observation.deployment
    if target.deployment is None or target.deployment == seen:
        return Transition(target)
    if any(seen in (each.deployment, each.made) for each in of_episode(target, attempts)):
        # A look that lags shows the earlier deployment again, or the one that our attempt made.
        return Transition(_adopted(target, seen))
    for attempt in _may_still_show(target, attempts, observation.at, policy):
        if attempt.made is None:
            # A program of an older schema did not record which deployment was in the slot.
            before = attempt.deployment or target.deployment
            maker = replace(attempt, deployment=before, made=seen)
            return Transition(_adopted(target, seen), attempts=(maker,))
    over = resolve(unresolved(attempts), Resolution.SUPERSEDED, observation.at)
    return end_replaced(target, observation.at, over)


def effect_seen(
    target: Target, attempts: Sequence[Attempt], observation: Observation, policy: Policy
) -> Transition:
    """The step when a target leaves its failing state: decide which attempt caused that. Effects
    come in the order of the retries, so it is the oldest attempt that has shown none. The newest
    attempt is then under way again if it was presumed to have failed, because its own effect may
    still come."""
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
    """The attempts whose effect may be seen for the first time at `at`, oldest first: those under
    way, and those that were only presumed to have failed. Statuses may lag for longer than any
    timer, but a change later than `stuck_after` after an attempt of the second kind is taken for an
    operator's act."""
    late = [
        attempt
        for attempt in of_episode(target, attempts)
        if attempt.presumed and at < past(attempt.reserved_at, at, at) + policy.stuck_after
    ]
    return [attempt for attempt in attempts if attempt.under_way or attempt in late]


def pushed(target: Target, attempts: Sequence[Attempt], at: datetime) -> Transition:
    """The step for a push that only the audit log shows, after it was taken for an effect of our
    attempt."""
    return end_replaced(target, at, resolve(unresolved(attempts), Resolution.SUPERSEDED, at))
