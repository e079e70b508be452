"""Reports when the ledger goes away, when it comes back, and when it went back to an older
state."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TypeVar

from watchdog.engine.events import LedgerBack, LedgerLost, LedgerTransacted, LedgerWentBack
from watchdog.engine.lifecycle.put_back import Compared, SentAttempts
from watchdog.engine.ports import (
    Clock,
    Generation,
    Ledger,
    LedgerTransaction,
    LedgerUnavailable,
    LedgerVersion,
    Listener,
)

T = TypeVar("T")

_QUIET_SECONDS = 10
"""Time without a failure before an outage ends: on a full disk, reads and small writes still
succeed."""


_WORK, _LOCK = "work", "lock"


class WatchedLedger:
    """A ledger that reports the start and the end of each outage. `sent` has to listen to the
    attempts of this process. When the ledger went back to an older state, those attempts are put
    back before anything else is done, and that is reported."""

    def __init__(self, ledger: Ledger, clock: Clock, listener: Listener) -> None:
        self._ledger = ledger
        self._clock = clock
        self._listener = listener
        self._failed_at: float | None = None
        self.sent = SentAttempts(clock)
        # Since when all transactions fail, and since when all requests for the lock fail; None
        # while they do not.
        self._failing_since: dict[str, float] = {}

    @property
    def away_for(self) -> timedelta:
        """For how long all transactions have failed, or all requests for the lock: the longer of
        the two."""
        since = min(self._failing_since.values(), default=None)
        return timedelta(seconds=0 if since is None else self._clock.monotonic() - since)

    @property
    def heartbeat(self) -> timedelta:
        return self._ledger.heartbeat

    def version(self) -> LedgerVersion | None:
        return self._ledger.version()

    async def transact(self, work: Callable[[LedgerTransaction], T]) -> T:
        def whole(tx: LedgerTransaction) -> tuple[T, Compared, Generation]:
            compared = self.sent.compare(tx)
            result = work(tx)
            self.sent.leaving(compared, tx.attempts.generation())
            return result, compared, tx.attempts.generation()

        asked_at = self._clock.monotonic()
        self.sent.forget_old()
        result, compared, generation = await self._watched(_WORK, self._ledger.transact(whole))
        put_back = self.sent.committed(compared, generation)
        if put_back is not None:
            self._listener(LedgerWentBack(put_back=put_back))
        self._listener(LedgerTransacted(duration_seconds=self._clock.monotonic() - asked_at))
        return result

    async def hold_active(self) -> int:
        return await self._watched(_LOCK, self._ledger.hold_active())

    async def release_active(self) -> bool:
        return await self._ledger.release_active()

    async def _watched(self, kind: str, asked: Awaitable[T]) -> T:
        try:
            result = await asked
        except LedgerUnavailable as error:
            if self._failed_at is None:
                self._listener(LedgerLost(error=str(error)))
            self._failed_at = self._clock.monotonic()
            self._failing_since.setdefault(kind, self._failed_at)
            raise
        self._failing_since.pop(kind, None)
        failed_at = self._failed_at
        if failed_at is not None and self._clock.monotonic() - failed_at >= _QUIET_SECONDS:
            self._failed_at = None
            self._listener(LedgerBack())
        return result
