"""Policies of other programs, to compare with: what a short script or a controller does."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from watchdog.simulate.agenda import START
from watchdog.simulate.world import ACTIVE, FAILED, Slot, World


@dataclass(frozen=True, slots=True)
class ScriptRules:
    """A program that looks at every model each `every`, and retries each that fails. If `first` is
    given, it waits so long before the first retry of a failure, and before each further one twice
    as long, at most `longest`. It gives up `deadline` after it first saw the failure."""

    every: timedelta
    first: timedelta = timedelta(0)
    longest: timedelta = timedelta(0)
    deadline: timedelta | None = None


CRON_LOOP = ScriptRules(timedelta(minutes=1))
FIXED = ScriptRules(timedelta(minutes=10))
DOUBLING = ScriptRules(
    timedelta(minutes=1), timedelta(minutes=2), timedelta(minutes=30), timedelta(hours=2)
)


@dataclass(slots=True)
class _Failure:
    """What the program remembers of a model that fails."""

    began: datetime
    seen: datetime
    retries: int = 0


class Script:
    """A program with these rules in one world."""

    def __init__(self, rules: ScriptRules, world: World) -> None:
        self._rules = rules
        self._world = world
        self._failures: dict[str, _Failure] = {}
        world.changed = self._changed

    def _changed(self, slot: Slot) -> None:
        if slot.status == ACTIVE:
            self._failures.pop(slot.model_id, None)
        elif slot.status == FAILED:
            self._at(self._run_after(self._world.agenda.now), partial(self._see, slot))

    def _see(self, slot: Slot) -> None:
        if slot.status != FAILED:
            return
        now = self._world.agenda.now
        failure = self._failures.setdefault(slot.model_id, _Failure(now, now))
        failure.seen = now
        wait = min(self._rules.first * 2**failure.retries, self._rules.longest)
        self._at(now + wait, partial(self._retry, slot, slot.deploys))

    def _retry(self, slot: Slot, deploys: int) -> None:
        now, rules = self._world.agenda.now, self._rules
        failure = self._failures.get(slot.model_id)
        if slot.status != FAILED or slot.deploys != deploys or failure is None:
            return
        if rules.deadline is not None and now > failure.began + rules.deadline:
            return
        failure.retries += 1
        if not self._world.retry(slot):
            self._at(self._run_after(now), partial(self._retry, slot, deploys))

    def _run_after(self, moment: datetime) -> datetime:
        """When the program runs next, after this moment."""
        runs = (moment - START) // self._rules.every + 1
        return START + runs * self._rules.every

    def _at(self, moment: datetime, do: "partial[None]") -> None:
        self._world.agenda.at(moment, do)
