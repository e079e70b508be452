"""The rate limits that the API documents, each operation counted by itself."""

import math
from collections import defaultdict, deque
from datetime import datetime, timedelta
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from watchdog.emulator.faults import Operation

_Limit = Annotated[int, Field(ge=1)] | None


class RateLimits(BaseModel):
    """Limits for the emulator's one key, in real time whatever the time scale; null means no limit.
    The defaults are those of the API's documentation."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    requests_per_second: _Limit = 100
    retries_per_minute: _Limit = 10
    logs_per_second: _Limit = 30

    def of(self, operation: Operation) -> tuple[int | None, timedelta]:
        """How many requests may be made in which span."""
        if operation is Operation.RETRY:
            return self.retries_per_minute, timedelta(minutes=1)
        if operation is Operation.GET_LOGS:
            return self.logs_per_second, timedelta(seconds=1)
        return self.requests_per_second, timedelta(seconds=1)


class RateCounter:
    """Counts requests against the limits. One over the limit does not count."""

    def __init__(self, limits: RateLimits) -> None:
        self._limits = limits
        self._passed: dict[Operation, deque[datetime]] = defaultdict(deque)

    def wait(self, operation: Operation, now: datetime) -> int | None:
        """None when the request is within the limit; it is then counted. Otherwise the seconds
        until another one is allowed, rounded up as the API does."""
        limit, span = self._limits.of(operation)
        if limit is None:
            return None
        passed = self._passed[operation]
        while passed and passed[0] + span <= now:
            passed.popleft()
        if len(passed) < limit:
            passed.append(now)
            return None
        return max(1, math.ceil((passed[0] + span - now).total_seconds()))
