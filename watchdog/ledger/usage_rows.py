"""The queries about how much of the fleet's limits is used."""

from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    SelectBase,
    and_,
    bindparam,
    distinct,
    func,
    or_,
    select,
    union,
)

from watchdog.domain.limits import FLEET_DAY, FLEET_MINUTE, counts_at
from watchdog.domain.records import LONGEST_IN_FLIGHT, Outcome, Resolution
from watchdog.engine.ports import FleetUsage
from watchdog.ledger.attempt_rows import PENDING, recent, visible, window
from watchdog.ledger.schema import attempts

# Each is built once, because every check and every tick needs it.


@cache
def _sent(*, dated: bool, observe: bool) -> Select[Any]:
    settled = and_(~PENDING, attempts.c.sent_at.is_not(None))
    return select(
        attempts.c.outcome, attempts.c.sent_at, attempts.c.ahead_since, attempts.c.api_date
    ).where(or_(*recent(dated=dated)), settled, visible(observe=observe))


def _in_flight() -> ColumnElement[bool]:
    """See `Attempt.in_flight`: the condition by the ledger's clock."""
    unended = or_(attempts.c.resolved_at.is_(None), attempts.c.presumed)
    until = attempts.c.in_flight_until
    of_older_program = and_(
        until.is_(None), attempts.c.reserved_at > bindparam("longest_before_now")
    )
    return and_(unended, or_(until > bindparam("now"), of_older_program))


def _in_flight_by_date() -> ColumnElement[bool]:
    """See `Attempt.in_flight`: the condition by the API's clock."""
    sent = attempts.c.api_date
    held_for = attempts.c.in_flight_until - attempts.c.reserved_at
    return and_(
        sent > bindparam("longest_before_date"),
        sent <= bindparam("longest_after_date"),
        sent + held_for > bindparam("date", type_=sent.type),
        or_(attempts.c.resolved_at.is_(None), attempts.c.resolution == Resolution.STUCK),
    )


@cache
def _holders(*, dated: bool, observe: bool) -> SelectBase:
    """The models that hold a place in flight. There are two queries so that each can use an
    index."""
    by_time = select(attempts.c.model_id).where(_in_flight(), visible(observe=observe))
    if not dated:
        return by_time
    by_date = select(attempts.c.model_id).where(_in_flight_by_date(), visible(observe=observe))
    return union(by_time, by_date)


@cache
def _under_way(*, dated: bool, observe: bool) -> Select[int, int]:
    """How many attempts are pending, and how many models hold a place in flight."""
    holders = _holders(dated=dated, observe=observe).subquery()
    return select(
        select(func.count()).where(PENDING).scalar_subquery(),
        select(func.count(distinct(holders.c.model_id))).scalar_subquery(),
    )


class UsageQueries:
    """See `ports.UsageRows`."""

    def __init__(self, connection: Connection, now: datetime, *, observe: bool) -> None:
        self._connection = connection
        self._now = now
        self._observe = observe

    def of_fleet(self, *, date: datetime | None, most: int) -> FleetUsage:
        pending, in_flight = self._under_way(date)
        query = _sent(dated=date is not None, observe=self._observe)
        since = window(self._now - FLEET_DAY, None if date is None else date - FLEET_DAY)
        sent = [(self._now, True)] * pending
        for row in self._connection.execute(query, since):
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
            in_flight=in_flight,
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

    def _under_way(self, date: datetime | None) -> tuple[int, int]:
        when = {"now": self._now, "longest_before_now": self._now - LONGEST_IN_FLIGHT}
        if date is not None:
            when |= {
                "date": date,
                "longest_before_date": date - LONGEST_IN_FLIGHT,
                "longest_after_date": date + LONGEST_IN_FLIGHT,
            }
        query = _under_way(dated=date is not None, observe=self._observe)
        pending, in_flight = self._connection.execute(query, when).one()
        return pending, in_flight
