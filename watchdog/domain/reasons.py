"""Why the watchdog does not act: the text of each reason, and what the reason is about."""

from enum import Enum, StrEnum, auto
from typing import Self


class Scope(Enum):
    """What a reason is about; the value is shown to operators. `retry --force` ignores the reasons
    about one model alone, and `forbidden` as a reason to give up."""

    NOTHING_TO_RETRY = "nothing to retry"
    MODEL = "this model alone"
    FLEET = "all models together"
    NOT_SURE = "the present state is not known"


class _Mark(Enum):
    QUEUED = auto()
    UNCOUNTED = auto()
    PASSING = auto()


class DecisionReason(StrEnum):
    """The same word in logs, ledger and metric labels. The set is closed: a new reason changes the
    public contract.

    Each has a `sentence` for operators, and a `brief` text for places with little room. `queued`:
    only the fleet or the API keeps a target that waits for this reason from a retry, so the target
    has a place in the queue. `counted`: `retry_suppressions_total` counts how often this reason
    begins, and has a series for it from the start. `passing`: it ends by itself within minutes, so
    that operators need not know when it begins.
    """

    sentence: str
    brief: str
    scope: Scope
    queued: bool
    counted: bool
    passing: bool

    def __new__(
        cls,
        word: str,
        scope: Scope = Scope.NOTHING_TO_RETRY,
        sentence: str = "",
        brief: str = "",
        *marks: _Mark,
    ) -> Self:
        """The defaults are needed only for `DecisionReason(word)`, which finds the member."""
        member = str.__new__(cls, word)
        member._value_ = word
        member.scope = scope
        member.sentence = sentence
        member.brief = brief or word.replace("_", " ")
        member.queued = _Mark.QUEUED in marks
        member.counted = _Mark.UNCOUNTED not in marks
        member.passing = _Mark.PASSING in marks
        return member

    # nothing
    UNOBSERVED = (
        "unobserved",
        Scope.NOTHING_TO_RETRY,
        "It was not checked yet, or not since a command, a push or the end of its pause.",
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
        "It is healthy.",
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
        "It has been in progress for longer than stuck_after, with no result: a person is needed.",
        "stuck: in progress for too long",
        _Mark.UNCOUNTED,
    )
    STANDING_FAILURE = (
        "standing_failure",
        Scope.MODEL,
        "It was failing before it was watched. The setting standing says to wait until it changes.",
        "it was failing before it was watched",
    )
    OPTED_OUT = (
        "opted_out",
        Scope.MODEL,
        'A label on its deployment, watchdog: "off", says not to retry it.',
        "opted out by its label",
    )
    # wait
    ATTEMPT_UNDER_WAY = (
        "attempt_under_way",
        Scope.NOTHING_TO_RETRY,
        "A retry is being sent or was sent, and its result is not known yet.",
        "a retry is under way",
        _Mark.UNCOUNTED,
    )
    FIRST_DELAY = (
        "first_delay",
        Scope.MODEL,
        "It failed just now, and a person may be fixing it: the first retry waits.",
        "first delay: a person may be fixing it",
        _Mark.PASSING,
    )
    BACKOFF = (
        "backoff",
        Scope.MODEL,
        "The last retry did not help: the next one waits longer.",
        "backoff: too early after the last retry",
        _Mark.PASSING,
    )
    WINDOW_SPENT = (
        "window_spent",
        Scope.MODEL,
        "The retries of its window are used up: it waits until the oldest has left the window.",
        "its retries of the window are spent",
    )
    FLEET_MINUTE_SPENT = (
        "fleet_minute_spent",
        Scope.FLEET,
        "All models together may send no more retries this minute.",
        "the fleet's retries of the minute are spent",
        _Mark.QUEUED,
        _Mark.PASSING,
    )
    FLEET_IN_FLIGHT = (
        "fleet_in_flight",
        Scope.FLEET,
        "Too many other models hold a place in flight.",
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
        "Many models began to fail at once: at most one at a time is retried, and not this one.",
        "breaker open: many fail at once",
    )
    PAUSED = (
        "paused",
        Scope.MODEL,
        "An operator paused it: the command resume ends that.",
        "paused by an operator",
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
        "the API asked to wait",
        _Mark.QUEUED,
        _Mark.PASSING,
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
        "Right before a retry, a second look or the ledger did not allow it: it is repeated soon.",
        "a check right before the retry did not pass",
    )
    LEDGER_UNAVAILABLE = (
        "ledger_unavailable",
        Scope.NOT_SURE,
        "The ledger did not answer, and nothing is sent without it.",
        "the ledger does not answer",
        _Mark.UNCOUNTED,  # Without the ledger it is not known whether the reason is new.
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
    CAUSE_PERMANENT = (
        "cause_permanent",
        Scope.MODEL,
        "A retry cannot help, by the cause of the failure: an operator is needed.",
        "gave up: a retry cannot help",
    )
    # give up, or wait while the key may retry nothing
    FORBIDDEN = (
        "forbidden",
        Scope.FLEET,
        "The key is accepted but may not retry (HTTP 403): a person must give it a suitable role.",
        "the key may not retry",
        _Mark.QUEUED,
    )
