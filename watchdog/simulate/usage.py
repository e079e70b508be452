"""What the simulated watchdog has used of the fleet's limits. The rules are those of
`domain.limits`."""

from collections import deque
from datetime import datetime

from watchdog.domain.limits import FLEET_DAY, FLEET_MINUTE
from watchdog.domain.records import Attempt, Fleet, FleetLimits, Hold, OpenBreaker


class Usage:
    """`flying` are the attempts that are under way, by the ids of their models."""

    def __init__(self, limits: FleetLimits, *, diagnosed: bool) -> None:
        self.flying: dict[str, Attempt] = {}
        self._limits = limits
        self._diagnosed = diagnosed
        self._sent: deque[datetime] = deque()
        self._charged: deque[datetime] = deque()
        self._hold: Hold | None = None

    def throttle(self, now: datetime, hold: Hold) -> None:
        """A retry was sent, and answered with 429: no other may be sent during the hold."""
        self._sent.append(now)
        self._hold = hold

    def charge(self, attempt: Attempt) -> None:
        """A retry was sent and accepted."""
        self._sent.append(attempt.reserved_at)
        self._charged.append(attempt.reserved_at)
        self.flying[attempt.model_id] = attempt

    def fleet(self, now: datetime, breaker: OpenBreaker | None) -> Fleet:
        """What the decision needs to know about all models together."""
        for times, span in ((self._sent, FLEET_MINUTE), (self._charged, FLEET_DAY)):
            while times and times[0] < now - span:
                times.popleft()
        if self._hold is not None and self._hold.until <= now:
            self._hold = None
        return Fleet(
            self._limits,
            sum(each.in_flight(now) for each in self.flying.values()),
            tuple(self._sent),
            tuple(self._charged)[-self._limits.most :],
            hold=self._hold,
            breaker=breaker,
            diagnosed=self._diagnosed,
        )
