"""The queries about how much of the fleet's limits is used."""

from datetime import datetime

from sqlalchemy import (
    ColumnElement,
    Connection,
    and_,
    distinct,
    func,
    literal,
    or_,
    select,
    union,
)

from watchdog.domain.limits import FLEET_DAY, FLEET_MINUTE, counts_at
from watchdog.domain.records import LONGEST_IN_FLIGHT, Outcome, Resolution
from watchdog.engine.ports import FleetUsage
from watchdog.ledger.attempt_rows import PENDING, recent
from watchdog.ledger.schema import attempts


class UsageQueries:
    """See `ports.UsageRows`."""

    def __init__(self, connection: Connection, now: datetime, visible: ColumnElement[bool]) -> None:
        self._connection = connection
        self._now = now
        self._visible = visible

    def of_fleet(self, *, date: datetime | None, most: int) -> FleetUsage:
        pending = self._connection.scalar(select(func.count()).where(PENDING)) or 0
        dated = None if date is None else date - FLEET_DAY
        settled = and_(attempts.c.outcome != Outcome.PENDING, attempts.c.sent_at.is_not(None))
        query = select(
            attempts.c.outcome, attempts.c.sent_at, attempts.c.ahead_since, attempts.c.api_date
        ).where(or_(*recent(self._now - FLEET_DAY, dated)), settled, self._visible)
        sent = [(self._now, True)] * pending
        for row in self._connection.execute(query):
            at = counts_at(
                row.sent_at,
                self._now,
                ahead_since=row.ahead_since,
                api_date=row.api_date,
                date=date,
            )
            sent.append((at, Outcome(row.outcome).charged))
        sent.sort()
        minute, day = self._now - FLEET_MINUTE, self._now - FLEET_DAY
        return FleetUsage(
            in_flight=len(self._models_in_flight(date)),
            sent=tuple(at for at, _ in sent if at >= minute)[-most:],
            charged=tuple(at for at, charged in sent if charged and at >= day)[-most:],
        )

    def forbidden_models(self, key_mark: str) -> int:
        said_otherwise = (
            select(func.max(attempts.c.sent_at))
            .where(attempts.c.outcome.in_((Outcome.ACCEPTED, Outcome.REFUSED)))
            .scalar_subquery()
        )
        query = select(func.count(distinct(attempts.c.model_id))).where(
            attempts.c.forbidden_key == key_mark,
            or_(said_otherwise.is_(None), attempts.c.sent_at > said_otherwise),
        )
        return self._connection.scalar(query) or 0

    def _models_in_flight(self, date: datetime | None) -> set[str]:
        """Which targets hold a place. Each of the two conditions has an index."""
        by_time = select(attempts.c.model_id).where(self._in_flight(), self._visible)
        if date is None:
            return set(self._connection.scalars(by_time))
        by_date = select(attempts.c.model_id).where(self._in_flight_by(date), self._visible)
        return set(self._connection.scalars(union(by_time, by_date)))

    def _in_flight(self) -> ColumnElement[bool]:
        """See `Attempt.in_flight`: what the ledger's time says."""
        unended = or_(attempts.c.resolved_at.is_(None), attempts.c.presumed)
        until = attempts.c.in_flight_until
        of_older_program = and_(
            until.is_(None), attempts.c.reserved_at > self._now - LONGEST_IN_FLIGHT
        )
        return and_(unended, or_(until > self._now, of_older_program))

    @staticmethod
    def _in_flight_by(date: datetime) -> ColumnElement[bool]:
        """See `Attempt.in_flight`: what the API's clock says."""
        sent = attempts.c.api_date
        held_for = attempts.c.in_flight_until - attempts.c.reserved_at
        return and_(
            sent > date - LONGEST_IN_FLIGHT,
            sent <= date + LONGEST_IN_FLIGHT,
            sent + held_for > literal(date, sent.type),
            or_(attempts.c.resolved_at.is_(None), attempts.c.resolution == Resolution.STUCK),
        )
