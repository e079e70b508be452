"""Records with defaults, so that a test gives only the values that matter to it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from watchdog.domain.records import (
    Actor,
    Attempt,
    Decision,
    DecisionKind,
    DecisionReason,
    DeploymentRef,
    Episode,
    Fleet,
    FleetLimits,
    Health,
    Observation,
    Outcome,
    Policy,
    Resolution,
    Standing,
    Target,
)
from watchdog.domain.step import Timing
from watchdog.engine.ports import Access

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
REF = DeploymentRef("d1", NOW - timedelta(days=1))
PUSHED = DeploymentRef("d1", NOW - timedelta(minutes=1))
TIMING = Timing(
    lag=timedelta(seconds=25), longest_gap=timedelta(minutes=2), interval=timedelta(minutes=1)
)
POLICY = Policy(
    retry_on=frozenset({"BUILD_FAILED", "DEPLOY_FAILED"}),
    first_delay=timedelta(minutes=2),
    backoff=timedelta(minutes=5),
    backoff_factor=3,
    backoff_max=timedelta(hours=1),
    jitter=0.0,
    max_attempts=4,
    window=timedelta(hours=24),
    max_attempts_per_window=6,
    healthy_reset=timedelta(minutes=30),
    stuck_after=timedelta(minutes=60),
    settle=timedelta(minutes=5),
    standing=Standing.RETRY,
)
FLEET = Fleet(FleetLimits(max_retries_per_minute=4, max_in_flight=10, max_attempts_per_window=50))


_CLOSED_BY_THE_ANSWER = (Outcome.REFUSED, Outcome.THROTTLED, Outcome.ABANDONED, Outcome.FAILED)


def ago(**span: float) -> datetime:
    return NOW - timedelta(**span)


def an_episode(**values: Any) -> Episode:
    """An open episode, which began a day ago."""
    episode = Episode(
        id="e1",
        model_id="m1",
        deployment=REF,
        status="BUILD_FAILED",
        opened_at=ago(days=1),
        failing_from=ago(days=1),
    )
    return replace(episode, **values)


def failing(**values: Any) -> Target:
    """A target that has been failing for a day, in an open episode."""
    target = Target(
        model_id="m1",
        status="BUILD_FAILED",
        health=Health.FAILING,
        deployment=REF,
        status_since=ago(days=1),
        observed_at=ago(minutes=1),
        failing_since=ago(days=1),
        observed_twice=True,
        episode=an_episode(),
    )
    return replace(target, **values)


def healthy(**values: Any) -> Target:
    return replace(
        failing(status="ACTIVE", health=Health.HEALTHY, failing_since=None, episode=None), **values
    )


def judged(target: Target) -> Target:
    """The target with some decision, as each has after it was recorded."""
    return replace(target, decision=Decision(DecisionKind.NOTHING, DecisionReason.HEALTHY))


def an_attempt(outcome: Outcome = Outcome.ACCEPTED, **values: Any) -> Attempt:
    """An attempt that was sent a minute ago, and is under way unless its answer resolved it."""
    attempt = Attempt(
        id="a1",
        model_id="m1",
        episode_id="e1",
        number=1,
        owner="daemon:1",
        reserved_at=ago(minutes=1),
        outcome=outcome,
        sent_at=None if outcome is Outcome.PENDING else ago(minutes=1),
    )
    if outcome in _CLOSED_BY_THE_ANSWER:
        closed_at = ago(minutes=1)
        attempt = replace(attempt, resolution=Resolution.ANSWERED, resolved_at=closed_at)
    return replace(attempt, **values)


def refailed(at: datetime, outcome: Outcome = Outcome.ACCEPTED, **values: Any) -> Attempt:
    """An attempt that did not help; that was seen at this moment."""
    sent = at - timedelta(minutes=4)
    return an_attempt(
        outcome,
        id=f"a-{at.isoformat()}",
        reserved_at=sent,
        sent_at=sent,
        resolution=Resolution.REFAILED,
        resolved_at=at,
        **values,
    )


def observed(status: str, deployment: DeploymentRef = REF, at: datetime = NOW) -> Observation:
    return Observation(status, deployment, at)


def inactive(by: Actor | None = None, at: datetime = NOW) -> Observation:
    """An observation of INACTIVE, with who deactivated it if that is known."""
    return Observation("INACTIVE", REF, at, deactivated_by=by)


OPEN = Access(hold=None, key_mark="k3y")
"""Access to an API that holds nothing."""
