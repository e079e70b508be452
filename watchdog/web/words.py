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


class State(NamedTuple):
    """`text` is the word that the commands and the metrics have too. `tone` selects the colour in
    the style sheet."""

    text: str
    tone: str
    sentence: str


def _state(state: TargetState, tone: str, sentence: str) -> tuple[TargetState, State]:
    return state, State(state.value, tone, sentence)


STATES = dict(
    (
        _state(TargetState.EXHAUSTED, "bad", "It is failing, and the watchdog gave up."),
        _state(TargetState.STUCK, "bad", "It has been in progress for too long."),
        _state(
            TargetState.BROKEN, "bad", "It does not work, is not retried, and nobody stopped it."
        ),
        _state(TargetState.MISSING, "bad", "The model or its development deployment is gone."),
        _state(TargetState.WAITING, "warn", "It is failing, and is not retried yet."),
        _state(TargetState.RECOVERING, "busy", "It was retried, with no result yet."),
        _state(TargetState.PAUSED, "hand", "An operator paused its retries."),
        _state(TargetState.NOT_RETRYABLE, "odd", "It was stopped or deactivated."),
        _state(TargetState.UNKNOWN, "odd", "It was not seen yet."),
        _state(TargetState.IN_PROGRESS, "busy", "It builds or starts."),
        _state(TargetState.IGNORED, "odd", "A label on its deployment opts it out."),
        _state(TargetState.HEALTHY, "good", "It works."),
    )
)

NOT_WATCHED = State("not watched", "odd", "It is not watched any more.")
"""In place of the state of a model that left the configuration or discovery."""

RETRY_NOW = "A retry is due now."
"""Shown in place of a reason, because a decision to retry has no reason."""

OUTCOMES = {
    Outcome.PENDING: "being sent",
    Outcome.ACCEPTED: "accepted",
    Outcome.REFUSED: "refused",
    Outcome.THROTTLED: "too many requests",
    Outcome.ABANDONED: "not sent after all",
    Outcome.FAILED: "not executed",
    Outcome.UNKNOWN: "answer lost",
    Outcome.DRY_RUN: "would have been sent",
}

RESOLUTIONS = {
    Resolution.ANSWERED: "nothing to wait for",
    Resolution.RECOVERED: "it recovered",
    Resolution.REFAILED: "it failed again",
    Resolution.STUCK: "nothing came of it",
    Resolution.SUPERSEDED: "an operator acted",
    Resolution.REMOVED: "no longer watched, or its failure ended",
}

RESULTS = {
    EpisodeResult.RECOVERED: "recovered",
    EpisodeResult.SUPERSEDED: "an operator acted",
    EpisodeResult.REPLACED: "a new deployment was pushed",
    EpisodeResult.REMOVED: "missing, or no longer watched",
    EpisodeResult.RESET: "an operator reset it",
}

ACTIONS = {
    ActionKind.PAUSE: "paused it",
    ActionKind.RESUME: "ended the pause",
    ActionKind.RESET: "reset its attempts",
    ActionKind.RETRY: "asked for a retry",
}

HEALTHS = {
    Health.FAILING: "failing",
    Health.IN_PROGRESS: "in progress",
    Health.BROKEN: "broken",
    Health.NOT_RETRYABLE: "not retryable",
    Health.HEALTHY: "healthy",
    None: "not seen",
}
