"""When the next attempt of an episode is due, by the history of that episode alone."""

import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta

from watchdog.domain.causes import Cause
from watchdog.domain.records import Attempt, DecisionReason, Outcome, Policy

_NO_BACKOFF = frozenset({Outcome.ABANDONED, Outcome.THROTTLED})
"""No backoff follows these: the attempt was not sent, or the API's own hold delays the next one."""


def due(
    failing_since: datetime,
    episode_attempts: Sequence[Attempt],
    policy: Policy,
    cause: Cause | None = None,
) -> tuple[datetime, DecisionReason]:
    """The earliest moment of the next attempt, and the reason for the wait until then.

    The first attempt is due `first_delay` after the failure was first seen. A later one is due
    after the backoff, which counts from the observed re-failure, because a build can take longer
    than any timer that starts at the POST. POSTs in a row that were answered but not charged make
    the backoff grow as charged ones do. Otherwise a target whose POSTs the API keeps rejecting
    would be retried at the same pace for ever.
    """
    uncharged = _uncharged_in_a_row(episode_attempts)
    paced = [
        attempt
        for attempt in episode_attempts
        if attempt.outcome not in _NO_BACKOFF
        or (uncharged and attempt.outcome is Outcome.THROTTLED)
    ]
    if not paced:
        return failing_since + policy.first_delay, DecisionReason.FIRST_DELAY
    number = max(sum(attempt.outcome.charged for attempt in paced), uncharged)
    since = max(failing_since, *(each.resolved_at or each.reserved_at for each in paced))
    return since + backoff(paced[-1].episode_id, number, policy, cause), DecisionReason.BACKOFF


def _uncharged_in_a_row(episode_attempts: Sequence[Attempt]) -> int:
    """How many POSTs since the last charged one were answered but not charged. If the newest of
    them is a 429, that one does not count: after it the API's own hold delays the next POST."""
    number, last = 0, None
    for attempt in reversed(episode_attempts):
        if attempt.outcome.charged:
            break
        if attempt.outcome is Outcome.THROTTLED or (
            attempt.outcome is Outcome.FAILED and attempt.sent_at is not None
        ):
            number, last = number + 1, last or attempt.outcome
    return number - 1 if last is Outcome.THROTTLED else number


def backoff(episode_id: str, number: int, policy: Policy, cause: Cause | None = None) -> timedelta:
    """The wait number n: `d` in `[b, b * (1 + jitter)]`. n is usually the number of charged
    attempts; see `due`.

    `b = min(backoff * factor ** (n - 1), backoff_max)`. The jitter is a hash of episode and n, so
    every replica and every restart computes the same moment. A cause may have a backoff of its own.
    """
    own = policy.rule_for(cause or Cause.UNKNOWN)
    base = policy.backoff if own.backoff is None else own.backoff
    most = policy.backoff_max if own.backoff_max is None else own.backoff_max
    factor = policy.backoff_factor if own.backoff_factor is None else own.backoff_factor
    for _ in range(number - 1):
        if base >= most:
            break
        base *= factor
    base = min(base, most)
    return base + base * (policy.jitter * _fraction(f"{episode_id}#{number}"))


def _fraction(text: str) -> float:
    """A stable number in [0, 1) for a text."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:6]) / 2**48
