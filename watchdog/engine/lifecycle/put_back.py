"""What this process sent, kept so that a ledger that went back to an older state can be told.

A backup may be moved in, or a fail-over may lead to a server that lags. The limits would then be
computed from a ledger that does not know what was sent since.
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
"""As many attempts as the fleet's window of a day may be configured to allow."""


@dataclass(frozen=True, slots=True)
class _Kept:
    """An attempt as it was last told, and when it was reserved, on the monotonic clock."""

    attempt: Attempt
    episode: Episode
    reserved_at: float


_Sent = Mapping[str, _Kept]


@dataclass(frozen=True, slots=True)
class Compared:
    """What was compared with the ledger, and how many attempts were put back into it; None where it
    is where it was."""

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
        # What the last transaction left, as far as it is committed: the next one may be done before
        # anybody hears of that, and whoever asked for it may never do.
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
        """To be called before each transaction."""
        oldest = self._clock.monotonic() - FLEET_DAY.total_seconds()
        if next((kept.reserved_at < oldest for kept in self._sent.values()), False):
            self._sent = {
                key: kept for key, kept in self._sent.items() if kept.reserved_at >= oldest
            }

    def compare(self, tx: LedgerTransaction) -> Compared:
        """Put back into the ledger what it does not know of, before anything else is done with it.

        Where its generation is the one that this process left there is nothing to look for. Where
        it is another one, other processes may have made attempts, and only what lacks tells.
        """
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
        """To be called at the end of the transaction in which that was compared."""
        self._left = generation
        if compared.put_back is not None:
            self._untold = compared.put_back

    def committed(self, compared: Compared, generation: Generation) -> int | None:
        """The transaction in which that was compared has left the ledger so. How many attempts were
        put back, where the ledger went back and nobody was told yet."""
        self._compared, self._generation = compared.sent, generation
        untold, self._untold = self._untold, None
        return untold


def _charged(attempt: Attempt, now: datetime) -> Attempt:
    """It may be sent at this very moment: the latest one is the safe guess, until its answer is
    recorded."""
    if attempt.outcome is not Outcome.PENDING:
        return attempt
    sent_at = max(attempt.reserved_at, now)
    return replace(attempt, outcome=Outcome.UNKNOWN, sent_at=sent_at)


def _closed(episode: Episode, now: datetime) -> Episode:
    """The episode, should the ledger not know it: no target there refers to it, so it is over."""
    return close(episode, EpisodeResult.REMOVED, now) if episode.open else episode
