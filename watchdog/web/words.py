"""States, reasons and outcomes in words that a new user understands."""

from typing import NamedTuple

from watchdog.domain.records import (
    ActionKind,
    EpisodeResult,
    Health,
    Outcome,
    Resolution,
    TargetState,
)
from watchdog.domain.replica import ReplicaState


class State(NamedTuple):
    """`tone` selects the colour in the style sheet."""

    text: str
    tone: str


STATES = {
    TargetState.EXHAUSTED: State("gave up", "bad"),
    TargetState.STUCK: State("stuck", "bad"),
    TargetState.BROKEN: State("broken", "bad"),
    TargetState.MISSING: State("missing", "bad"),
    TargetState.WAITING: State("failing, waits", "warn"),
    TargetState.RECOVERING: State("recovering", "busy"),
    TargetState.PAUSED: State("paused", "hand"),
    TargetState.NOT_RETRYABLE: State("not retryable", "odd"),
    TargetState.UNKNOWN: State("not seen yet", "odd"),
    TargetState.IN_PROGRESS: State("in progress", "busy"),
    TargetState.IGNORED: State("opted out", "odd"),
    TargetState.HEALTHY: State("healthy", "good"),
}
"""The most urgent first: the order in which targets are shown."""

URGENT = (TargetState.EXHAUSTED, TargetState.STUCK)
"""An operator is needed. This also holds for a broken target, whatever its state
(`domain.status.is_broken`)."""

RETRY_NOW = "A retry is due now."
"""A decision to act has no words, because there is no reason against it."""

OUTCOMES = {
    Outcome.PENDING: "being sent",
    Outcome.ACCEPTED: "accepted",
    Outcome.REFUSED: "refused",
    Outcome.THROTTLED: "too many requests",
    Outcome.ABANDONED: "not sent after all",
    Outcome.FAILED: "could not be sent",
    Outcome.UNKNOWN: "answer lost",
    Outcome.DRY_RUN: "would have been sent",
}

RESOLUTIONS = {
    Resolution.ANSWERED: "over with the answer",
    Resolution.RECOVERED: "it recovered",
    Resolution.REFAILED: "it failed again",
    Resolution.STUCK: "nothing came of it",
    Resolution.SUPERSEDED: "a person acted",
    Resolution.REMOVED: "the model is gone",
}

RESULTS = {
    EpisodeResult.RECOVERED: "recovered",
    EpisodeResult.SUPERSEDED: "a person acted",
    EpisodeResult.REPLACED: "a new deployment was pushed",
    EpisodeResult.REMOVED: "the model is gone",
    EpisodeResult.RESET: "a person reset it",
}

ACTIONS = {
    ActionKind.PAUSE: "paused it",
    ActionKind.RESUME: "ended the pause",
    ActionKind.RESET: "reset its attempts",
    ActionKind.RETRY: "asked for a retry",
}

REPLICAS = {
    ReplicaState.ACTIVE: "active",
    ReplicaState.STANDBY: "stands by",
    ReplicaState.GONE: "gone",
}

HEALTHS = {
    Health.FAILING: "failing",
    Health.IN_PROGRESS: "in progress",
    Health.BROKEN: "broken",
    Health.NOT_RETRYABLE: "not retryable",
    Health.HEALTHY: "healthy",
    None: "not seen",
}
