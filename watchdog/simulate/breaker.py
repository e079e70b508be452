"""The breaker of the simulated watchdog. The rules are those of `domain.breaker`."""

from collections.abc import Collection, Mapping, Set
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import islice

from watchdog.domain.breaker import (
    BreakerRules,
    Canary,
    CanaryResult,
    Opening,
    condition_until,
    counts_from,
    due_at,
    followed_until,
    next_canary,
    result_of,
    what_it_says,
)
from watchdog.domain.records import (
    Attempt,
    DecisionKind,
    DecisionReason,
    OpenBreaker,
    Policy,
    Target,
)

_BREAKER = DecisionReason.BREAKER_OPEN


@dataclass(frozen=True, slots=True)
class Seen:
    """What the watchdog has seen of all targets. `failing` are the ids of those that fail."""

    targets: Mapping[str, Target]
    attempts: Mapping[str, tuple[Attempt, ...]]
    failing: Set[str]


class Breaker:
    """The state of the breaker, and the methods that change it. `unsent_after` as in
    `breaker.result_of`."""

    def __init__(
        self, rules: BreakerRules, policy: Policy, unsent_after: timedelta, seen: Seen
    ) -> None:
        self._rules = rules
        self._policy = policy
        self._unsent_after = unsent_after
        self._seen = seen
        self._opening: Opening | None = None
        self._canary: Canary | None = None
        self._last_closed: datetime | None = None
        self._named: dict[str, datetime] = {}
        self._broke: dict[str, datetime] = {}

    @property
    def is_open(self) -> bool:
        return self._opening is not None

    def judge(self, target: Target, now: datetime) -> OpenBreaker | None:
        """What the breaker says about a failing target. Opens the breaker if this failure reaches
        its limit."""
        if target.broke_at == now:
            self._broke.pop(target.model_id, None)  # The newest are last.
            self._broke[target.model_id] = now
        if self._opening is None:
            self._open_if_too_many(now)
        else:
            self._follow_canary(now)
        if self._opening is None:
            return None
        return what_it_says(self._opening, self._canary, self._rules)

    def send(self, attempt: Attempt) -> None:
        """Note that the attempt that is being sent is the canary's."""
        if self._canary is not None:
            self._canary = replace(self._canary, attempt_id=attempt.id)

    def attend(self, now: datetime) -> str | None:
        """Follow the canary and the condition. If a canary is due, name it and return its id."""
        if self._opening is not None:
            self._follow_canary(now)
        if self._opening is None:
            return None
        self._refresh(self._opening, now)
        due = due_at(self._opening, self._canary, self._rules)
        if due is None or due > now:
            return None
        decisions = {id_: self._seen.targets[id_].decision for id_ in self._seen.failing}
        waiting = [id_ for id_, each in decisions.items() if each.reason is _BREAKER]
        if waiting:
            return self._name_canary(self._opening, waiting, now)
        if all(each.kind is not DecisionKind.WAIT for each in decisions.values()):
            self._close(now)
        return None

    def next_at(self, now: datetime) -> datetime:
        """When to attend again, if nothing happens before."""
        times = [now + self._rules.cooldown]
        if self._opening is not None:
            due = due_at(self._opening, self._canary, self._rules)
            times += [self._opening.condition_until, *([due] if due is not None else [])]
        if self._canary is not None and self._canary.under_way:
            times.append(self._canary.named_at + self._unsent_after)
            times.append(self._canary.named_at + self._policy.stuck_after)
        return min(at for at in times if at > now)

    def _counts(self, now: datetime) -> tuple[list[datetime], int]:
        """When the newest failures that count began, and how many targets do not fail."""
        since = counts_from(self._last_closed, self._rules, now)
        for model_id in list(islice(self._broke, self._old(since))):
            del self._broke[model_id]
        began = list(islice(reversed(self._broke.values()), self._rules.max_failures))
        well_again = len(self._broke.keys() - self._seen.failing)
        well = len(self._seen.targets) - len(self._seen.failing) - well_again
        return began, well

    def _old(self, since: datetime) -> int:
        for number, at in enumerate(self._broke.values()):
            if at > since:
                return number
        return len(self._broke)

    def _open_if_too_many(self, now: datetime) -> None:
        if len(self._broke) < self._rules.min_failures:
            return
        began, well = self._counts(now)
        until = condition_until(began, well, self._rules, now)
        if until is not None:
            self._opening = Opening(f"{now}", now, len(began), well, until)
            self._canary = None

    def _follow_canary(self, now: datetime) -> None:
        canary = self._canary
        if canary is None or not canary.under_way:
            return
        sent = self._seen.attempts.get(canary.model_id, ())
        result = result_of(
            canary,
            self._seen.targets[canary.model_id],
            next((each for each in sent if each.id == canary.attempt_id), None),
            stuck_after=self._policy.stuck_after,
            unsent_after=self._unsent_after,
            settle=self._policy.settle,
            now=now,
        )
        if result is None:
            return
        self._canary = replace(canary, ended_at=now, result=result)
        if result is CanaryResult.PASSED:
            self._close(now)

    def _refresh(self, opening: Opening, now: datetime) -> None:
        began, well = self._counts(now)
        lasts = condition_until(began, well, self._rules, now)
        until = followed_until(opening, lasts, now)
        self._opening = replace(opening, condition_until=until)

    def _name_canary(self, opening: Opening, ready: Collection[str], now: datetime) -> str:
        model_id = next_canary(ready, self._named)
        self._named[model_id] = now
        self._canary = Canary(f"{now}", opening.id, model_id, now)
        return model_id

    def _close(self, now: datetime) -> None:
        self._opening, self._last_closed = None, now
