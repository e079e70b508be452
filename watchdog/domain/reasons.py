"""Why the watchdog does not act: each reason in words, and what it is about."""

from enum import Enum, StrEnum, auto
from typing import Self


class Scope(Enum):
    """What a reason is about; the value says it to people. `retry --force` passes those about the
    model alone."""

    NOTHING_TO_RETRY = "nothing to retry"
    MODEL = "this model alone"
    FLEET = "all models together"
    NOT_SURE = "nobody could be sure"


class _Mark(Enum):
    QUEUED = auto()
    UNCOUNTED = auto()


class DecisionReason(StrEnum):
    """The same word in logs, ledger and metric labels. Closed: adding one is a change of the public
    contract.

    Each has a `sentence` for people, and a `brief` text for where there is little room. `queued`:
    whoever waits for it would be retried now if it were alone. `counted`:
    `retry_suppressions_total` counts how often it sets in, and has it from the start.
    """

    sentence: str
    brief: str
    scope: Scope
    queued: bool
    counted: bool

    def __new__(
        cls,
        word: str,
        scope: Scope = Scope.NOTHING_TO_RETRY,
        sentence: str = "",
        brief: str = "",
        *marks: _Mark,
    ) -> Self:
        """The defaults are for `DecisionReason(word)` alone, which finds the member."""
        member = str.__new__(cls, word)
        member._value_ = word
        member.scope = scope
        member.sentence = sentence
        member.brief = brief or word.replace("_", " ")
        member.queued = _Mark.QUEUED in marks
        member.counted = _Mark.UNCOUNTED not in marks
        return member

    # nothing
    UNOBSERVED = (
        "unobserved",
        Scope.NOTHING_TO_RETRY,
        "It has not been looked at yet.",
        "not seen yet",
        _Mark.UNCOUNTED,
    )
    MISSING = (
        "missing",
        Scope.NOTHING_TO_RETRY,
        "The API knows no such model, or it has no development deployment.",
    )
    HEALTHY = (
        "healthy",
        Scope.NOTHING_TO_RETRY,
        "It is well.",
        "healthy",
        _Mark.UNCOUNTED,
    )
    IN_PROGRESS = (
        "in_progress",
        Scope.NOTHING_TO_RETRY,
        "It builds or starts: there is nothing to retry.",
        "in progress",
        _Mark.UNCOUNTED,
    )
    NOT_RETRYABLE = (
        "not_retryable",
        Scope.NOTHING_TO_RETRY,
        "It was stopped or deactivated, so it is not retried.",
        "not retryable",
        _Mark.UNCOUNTED,
    )
    BROKEN = (
        "broken",
        Scope.NOTHING_TO_RETRY,
        "It does not work, nobody stopped it, and its status is not retried: a person is needed.",
        "broken",
        _Mark.UNCOUNTED,
    )
    STUCK = (
        "stuck",
        Scope.NOTHING_TO_RETRY,
        "It has been on its way for longer than stuck_after, without a result: a person is needed.",
        "stuck: on its way for too long",
        _Mark.UNCOUNTED,
    )
    STANDING_FAILURE = (
        "standing_failure",
        Scope.MODEL,
        "It failed before anyone watched: by the setting standing it waits until it changes.",
        "it failed before anyone watched",
    )
    OPTED_OUT = (
        "opted_out",
        Scope.MODEL,
        'A label on its deployment, watchdog: "off", asks to leave it alone.',
        "opted out by its label",
    )
    # wait
    ATTEMPT_UNDER_WAY = (
        "attempt_under_way",
        Scope.NOTHING_TO_RETRY,
        "A retry was sent, and its result is not known yet.",
        "a retry is under way",
        _Mark.UNCOUNTED,
    )
    FIRST_DELAY = (
        "first_delay",
        Scope.MODEL,
        "It failed just now, and a person may be fixing it: the first retry waits.",
        "first delay: a person may be fixing it",
    )
    BACKOFF = (
        "backoff",
        Scope.MODEL,
        "The last retry did not help: the next one waits longer.",
        "backoff: too early after the last retry",
    )
    WINDOW_SPENT = (
        "window_spent",
        Scope.MODEL,
        "The retries of its window are used up: it waits until the oldest has left the window.",
        "its retries of the day are spent",
    )
    FLEET_MINUTE_SPENT = (
        "fleet_minute_spent",
        Scope.FLEET,
        "All models together may send no more retries this minute.",
        "the fleet's retries of the minute are spent",
        _Mark.QUEUED,
    )
    FLEET_IN_FLIGHT = (
        "fleet_in_flight",
        Scope.FLEET,
        "Too many retries of other models are under way.",
        "too many retries of the fleet under way",
        _Mark.QUEUED,
    )
    FLEET_WINDOW_SPENT = (
        "fleet_window_spent",
        Scope.FLEET,
        "All models together have used up the day's retries.",
        "the fleet's retries of the day are spent",
        _Mark.QUEUED,
    )
    BREAKER_OPEN = (
        "breaker_open",
        Scope.FLEET,
        "Many models began to fail at once: one is tried at a time, and this is another's turn.",
        "breaker open: many fail at once",
    )
    PAUSED = (
        "paused",
        Scope.MODEL,
        "A person said hands off: the command resume ends that.",
        "paused by a person",
    )
    OUTSIDE_ALLOWED_TIMES = (
        "outside_allowed_times",
        Scope.MODEL,
        "The setting allowed_times allows no retries at this time.",
        "outside its allowed times",
    )
    API_HELD = (
        "api_held",
        Scope.FLEET,
        "The API asked to wait before the next retry.",
        "the API asked for quiet",
        _Mark.QUEUED,
    )
    AUTH_FAILED = (
        "auth_failed",
        Scope.FLEET,
        "The API refuses the key: a person must fix it.",
        "the API refuses the key",
        _Mark.QUEUED,
    )
    LOOK_AGAIN_FAILED = (
        "look_again_failed",
        Scope.NOT_SURE,
        "The look right before the retry failed, so it was not sent.",
        "could not look again before retrying",
    )
    LEDGER_UNAVAILABLE = (
        "ledger_unavailable",
        Scope.NOT_SURE,
        "The ledger did not answer, and nothing is sent without it.",
        "the ledger is away",
        _Mark.UNCOUNTED,  # Told as a picture only: without the ledger nobody knows if it is news.
    )
    # give up
    EPISODE_SPENT = (
        "episode_spent",
        Scope.MODEL,
        "All retries of this failure are used up: a person is needed.",
        "gave up: retries spent",
    )
    REFUSED_TWICE = (
        "refused_twice",
        Scope.MODEL,
        "The API refused two retries in a row: a person is needed.",
        "gave up: refused twice",
    )
    # give up, or wait while the key may retry nothing
    FORBIDDEN = (
        "forbidden",
        Scope.FLEET,
        "The key is accepted, and may not retry (HTTP 403): a person must give it a role that may.",
        "the key may not retry",
        _Mark.QUEUED,
    )
