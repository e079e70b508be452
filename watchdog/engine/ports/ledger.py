"""The ledger, its transactions, and its errors."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Protocol, TypeVar

from watchdog.engine.ports.attempts import AttemptRows, UsageRows
from watchdog.engine.ports.breaker import BreakerRows
from watchdog.engine.ports.episodes import EpisodeRows, FindingRows
from watchdog.engine.ports.operators import ActionRows
from watchdog.engine.ports.replicas import ReplicaRows
from watchdog.engine.ports.targets import BreakageRows, QueueRows, StatusRows, TargetRows
from watchdog.text.untrusted import clean

T = TypeVar("T")


class LedgerUnavailable(Exception):
    """The ledger cannot be read or written now. Send nothing; try again later.

    The text is one line for people: a database's words and a file's name may hold anything.
    """

    def __init__(self, message: str) -> None:
        super().__init__(clean(message))


class VersionConflict(Exception):
    """Somebody else recorded a change of the target first. Look again."""


class MetaRows(Protocol):
    """What is true of the ledger as a whole: texts by key."""

    def get(self, key: str) -> str | None: ...

    def set(self, key: str, value: str) -> None: ...


class LedgerTransaction(Protocol):
    """Rows in, rows out, all or nothing, by noun. No judgement lives behind it.

    Transactions are of one mode, observe or retry.
    """

    def now(self) -> datetime:
        """The present time, read after the transaction's lock is held; the same all through it."""

    def knows_dead(self, owner: str, waited: timedelta) -> bool:
        """Whether an owner that was last heard from this long ago can no longer send what it had
        reserved by then."""

    @property
    def targets(self) -> TargetRows: ...

    @property
    def statuses(self) -> StatusRows: ...

    @property
    def breakages(self) -> BreakageRows: ...

    @property
    def queue(self) -> QueueRows: ...

    @property
    def episodes(self) -> EpisodeRows: ...

    @property
    def findings(self) -> FindingRows: ...

    @property
    def attempts(self) -> AttemptRows: ...

    @property
    def usage(self) -> UsageRows: ...

    @property
    def actions(self) -> ActionRows: ...

    @property
    def replicas(self) -> ReplicaRows: ...

    @property
    def breaker(self) -> BreakerRows: ...

    @property
    def meta(self) -> MetaRows: ...

    def clamp_future(self) -> None:
        """The clock was set back: move times that delays are counted from and that lie in the
        future to now. For an attempt that was sent in the future, write instead since when that is
        known (now, if it was not known before), and clear that when it no longer lies in the
        future."""

    def prune(self, before: datetime, *, dated: datetime | None = None) -> int:
        """Delete the closed episodes that ended before with their attempts, unless one of these is
        later than `dated` by the API's clock, the openings of the breaker that closed before with
        their canaries, the statuses that had given way to another before, and the breakages that
        ended before; how many rows went.
        """


class Ledger(Protocol):
    """The durable record, and the only thing the limits are computed from."""

    async def transact(self, work: Callable[[LedgerTransaction], T]) -> T:
        """Run `work` in one serialised, durable transaction, and roll back if it raises.

        Raises LedgerUnavailable; what `work` raises passes through, and so does what the database
        says of a value that it cannot store, which is a bug and no outage. Transactions never
        overlap. A caller that is cancelled gives up the result and not the work, which runs in its
        turn.
        """

    async def hold_active(self) -> int:
        """0 while another process is active. If none is, this process becomes active, and the
        result is the number of its term. The number changes whenever another process may have been
        active in between. Raises LedgerUnavailable when the ledger cannot answer."""

    async def release_active(self) -> bool:
        """Let another process become active; False if there can be no other."""
