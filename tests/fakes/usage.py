"""The fleet's use of its limits, counted from attempts in memory."""

from collections.abc import Iterable
from datetime import datetime

from watchdog.domain.limits import FLEET_DAY, FLEET_MINUTE, charged_at
from watchdog.domain.records import Attempt, Fleet, FleetLimits, Hold, Outcome
from watchdog.engine.ports import FleetUsage


def usage_of(
    attempts: Iterable[Attempt], now: datetime, *, date: datetime | None, most: int
) -> FleetUsage:
    """What `LedgerTransaction.usage.of_fleet` returns if these are all attempts."""
    every = tuple(attempts)
    sent = sorted(
        (charged_at(each, now, date), each.outcome.charged)
        for each in every
        if each.outcome is Outcome.PENDING or each.sent_at is not None
    )
    minute, day = now - FLEET_MINUTE, now - FLEET_DAY
    return FleetUsage(
        in_flight=len({each.model_id for each in every if each.in_flight(now, date)}),
        sent=tuple(at for at, _ in sent if at >= minute)[-most:],
        charged=tuple(at for at, charged in sent if charged and at >= day)[-most:],
    )


def fleet_from(
    attempts: Iterable[Attempt],
    limits: FleetLimits,
    now: datetime,
    *,
    hold: Hold | None = None,
    date: datetime | None = None,
) -> Fleet:
    """The fleet as the engine would load it."""
    used = usage_of(attempts, now, date=date, most=limits.most)
    return Fleet(limits, used.in_flight, used.sent, used.charged, hold=hold, date=date)
