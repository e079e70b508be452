"""One transaction of the ledger, composed of the queries for each kind of row."""

from collections.abc import Callable
from datetime import datetime, timedelta

from sqlalchemy import Connection, and_, case, delete, exists, literal, or_, select, update

from watchdog.ledger.action_rows import ActionQueries
from watchdog.ledger.attempt_rows import AttemptQueries
from watchdog.ledger.breakage_rows import BreakageQueries
from watchdog.ledger.breaker_rows import BreakerQueries
from watchdog.ledger.episode_rows import EpisodeQueries
from watchdog.ledger.finding_rows import FindingQueries
from watchdog.ledger.meta_rows import MetaQueries
from watchdog.ledger.notice_rows import NoticeQueries
from watchdog.ledger.queue_rows import QueueQueries
from watchdog.ledger.replica_rows import ReplicaQueries
from watchdog.ledger.schema import PAST, attempts, episodes, findings, targets
from watchdog.ledger.status_rows import StatusQueries
from watchdog.ledger.target_rows import TargetQueries
from watchdog.ledger.usage_rows import UsageQueries


class SqlTransaction:
    """See `ports.LedgerTransaction`. `now` was read when the transaction held its lock."""

    def __init__(
        self,
        connection: Connection,
        now: datetime,
        *,
        observe: bool,
        knows_dead: Callable[[str, timedelta], bool],
    ) -> None:
        self._connection = connection
        self._now = now
        self._knows_dead = knows_dead
        self.meta = MetaQueries(connection)
        self.actions = ActionQueries(connection, now)
        self.episodes = EpisodeQueries(connection)
        self.findings = FindingQueries(connection)
        self.targets = TargetQueries(connection, now, self.episodes, self.actions)
        self.statuses = StatusQueries(connection)
        self.breakages = BreakageQueries(connection)
        self.queue = QueueQueries(connection)
        self.attempts = AttemptQueries(connection, now, self.meta, observe=observe)
        self.usage = UsageQueries(connection, now, observe=observe)
        self.replicas = ReplicaQueries(connection)
        self.notices = NoticeQueries(connection)
        self.breaker = BreakerQueries(connection, observe=observe)

    def now(self) -> datetime:
        return self._now

    def knows_dead(self, owner: str, waited: timedelta) -> bool:
        return self._knows_dead(owner, waited)

    def clamp_future(self) -> None:
        self.attempts.clamp_places()
        for table, names in PAST.items():
            ahead = {name: table.c[name] > self._now for name in names}
            clamped = {
                name: case((is_ahead, literal(self._now, table.c[name].type)), else_=table.c[name])
                for name, is_ahead in ahead.items()
            }
            self._connection.execute(update(table).where(or_(*ahead.values())).values(clamped))
        self.attempts.note_ahead()

    def prune(self, before: datetime, *, dated: datetime | None = None) -> int:
        current = select(targets.c.episode_id).where(targets.c.episode_id.is_not(None))
        is_old = and_(episodes.c.ended_at < before, episodes.c.id.not_in(current))
        if dated is not None:
            later = (attempts.c.episode_id == episodes.c.id, attempts.c.api_date > dated)
            is_old = and_(is_old, ~exists().where(*later))
        of_old = attempts.c.episode_id.in_(select(episodes.c.id).where(is_old))
        gone = self._connection.execute(delete(attempts).where(of_old)).rowcount
        found = findings.c.episode_id.in_(select(episodes.c.id).where(is_old))
        self._connection.execute(delete(findings).where(found))
        gone += self._connection.execute(delete(episodes).where(is_old)).rowcount
        gone += self.breaker.prune(before) + self.statuses.prune(before)
        return gone + self.breakages.prune(before)
