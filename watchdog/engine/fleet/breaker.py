"""The breaker inside a transaction: what is read, judged and written."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime
from functools import cached_property

from watchdog.domain.breaker import (
    JUDGED_AGAIN,
    Canary,
    CanaryResult,
    ClosedBy,
    Opening,
    condition_until,
    counts_from,
    due_at,
    followed_until,
    lapsed,
    needed_since,
    next_canary,
    result_of,
    what_it_says,
)
from watchdog.domain.records import Attempt, DecisionReason, OpenBreaker, Target
from watchdog.engine.events import BreakerClosed, BreakerOpened, BreakerSeen, CanaryFailed, Event
from watchdog.engine.fleet.eligible import eligible
from watchdog.engine.fleet.judges import may_judge
from watchdog.engine.ports import LedgerTransaction
from watchdog.engine.settings import Settings


class Breaker:
    """The breaker as one transaction sees it. `news` are the events to report once the transaction
    is committed. A process that may not judge obeys an open breaker. The only change that it makes
    is to close one that no process has judged for a day."""

    def __init__(self, tx: LedgerTransaction, settings: Settings) -> None:
        self._tx = tx
        self._settings = settings
        self._rules = settings.breaker
        self._now = tx.now()
        self._opening = tx.breaker.opening()
        self._canary = (
            tx.breaker.last_canary(self._opening.id) if self._opening is not None else None
        )
        self.news: list[Event] = []
        if self._opening is not None and self._is_forgotten(self._opening):
            self._lapse(self._opening)

    def judge(self, target: Target) -> OpenBreaker | None:
        """What the breaker says about a failing target whose record is not written yet. Opens the
        breaker if this failure reaches its limit."""
        if self._opening is None:
            self._open_if_too_many(target)
        elif self._judges:
            self._follow_canary(self._opening)
        if self._opening is None:
            return None
        self.news.append(BreakerSeen(open=True))
        return what_it_says(self._opening, self._canary, self._rules)

    def note_canary_attempt(self, attempt: Attempt) -> None:
        """Note that this attempt, which was just reserved, is the canary's."""
        if self._canary is not None:
            self._tx.breaker.save_canary(replace(self._canary, attempt_id=attempt.id))

    def attend(self, *, naming: bool = True) -> None:
        """Do what an open breaker needs because time has passed or a canary has ended. Without
        `naming` no canary is named, because no process would look at it soon."""
        if self._opening is not None and self._judges:
            self._follow_canary(self._opening)
            if self._opening is not None:
                self._opening = self._refresh(self._opening)
                self._act_when_due(self._opening, naming=naming)
        self.news.append(BreakerSeen(open=self._opening is not None))

    @cached_property
    def _judges(self) -> bool:
        needed = needed_since(self._opening, self._now)
        return may_judge(self._tx, self._settings, needed)

    @property
    def _among(self) -> Collection[str] | None:
        """The ids of the targets whose failures count; None stands for the watched ones, which the
        ledger knows. A daemon counts those, a command its own models."""
        return None if self._settings.is_daemon else self._settings.models.keys()

    @cached_property
    def _since(self) -> datetime:
        return counts_from(self._tx.breaker.last_closed(), self._rules, self._now)

    def _open_if_too_many(self, target: Target) -> None:
        began = self._began(target)
        if len(began) < self._rules.min_failures or not self._judges:
            return
        others = self._tx.breaker.not_failing(self._since, among=self._among, but=target.model_id)
        until = condition_until(began, others, self._rules, self._now)
        if until is None:
            return
        self._opening = Opening(
            id=f"{self._now:%Y-%m-%dT%H:%M:%S.%fZ}"
            + ("/observe" if self._settings.observe else ""),
            opened_at=self._now,
            failures=len(began),
            not_failing=others,
            condition_until=until,
            judged_at=self._now,
        )
        self._tx.breaker.save_opening(self._opening)
        self.news.append(
            BreakerOpened(
                failures=len(began), not_failing=others, canary_at=until + self._rules.cooldown
            )
        )

    def _began(self, target: Target | None) -> list[datetime]:
        since, own = self._since, target.model_id if target is not None else None
        most = self._rules.max_failures
        began = [*self._tx.breaker.began_to_fail(since, among=self._among, but=own, most=most)]
        if target is not None and target.broke_at is not None and target.broke_at > since:
            began.append(target.broke_at)
        return began

    def _follow_canary(self, opening: Opening) -> None:
        canary = self._canary
        if canary is None or not canary.under_way:
            return
        model = self._settings.models.get(canary.model_id)
        result = result_of(
            canary,
            self._tx.targets.get(canary.model_id),
            self._tx.attempts.get(canary.attempt_id) if canary.attempt_id else None,
            stuck_after=model.policy.stuck_after if model else self._rules.cooldown,
            unsent_after=self._settings.timing.longest_gap,
            settle=model.policy.settle if model else self._rules.cooldown,
            now=self._now,
        )
        if result is None:
            return
        self._canary = replace(canary, ended_at=self._now, result=result)
        self._tx.breaker.save_canary(self._canary)
        if result is CanaryResult.PASSED:
            self._close(opening, ClosedBy.CANARY)
        elif result is CanaryResult.FAILED:
            again = self._now + self._rules.cooldown
            self.news.append(CanaryFailed(model_id=canary.model_id, canary_at=again))

    def _refresh(self, opening: Opening) -> Opening:
        """Follow the condition, which recoveries end and new failures prolong."""
        others = self._tx.breaker.not_failing(self._since, among=self._among, but=None)
        holds = condition_until(self._began(None), others, self._rules, self._now)
        until = followed_until(opening, holds, self._now)
        judged_at = opening.judged_at
        if judged_at is None or abs(self._now - judged_at) >= JUDGED_AGAIN:
            judged_at = self._now
        refreshed = replace(opening, condition_until=until, judged_at=judged_at)
        if refreshed != opening:
            self._tx.breaker.save_opening(refreshed)
        return refreshed

    def _act_when_due(self, opening: Opening, *, naming: bool) -> None:
        due = due_at(opening, self._canary, self._rules)
        if due is None or due > self._now:
            return
        if self._settings.observe:
            self._close(opening, ClosedBy.OBSERVE)
        elif ready := self._ready():
            if naming:
                self._name_canary(opening, ready)
        elif not self._tx.breaker.waiting(among=self._among) and not eligible(
            self._tx, self._settings
        ):
            self._close(opening, ClosedBy.NONE_ELIGIBLE)

    def _ready(self) -> list[str]:
        """The targets that wait only for the breaker and that this process checks: another replica
        may be configured with more models."""
        waiting = self._tx.breaker.waiting(DecisionReason.BREAKER_OPEN, among=self._among)
        return [model_id for model_id in waiting if model_id in self._settings.models]

    def _name_canary(self, opening: Opening, ready: Sequence[str]) -> None:
        """Name the target that was canary least recently, and have it checked at once."""
        model_id = next_canary(ready, self._tx.breaker.canary_times())
        self._canary = Canary(
            id=f"{opening.id}/{self._now:%Y-%m-%dT%H:%M:%S.%fZ}",
            opening_id=opening.id,
            model_id=model_id,
            named_at=self._now,
        )
        self._tx.breaker.save_canary(self._canary)
        self._tx.targets.make_due(model_id, self._now)

    def _is_forgotten(self, opening: Opening) -> bool:
        """For a process that may judge, an opening never lapses: this process can name canaries,
        and a jump of the ledger's clock, which looks like a day without a judge, must not close the
        breaker."""
        return lapsed(opening, self._canary, self._now) and not self._judges

    def _lapse(self, opening: Opening) -> None:
        canary = self._canary
        if canary is not None and canary.under_way:
            result = CanaryResult.FAILED if canary.attempt_id else CanaryResult.UNSENT
            self._tx.breaker.save_canary(replace(canary, ended_at=self._now, result=result))
        self._close(opening, ClosedBy.LAPSED)

    def _close(self, opening: Opening, closed_by: ClosedBy) -> None:
        self._tx.breaker.save_opening(replace(opening, closed_at=self._now, closed_by=closed_by))
        self._opening = None
        canary = self._canary if closed_by is ClosedBy.CANARY else None
        self.news.append(
            BreakerClosed(
                closed_by=closed_by,
                canary=canary.model_id if canary is not None else None,
                after=self._now - opening.opened_at,
            )
        )
