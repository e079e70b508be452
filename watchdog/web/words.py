"""States, reasons and outcomes in words that somebody new to it understands."""

from typing import NamedTuple

from watchdog.domain.records import (
    ActionKind,
    DecisionReason,
    EpisodeResult,
    Health,
    Outcome,
    Resolution,
    TargetState,
)
from watchdog.domain.replica import ReplicaState


class State(NamedTuple):
    """`tone` is what the style sheet colours it by."""

    text: str
    tone: str


STATES = {
    TargetState.EXHAUSTED: State("gave up", "bad"),
    TargetState.STUCK: State("stuck", "bad"),
    TargetState.MISSING: State("missing", "odd"),
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
"""A person is needed."""

REASONS = {
    DecisionReason.UNOBSERVED: "It has not been looked at yet.",
    DecisionReason.MISSING: "The API knows no such model, or it has no development deployment.",
    DecisionReason.HEALTHY: "It is well.",
    DecisionReason.IN_PROGRESS: "It builds or starts: there is nothing to retry.",
    DecisionReason.NOT_RETRYABLE: "Its status is not one that a retry is configured for.",
    DecisionReason.STUCK: "A retry was accepted, and nothing came of it: a person is needed.",
    DecisionReason.STANDING_FAILURE: "It failed before anyone watched, and such ones are left "
    "alone until they change.",
    DecisionReason.OPTED_OUT: 'A label on its deployment, watchdog: "off", asks to leave it alone.',
    DecisionReason.ATTEMPT_UNDER_WAY: "A retry was sent; now it watches what comes of it.",
    DecisionReason.FIRST_DELAY: "It failed just now, and a person may be fixing it: the first "
    "retry waits.",
    DecisionReason.BACKOFF: "The last retry did not help: the next one waits longer.",
    DecisionReason.WINDOW_SPENT: "Its retries of the day are used up: it waits until the oldest "
    "is a day old.",
    DecisionReason.FLEET_MINUTE_SPENT: "All models together may send no more retries this minute.",
    DecisionReason.FLEET_IN_FLIGHT: "Too many retries of other models are under way.",
    DecisionReason.FLEET_WINDOW_SPENT: "All models together have used up the day's retries.",
    DecisionReason.BREAKER_OPEN: "Many models fail at once, so the platform is probably ill: one "
    "is tried at a time, and it is not this one's turn.",
    DecisionReason.PAUSED: "A person said hands off.",
    DecisionReason.OUTSIDE_ALLOWED_TIMES: "Retries are not allowed at this time of day.",
    DecisionReason.API_HELD: "The API asked to wait before the next retry.",
    DecisionReason.AUTH_FAILED: "The API refuses the key: a person must fix it.",
    DecisionReason.LOOK_AGAIN_FAILED: "The look right before the retry failed, so it was not sent.",
    DecisionReason.LEDGER_UNAVAILABLE: "The ledger did not answer, and nothing is sent without it.",
    DecisionReason.EPISODE_SPENT: "All retries of this failure are used up: a person is needed.",
    DecisionReason.REFUSED_TWICE: "The API refused two retries in a row: a person is needed.",
    DecisionReason.FORBIDDEN: "The key is accepted, and may not retry (HTTP 403): a person "
    "must give it a role that may.",
}

RETRY_NOW = "A retry is due now."
"""A decision to act has no reason not to."""

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
    Health.NOT_RETRYABLE: "not retryable",
    Health.HEALTHY: "healthy",
    None: "not seen",
}
