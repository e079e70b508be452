"""The result of an attempt: the outcome that each answer and each error of the API is recorded
as."""

from dataclasses import dataclass, replace
from datetime import datetime

from watchdog.domain.records import Attempt, Hold, Outcome, Resolution
from watchdog.engine.look import Look
from watchdog.engine.ports import (
    AnswerLost,
    ApiError,
    Denied,
    Forbidden,
    NotSent,
    RetryAnswer,
    Throttled,
)


@dataclass(frozen=True, slots=True)
class Sent:
    """The attempt with its outcome, whether or not it was sent. `answer`: the valid 2xx answer, if
    there was one. `look`: the second look, if the attempt was abandoned because of it. `throttled`:
    the hold that a 429 asked for."""

    attempt: Attempt
    answer: RetryAnswer | None = None
    look: Look | None = None
    throttled: Hold | None = None


def answered(attempt: Attempt, answer: RetryAnswer, at: datetime) -> Sent:
    """A valid 2xx answer."""
    if not answer.retried:
        return Sent(_closed(attempt, Outcome.REFUSED, answer.reason, at), answer)
    accepted = replace(attempt, outcome=Outcome.ACCEPTED, answered_at=at, reason=answer.reason)
    return Sent(accepted, answer)


def failed(attempt: Attempt, error: ApiError, at: datetime, key_mark: str) -> Sent:
    """The POST ended with an error. `key_mark` is the mark of the key that was used."""
    reason = str(error)
    match error:
        case NotSent():
            return Sent(_closed(replace(attempt, sent_at=None), Outcome.FAILED, reason, at))
        case Forbidden():
            forbidden = replace(attempt, forbidden_key=key_mark)
            return Sent(_closed(forbidden, Outcome.FAILED, reason, at))
        case Denied():
            return Sent(_closed(attempt, Outcome.FAILED, reason, at))
        case Throttled():
            closed = _closed(attempt, Outcome.THROTTLED, reason, at)
            return Sent(closed, throttled=error.hold)
        case AnswerLost():
            return Sent(replace(attempt, outcome=Outcome.UNKNOWN, reason=reason))
        case _:
            return Sent(_closed(attempt, Outcome.REFUSED, reason, at))


def abandoned(attempt: Attempt, reason: str, at: datetime, look: Look | None = None) -> Sent:
    """It was surely never sent."""
    never_sent = replace(attempt, sent_at=None)
    return Sent(_closed(never_sent, Outcome.ABANDONED, reason, at), look=look)


def _closed(attempt: Attempt, outcome: Outcome, reason: str | None, at: datetime) -> Attempt:
    """The attempt, resolved at once: it has no effect to watch for."""
    return replace(
        attempt,
        outcome=outcome,
        answered_at=at,
        reason=reason,
        resolution=Resolution.ANSWERED,
        resolved_at=at,
    )
