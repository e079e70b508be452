"""The breaker. When many targets begin to fail at once, the platform is taken to be the cause, and
more retries would make that worse."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from watchdog.domain.records import Attempt, Health, OpenBreaker, Resolution, Target
from watchdog.domain.status import ASLEEP


@dataclass(frozen=True, slots=True)
class BreakerRules:
    """When the breaker opens, and how long it waits. The configuration has the defaults and the
    reasons for them."""

    min_failures: int
    ratio: float
    max_failures: int
    window: timedelta
    cooldown: timedelta


FORGOTTEN_AFTER = timedelta(hours=24)
"""An opening that no process has judged for this long lapses. A process may judge without watching
the targets that no process has seen for this long."""

JUDGED_AGAIN = timedelta(minutes=5)
"""How often the ledger is updated to show that a process still judges an opening."""


class ClosedBy(StrEnum):
    """Why an opening ended. `lapsed`: no process judged it for `FORGOTTEN_AFTER`."""

    CANARY = "canary_passed"
    NONE_ELIGIBLE = "none_eligible"
    OBSERVE = "observe_mode"
    LAPSED = "lapsed"


@dataclass(frozen=True, slots=True)
class Opening:
    """One time span in which the breaker is open.

    `failures` and `not_failing` are the numbers of targets that opened it. `condition_until` is
    until when its condition was true, or will be true if nothing more happens. `judged_at` is when
    a process last judged it; while a process does, that is at most `JUDGED_AGAIN` ago.
    """

    id: str
    opened_at: datetime
    failures: int
    not_failing: int
    condition_until: datetime
    closed_at: datetime | None = None
    closed_by: ClosedBy | None = None
    judged_at: datetime | None = None


class CanaryResult(StrEnum):
    """What a canary showed. `unsent`: nothing, because its retry could not be sent."""

    PASSED = "passed"
    FAILED = "failed"
    UNSENT = "unsent"


@dataclass(frozen=True, slots=True)
class Canary:
    """The one target that may be retried while the breaker is open. It is named first, and its
    attempt is sent later."""

    id: str
    opening_id: str
    model_id: str
    named_at: datetime
    attempt_id: str | None = None
    ended_at: datetime | None = None
    result: CanaryResult | None = None

    @property
    def under_way(self) -> bool:
        return self.result is None


def counts_from(last_closed: datetime | None, rules: BreakerRules, now: datetime) -> datetime:
    """Only targets that began to fail later than this count: within the window, and since the
    breaker last closed. A closing in the future counts as now."""
    window_begins = now - rules.window
    return window_begins if last_closed is None else max(window_begins, min(last_closed, now))


def needed_since(opening: Opening | None, now: datetime) -> datetime:
    """A process that judges must watch every target that was seen later than this: a day ago, or a
    day before the breaker opened, so that the targets that opened it are always among them."""
    return (now if opening is None else min(now, opening.opened_at)) - FORGOTTEN_AFTER


def lapsed(opening: Opening, last: Canary | None, now: datetime) -> bool:
    """Whether no process has judged an opening for `FORGOTTEN_AFTER`. A program of an older schema
    writes no `judged_at`, but it names a canary several times a day, or closes the breaker."""
    signs = [opening.opened_at, opening.judged_at]
    if last is not None:
        signs += [last.named_at, last.ended_at]
    return now - max(at for at in signs if at is not None) >= FORGOTTEN_AFTER


def condition_until(
    began: Iterable[datetime], not_failing: int, rules: BreakerRules, now: datetime
) -> datetime | None:
    """Until when the condition is true if nothing more happens; None if it is not true now.

    `began` are the moments at which distinct targets began to fail, the newest `max_failures` at
    least; `not_failing` counts the other targets, now seen not failing. A moment in the future
    counts as now.
    """
    recent = sorted((min(at, now) for at in began if at + rules.window > now), reverse=True)
    for failures, oldest in enumerate(recent, start=1):
        if _too_many(failures, not_failing, rules):
            return oldest + rules.window
    return None


def _too_many(failures: int, not_failing: int, rules: BreakerRules) -> bool:
    if failures < rules.min_failures:
        return False
    share = rules.ratio * (failures + not_failing)
    return failures > share or failures >= rules.max_failures


def due_at(opening: Opening, last: Canary | None, rules: BreakerRules) -> datetime | None:
    """When the next canary may be named, or when the breaker closes because there is no target for
    one; None while a canary is under way."""
    quiet_since = opening.condition_until
    if last is not None and last.under_way:
        return None
    if last is not None and last.ended_at is not None and last.result is CanaryResult.FAILED:
        quiet_since = max(quiet_since, last.ended_at)
    return quiet_since + rules.cooldown


def what_it_says(opening: Opening, last: Canary | None, rules: BreakerRules) -> OpenBreaker:
    """What the open breaker says to the targets: which of them may be retried now, if any."""
    named = last is not None and last.under_way and last.attempt_id is None
    until = due_at(opening, last, rules)
    return OpenBreaker(until, last.model_id if last is not None and named else None)


def followed_until(opening: Opening, holds_until: datetime | None, now: datetime) -> datetime:
    """Until when the condition of an opening is true, by what is seen now: recoveries end it and
    new failures prolong it. `holds_until` as `condition_until` returns it."""
    last = min(opening.condition_until, now)
    return last if holds_until is None else max(holds_until, last)


def next_canary(ready: Iterable[str], named: Mapping[str, datetime]) -> str:
    """Which of the targets in `ready`, which is not empty, is named: the one that was canary least
    recently. `named` are the times at which targets were last named."""
    return min(ready, key=lambda model_id: (named.get(model_id, _NEVER), model_id))


_NEVER = datetime.min.replace(tzinfo=UTC)


def result_of(
    canary: Canary,
    target: Target | None,
    attempt: Attempt | None,
    *,
    stuck_after: timedelta,
    unsent_after: timedelta,
    settle: timedelta,
    now: datetime,
) -> CanaryResult | None:
    """What a canary has shown by now, if anything. `attempt` is its attempt, once that is reserved.
    A canary that was named but not sent for `unsent_after` counts as `unsent`, so that another
    target can be named."""
    if canary.attempt_id is None:
        if target is not None and _seen_healthy(target, canary.named_at, settle):
            return CanaryResult.PASSED
        waited = abs(now - canary.named_at)  # abs: a clock that was set back must not delay it
        return CanaryResult.UNSENT if waited >= unsent_after else None
    if attempt is None:
        return CanaryResult.FAILED
    if attempt.resolution is not None:
        recovered = attempt.resolution is Resolution.RECOVERED
        return CanaryResult.PASSED if recovered else CanaryResult.FAILED
    return CanaryResult.FAILED if now >= attempt.reserved_at + stuck_after else None


def _seen_healthy(target: Target, since: datetime, settle: timedelta) -> bool:
    """Whether the target was seen healthy after `since`. SCALED_TO_ZERO counts only after it has
    lasted for `settle`, because a model may be scaled to zero before it was loaded."""
    if target.observed_at is None or target.observed_at < since:
        return False
    if target.status == ASLEEP:
        began = target.status_since or target.observed_at
        return target.health is Health.HEALTHY and target.observed_at - began >= settle
    return target.health is Health.HEALTHY
