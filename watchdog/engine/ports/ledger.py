"""The ledger, its transactions, and its errors."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Protocol, TypeVar

from watchdog.engine.ports.attempts import AttemptRows, UsageRows
from watchdog.engine.ports.breaker import BreakerRows
from watchdog.engine.ports.episodes import EpisodeRows, FindingRows
from watchdog.engine.ports.notices import NoticeRows
from watchdog.engine.ports.operators import ActionRows
from watchdog.engine.ports.replicas import ReplicaRows
from watchdog.engine.ports.targets import BreakageRows, QueueRows, StatusRows, TargetRows
from watchdog.text.untrusted import clean

T = TypeVar("T")

LedgerVersion = object
"""Two versions that one process read are equal only if no process, including that one, has
committed a change in between."""


class LedgerUnavailable(Exception):
    """The ledger cannot be read or written now. Send nothing; try again later.

    The message is cleaned to one line: a database's message and a file's name may contain anything.
    """

    def __init__(self, message: str) -> None:
        super().__init__(clean(message))


class VersionConflict(Exception):
    """Another process or task recorded a change of the target first. Look again."""


class MetaRows(Protocol):
    """What is true of the ledger as a whole: texts by key."""

    def get(self, key: str) -> str | None: ...

    def set(self, key: str, value: str) -> None: ...


class LedgerTransaction(Protocol):
    """Reads and writes rows, with one property for each kind of row. Either all of its writes are
    stored or none. It contains no rules.

    Each transaction belongs to one mode, observe or retry.
    """

    def now(self) -> datetime:
        """The present time, read after the transaction took its lock; it stays the same during the
        transaction."""

    def knows_dead(self, owner: str, waited: timedelta) -> bool:
        """Whether a process that gave its last sign of life `waited` ago can no longer send what it
        had reserved by then."""

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
    def notices(self) -> NoticeRows: ...

    @property
    def breaker(self) -> BreakerRows: ...

    @property
    def meta(self) -> MetaRows: ...

    def clamp_future(self) -> None:
        """Correct times after the clock was set back. Times in the future from which delays count
        are set to now. For an attempt that was sent in the future, `ahead_since` is set to now if
        it was not set before, and cleared when the attempt no longer lies in the future."""

    def prune(self, before: datetime, *, dated: datetime | None = None) -> int:
        """Delete what ended before then, and return the number of rows: closed episodes with their
        attempts and findings, unless one of the attempts is later than `dated` by the API's clock;
        openings of the breaker with their canaries; statuses that were followed by another one
        before then; breakages."""


class Ledger(Protocol):
    """The durable record. The limits are computed from it alone."""

    @property
    def heartbeat(self) -> timedelta:
        """How often a daemon has to write that it is alive."""

    async def transact(self, work: Callable[[LedgerTransaction], T]) -> T:
        """Run `work` in one serialised, durable transaction, and roll back if it raises.

        Raises LedgerUnavailable. Errors of `work` pass through, and so does a database's error
        about a value that it cannot store, which is a bug and not an outage. Transactions never
        overlap. If a caller is cancelled, only the result is lost: the work still runs in its turn.
        """

    def version(self) -> LedgerVersion | None:
        """The present version, read without waiting for another process; None if only a transaction
        can tell whether the rows have changed."""

    async def hold_active(self) -> int:
        """Become or stay the active process, and return the number of its term; 0 while another
        process is active. The number changes whenever another process may have been active in
        between. Raises LedgerUnavailable when the ledger cannot answer."""

    async def release_active(self) -> bool:
        """Let another process become active. Returns False if there can be no other."""
