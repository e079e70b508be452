"""What is counted while a policy is tried on one world. The memory that it takes does not grow with
the number of days."""

import math
from collections import Counter, deque
from dataclasses import dataclass
from datetime import datetime, timedelta

_FINENESS = math.log(1.01)
"""Times to recover are counted in classes that are 1 % wide."""


class Durations:
    """Counts durations, and finds percentiles of them, which are exact to 1 %."""

    def __init__(self) -> None:
        self._classes: Counter[int] = Counter()

    def add(self, duration: timedelta) -> None:
        self._classes[round(math.log(max(duration.total_seconds(), 1)) / _FINENESS)] += 1

    def percentile(self, share: float) -> float:
        """In seconds; not a number if nothing was counted."""
        wanted = share * self._classes.total()
        counted = 0
        for each in sorted(self._classes):
            counted += self._classes[each]
            if counted >= wanted:
                return math.exp(each * _FINENESS)
        return math.nan


class _Peak:
    """The most retries in any span of this length."""

    def __init__(self, span: timedelta) -> None:
        self._span = span
        self._recent: deque[datetime] = deque()
        self.most = 0

    def add(self, at: datetime) -> None:
        self._recent.append(at)
        while self._recent[0] <= at - self._span:
            self._recent.popleft()
        self.most = max(self.most, len(self._recent))


@dataclass(frozen=True, slots=True)
class Result:
    """What one policy did in one world; times in seconds. `recovered` is a share of the failures.
    `hopeless` retries were sent while the cause lasted. `wasted` are the seconds that the failing
    builds of retries took. `to_person`: failures that a person's push ended. `open`: failures that
    still lasted at the end. If there were no failures, shares and times are not a number (NaN)."""

    failures: int
    recovered: float
    p50: float
    p95: float
    sent: int
    hopeless: int
    most_in_minute: int
    most_in_day: int
    wasted: float
    to_person: int
    open: int


class Tally:
    """Counts while a policy is tried. Nothing that it keeps grows with the number of days."""

    def __init__(self) -> None:
        self.failures = 0
        self.recovered = 0
        self.to_person = 0
        self.sent = 0
        self.hopeless = 0
        self._wasted = timedelta(0)
        self._durations = Durations()
        self._minute = _Peak(timedelta(minutes=1))
        self._day = _Peak(timedelta(days=1))

    def retried(self, model_id: str, at: datetime, *, hopeless: bool) -> None:
        self.sent += 1
        self.hopeless += hopeless
        self._minute.add(at)
        self._day.add(at)

    def wasted(self, span: timedelta) -> None:
        self._wasted += span

    def ended(self, after: timedelta, *, by_person: bool) -> None:
        """A failure ended so long after it began."""
        self.to_person += by_person
        self.recovered += not by_person
        self._durations.add(after)

    def result(self) -> Result:
        return Result(
            failures=self.failures,
            recovered=self.recovered / self.failures if self.failures else math.nan,
            p50=self._durations.percentile(0.5),
            p95=self._durations.percentile(0.95),
            sent=self.sent,
            hopeless=self.hopeless,
            most_in_minute=self._minute.most,
            most_in_day=self._day.most,
            wasted=self._wasted.total_seconds(),
            to_person=self.to_person,
            open=self.failures - self.recovered - self.to_person,
        )
