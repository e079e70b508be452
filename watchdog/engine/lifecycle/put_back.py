"""The attempts that this process sent, kept so that they can be put back into a ledger that went
back to an older state.

A backup may be moved in, or a fail-over may lead to a server that lags. Without this, the limits
would be computed from a ledger that lacks the latest attempts.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from watchdog.domain.limits import FLEET_DAY
from watchdog.domain.records import Attempt, Episode, EpisodeResult, Outcome
from watchdog.domain.step import close
from watchdog.engine.events import Event, RetryAnswered, RetryReserved
from watchdog.engine.ports import Clock, Generation, LedgerTransaction

_MOST = 10_000
"""The largest value that `fleet.max_attempts_per_window` may be configured to."""


@dataclass(frozen=True, slots=True)
class _Kept:
    """An attempt as it was last reported, and when it was reserved, on the monotonic clock."""

    attempt: Attempt
    episode: Episode
    reserved_at: float


_Sent = Mapping[str, _Kept]


@dataclass(frozen=True, slots=True)
class Compared:
    """What was compared with the ledger, and how many attempts were put back into it; None if the
    ledger did not go back."""

    sent: _Sent
    put_back: int | None


class SentAttempts:
    """Listens for the attempts that this process reserves; each is kept for 24 h unless it was
    surely not sent."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        # Replaced and never changed: transactions may run in another thread.
        self._sent: _Sent = {}
        self._compared: _Sent = self._sent
        self._generation: Generation | None = None
        # The generation that the last transaction left, if it was committed. The next transaction
        # may run before its caller learns of that, and a caller that was cancelled never does.
        self._left: Generation | None = None
        self._untold: int | None = None

    def __call__(self, event: Event) -> None:
        match event:
            case RetryReserved() if event.target.episode is not None:
                self._keep(_Kept(event.attempt, event.target.episode, self._clock.monotonic()))
            case RetryAnswered() if event.attempt.id in self._sent:
                if event.attempt.sent_at is None:
                    surely_not = event.attempt.id
                    self._sent = {k: kept for k, kept in self._sent.items() if k != surely_not}
                else:
                    self._keep(replace(self._sent[event.attempt.id], attempt=event.attempt))

    def _keep(self, kept: _Kept) -> None:
        newest = {**self._sent, kept.attempt.id: kept}
        self._sent = dict(list(newest.items())[-_MOST:])

    def forget_old(self) -> None:
        """Forget what is older than 24 h. Call this before each transaction."""
        oldest = self._clock.monotonic() - FLEET_DAY.total_seconds()
        if next((kept.reserved_at < oldest for kept in self._sent.values()), False):
            self._sent = {
                key: kept for key, kept in self._sent.items() if kept.reserved_at >= oldest
            }

    def compare(self, tx: LedgerTransaction) -> Compared:
        """Put back the attempts that the ledger lacks, before anything else is done with it. If the
        generation is the one that this process left, nothing can be lacking. If it is another one,
        other processes may have made attempts, and only a lacking row shows that the ledger went
        back."""
        sent, before, found = self._sent, self._generation, tx.attempts.generation()
        if before is None or (found == before and sent is self._compared):
            return Compared(sent, None)
        lacking, now = tx.attempts.without_row(sent.keys()), tx.now()
        if not lacking and (found == self._left or found.number >= before.number):
            return Compared(sent, None)
        tx.attempts.put_back(
            [
                (_charged(kept.attempt, now), _closed(kept.episode, now))
                for attempt_id, kept in sent.items()
                if attempt_id in lacking
            ]
        )
        for pending in tx.attempts.pending():
            kept = sent.get(pending.id)
            if kept is not None and kept.attempt.outcome is not Outcome.PENDING:
                tx.attempts.record_answer(kept.attempt)
        return Compared(sent, len(lacking))

    def leaving(self, compared: Compared, generation: Generation) -> None:
        """Note the generation at the end of the transaction that compared."""
        self._left = generation
        if compared.put_back is not None:
            self._untold = compared.put_back

    def committed(self, compared: Compared, generation: Generation) -> int | None:
        """The transaction that compared is committed. Returns how many attempts were put back if
        the ledger went back and that was not reported yet."""
        self._compared, self._generation = compared.sent, generation
        untold, self._untold = self._untold, None
        return untold


def _charged(attempt: Attempt, now: datetime) -> Attempt:
    """A pending attempt is written as `unknown` and as sent now, because it may be sent at this
    moment. Its real outcome replaces that later."""
    if attempt.outcome is not Outcome.PENDING:
        return attempt
    sent_at = max(attempt.reserved_at, now)
    return replace(attempt, outcome=Outcome.UNKNOWN, sent_at=sent_at)


def _closed(episode: Episode, now: datetime) -> Episode:
    """The episode as it is written if the ledger does not have it: closed, because no target in the
    ledger refers to it."""
    return close(episode, EpisodeResult.REMOVED, now) if episode.open else episode
