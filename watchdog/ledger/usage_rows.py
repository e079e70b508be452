"""The queries about how much of the fleet's limits is used."""

from datetime import datetime

from sqlalchemy import (
    ColumnElement,
    Connection,
    and_,
    func,
    literal,
    or_,
    select,
    union,
    update,
)

from watchdog.domain.limits import FLEET_DAY, FLEET_MINUTE, RESERVATION_TTL, counts_at
from watchdog.domain.records import LONGEST_IN_FLIGHT, Outcome, Resolution
from watchdog.engine.ports import FleetUsage
from watchdog.ledger.schema import attempts

_PENDING = attempts.c.outcome == Outcome.PENDING
_SENT_OR_RESERVED = func.coalesce(attempts.c.sent_at, attempts.c.reserved_at)


def recent(since: datetime, dated: datetime | None) -> list[ColumnElement[bool]]:
    """What may count in a window that begins then, by either clock: see `limits.counts_at`."""
    sent = and_(_reserved_after(since), since <= _SENT_OR_RESERVED)
    return [sent] if dated is None else [sent, attempts.c.api_date >= dated]


def _reserved_after(sent: datetime) -> ColumnElement[bool]:
    """What the index can use: nothing is sent later than this after its reservation."""
    return attempts.c.reserved_at >= sent - RESERVATION_TTL


class UsageQueries:
    """The part of a transaction that is about the use of the fleet's limits."""

    _connection: Connection
    _now: datetime
    _visible: ColumnElement[bool]

    def fleet_usage(self, *, date: datetime | None, most: int) -> FleetUsage:
        pending = self._connection.scalar(select(func.count()).where(_PENDING)) or 0
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

    def _models_in_flight(self, date: datetime | None) -> set[str]:
        """Which targets hold a place. Each of the two conditions has an index."""
        by_time = select(attempts.c.model_id).where(self._in_flight(), self._visible)
        if date is None:
            return set(self._connection.scalars(by_time))
        by_date = select(attempts.c.model_id).where(self._in_flight_by(date), self._visible)
        return set(self._connection.scalars(union(by_time, by_date)))

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

    def _in_flight(self) -> ColumnElement[bool]:
        """See `Attempt.in_flight`: what the ledger's time says."""
        unended = or_(attempts.c.resolved_at.is_(None), attempts.c.presumed)
        until = attempts.c.in_flight_until
        of_older_program = and_(
            until.is_(None), attempts.c.reserved_at > self._now - LONGEST_IN_FLIGHT
        )
        return and_(unended, or_(until > self._now, of_older_program))

    def _note_ahead(self) -> None:
        now, noted = self._now, attempts.c.ahead_since
        ahead = and_(_reserved_after(now), now < _SENT_OR_RESERVED)
        news = and_(ahead, or_(noted.is_(None), noted > now))
        over = and_(noted.is_not(None), now >= _SENT_OR_RESERVED)
        for which, since in ((news, now), (over, None)):
            self._connection.execute(update(attempts).where(which).values(ahead_since=since))
