"""The fleet's use of its limits, counted from attempts in memory."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from watchdog.domain.limits import FLEET_DAY, FLEET_MINUTE, charged_at
from watchdog.domain.records import Attempt, Fleet, FleetLimits, Hold, Outcome
from watchdog.engine.ports import FleetUsage


def usage_of(
    attempts: Iterable[Attempt], now: datetime, *, date: datetime | None, most: int
) -> FleetUsage:
    """What `LedgerTransaction.fleet_usage` says where these are all attempts."""
    every = tuple(attempts)
    sent = [each for each in every if each.outcome is Outcome.PENDING or each.sent_at is not None]
    charged = [each for each in sent if each.outcome.charged]

    def newest(counted: Sequence[Attempt], span: timedelta) -> tuple[datetime, ...]:
        times = (charged_at(each, now, date) for each in counted)
        return tuple(sorted(at for at in times if at >= now - span)[-most:])

    return FleetUsage(
        in_flight=len({each.model_id for each in every if each.in_flight(now, date)}),
        sent=newest(sent, FLEET_MINUTE),
        charged=newest(charged, FLEET_DAY),
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
    most = max(limits.max_attempts_per_window, limits.max_retries_per_minute)
    used = usage_of(attempts, now, date=date, most=most)
    return Fleet(limits, used.in_flight, used.sent, used.charged, hold=hold, date=date)
