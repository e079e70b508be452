"""The watchdog in a simulated world: the real rules, with everything in memory.

A look that can change nothing is left out: while a status lasts, the next look happens when a wait
ends, or when the first look of the real daemon would see the next status.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

from watchdog.domain.cause_rules import explained
from watchdog.domain.causes import Finding, Sureness
from watchdog.domain.limits import counting, episode_used, of_episode
from watchdog.domain.policy import decide, ready_since
from watchdog.domain.queue import is_queued, rank
from watchdog.domain.records import (
    Attempt,
    Decision,
    DecisionKind,
    DecisionReason,
    Fleet,
    Health,
    Hold,
    Observation,
    Outcome,
    Resolution,
    Target,
)
from watchdog.domain.step import FIRST_LOOK, Happening, Timing
from watchdog.domain.transition import observe
from watchdog.simulate.breaker import Breaker, Seen
from watchdog.simulate.queue import Place, Queue
from watchdog.simulate.rules import Rules
from watchdog.simulate.usage import Usage
from watchdog.simulate.world import Slot, World

_TICK = timedelta(seconds=1)
_FOUND_ANEW = frozenset({Happening.OPENED, Happening.REOPENED, Happening.REFAILED})


class Watchdog:
    """It watches every model of the world."""

    def __init__(self, rules: Rules, world: World) -> None:
        self._rules = rules
        self._world = world
        self._agenda = world.agenda
        # In this simulation nothing can happen unseen between two looks.
        self._timing = Timing(rules.lag, timedelta.max, rules.interval)
        self._slots = {slot.model_id: slot for slot in world.slots}
        self._targets: dict[str, Target] = {}
        self._attempts: dict[str, tuple[Attempt, ...]] = {}
        self._failing: set[str] = set()
        self._looked: dict[str, datetime] = {}
        self._planned: dict[str, datetime] = {}
        self._queue = Queue()
        self._usage = Usage(rules.limits, diagnosed=rules.diagnosed)
        self._attending: datetime | None = None
        seen = Seen(self._targets, self._attempts, self._failing)
        self._breaker = Breaker(rules.breaker, rules.policy, 2 * rules.interval, seen)
        for slot in world.slots:
            self._watch(slot)
        world.changed = self._changed

    def _watch(self, slot: Slot) -> None:
        """Every model was seen healthy twice before the world begins."""
        now = self._agenda.now
        phase = self._rules.interval * self._world.draws.share(f"look/{slot.model_id}")
        target = Target(slot.model_id)
        for ago in (2, 1):
            at = now - ago * self._rules.interval + phase
            seen = Observation(slot.status, slot.deployment, at)
            target = observe(target, (), seen, self._rules.policy, self._timing).target
            self._looked[slot.model_id] = at
        self._targets[slot.model_id] = target

    # When to look.

    def _changed(self, slot: Slot) -> None:
        model_id = slot.model_id
        self._plan(model_id, self._on_grid(model_id, self._agenda.now))

    def _on_grid(self, model_id: str, moment: datetime) -> datetime:
        """When the first regular look at or after a moment happens."""
        last, flying = self._looked[model_id], model_id in self._usage.flying
        step = self._rules.recovery_interval if flying else self._rules.interval
        return last + max(1, -((last - moment) // step)) * step

    def _plan(self, model_id: str, at: datetime) -> None:
        planned = self._planned.get(model_id)
        if planned is None or at < planned:
            self._planned[model_id] = at
            self._agenda.at(at, partial(self._look, model_id, at))

    def _plan_next(self, target: Target, decision: Decision, fleet: Fleet) -> None:
        """Plan the next look that can change anything while the status lasts."""
        model_id, now = target.model_id, self._agenda.now
        attempts, policy = self._attempts.get(model_id, ()), self._rules.policy
        if (attempt := self._usage.flying.get(model_id)) is not None:
            after = policy.stuck_after
            if target.health is Health.FAILING:  # Perhaps it failed again, and no look saw that.
                after = self._rules.lag + _TICK
            self._plan(model_id, self._on_grid(model_id, attempt.reserved_at + after))
        elif target.health is Health.HEALTHY and target.episode is not None:
            well_at = now + policy.healthy_reset - target.healthy_for
            self._plan(model_id, self._on_grid(model_id, well_at))
        elif decision.kind is DecisionKind.WAIT:
            if decision.until is not None:
                self._plan(model_id, max(now, decision.until))
            alone = Fleet(fleet.limits, diagnosed=fleet.diagnosed)
            if fleet.breaker is None:
                alone = replace(fleet, ahead=0)
            elif decision.reason is DecisionReason.BREAKER_OPEN:
                return  # The breaker wakes it.
            first = decide(target, attempts, alone, policy, now)
            self._plan(model_id, self._on_grid(model_id, first.until or now))

    def _look(self, model_id: str, planned: datetime) -> None:
        if self._planned.get(model_id) != planned:
            return
        del self._planned[model_id]
        now, policy, slot = self._agenda.now, self._rules.policy, self._slots[model_id]
        self._looked[model_id] = now
        target = self._targets[model_id]
        attempts = counting(target, self._attempts.get(model_id, ()), policy, now)
        seen = Observation(slot.status, slot.deployment, now)
        step = observe(target, attempts, seen, policy, self._timing)
        attempts, target = step.applied_to(attempts), step.target
        if self._rules.diagnosed and _FOUND_ANEW & set(step.happened):
            target = self._explained(slot, target, attempts)
        self._keep(target, attempts)
        if step.attempts:
            self._land(model_id, attempts)
        self._judge(target, attempts)
        if self._breaker.is_open:
            self._attend_at(now + _TICK)

    def _explained(self, slot: Slot, target: Target, attempts: tuple[Attempt, ...]) -> Target:
        reason, now = slot.reason(self._agenda.now), self._agenda.now
        if target.episode is None or reason is None:
            return target
        found = Finding(reason.cause, Sureness.LIKELY, reason.cause.sentence)
        own = of_episode(target, attempts)
        return replace(target, episode=explained(target.episode, own, found, now))

    def _keep(self, target: Target, attempts: tuple[Attempt, ...]) -> None:
        self._targets[target.model_id] = target
        if attempts or target.model_id in self._attempts:
            self._attempts[target.model_id] = attempts
        if target.health is Health.FAILING:
            self._failing.add(target.model_id)
        else:
            self._failing.discard(target.model_id)

    def _land(self, model_id: str, attempts: tuple[Attempt, ...]) -> None:
        """An attempt has a result: another target may take its place in flight."""
        if any(attempt.under_way for attempt in attempts):
            return
        self._usage.flying.pop(model_id, None)
        waiting = DecisionReason.FLEET_IN_FLIGHT
        first = (id_ for id_ in self._queue if self._targets[id_].decision.reason is waiting)
        if (woken := next(first, None)) is not None:
            self._plan(woken, self._agenda.now)

    # The decision and the retry.

    def _judge(self, target: Target, attempts: tuple[Attempt, ...]) -> None:
        now, policy, model_id = self._agenda.now, self._rules.policy, target.model_id
        fleet, ready = Fleet(self._rules.limits), None
        if target.health is Health.FAILING:
            fleet = self._usage.fleet(now, self._breaker.judge(target, now))
            ready = ready_since(target, attempts, fleet, policy, now)
        place: Place | None = None
        if ready is not None:
            place = (rank(target, attempts), ready, model_id)
            self._queue.put(model_id, None)
            fleet = replace(fleet, ahead=self._queue.ahead(place))
        decision = decide(target, attempts, fleet, policy, now)
        self._queue.put(model_id, place if is_queued(decision) else None)
        if decision.kind is DecisionKind.RETRY:
            self._retry(target, attempts, fleet)
            return
        target = replace(target, decision=decision, ready_at=ready)
        self._targets[model_id] = target
        self._plan_next(target, decision, fleet)

    def _retry(self, target: Target, attempts: tuple[Attempt, ...], fleet: Fleet) -> None:
        now, model_id = self._agenda.now, target.model_id
        number = episode_used(target, attempts) + 1
        episode_id = target.episode.id if target.episode is not None else ""
        attempt = Attempt(
            id=f"{model_id}#{self._agenda.done}",
            model_id=model_id,
            episode_id=episode_id,
            number=number,
            owner="",
            reserved_at=now,
            sent_at=now,
            outcome=Outcome.ACCEPTED,
            in_flight_until=now + self._rules.policy.stuck_after,
            deployment=target.deployment,
        )
        if fleet.breaker is not None:
            self._breaker.send(attempt)
        decision = Decision(DecisionKind.WAIT, DecisionReason.ATTEMPT_UNDER_WAY)
        self._queue.put(model_id, None)
        self._targets[model_id] = replace(target, decision=decision, ready_at=None)
        if self._world.is_throttled():
            self._throttled(attempt, attempts)
            return
        self._usage.charge(attempt)
        self._attempts[model_id] = (*attempts, attempt)
        self._plan(model_id, now + FIRST_LOOK)
        self._world.retry(self._slots[model_id])

    def _throttled(self, attempt: Attempt, attempts: tuple[Attempt, ...]) -> None:
        """The API answers 429, and says until when to wait."""
        now = self._agenda.now
        self._world.retry(self._slots[attempt.model_id])
        answered = replace(
            attempt,
            outcome=Outcome.THROTTLED,
            resolution=Resolution.ANSWERED,
            resolved_at=now,
        )
        self._attempts[attempt.model_id] = (*attempts, answered)
        hold = Hold(DecisionReason.API_HELD, self._world.throttled_until)
        self._usage.throttle(now, hold)
        self._plan(attempt.model_id, hold.until)

    # The breaker.

    def _attend_at(self, moment: datetime) -> None:
        if self._attending is None or moment < self._attending:
            self._attending = moment
            self._agenda.at(moment, partial(self._attend, moment))

    def _attend(self, planned: datetime) -> None:
        if self._attending != planned:
            return
        self._attending = None
        now, was_open = self._agenda.now, self._breaker.is_open
        named = self._breaker.attend(now)
        if named is not None:
            self._plan(named, now)
        if self._breaker.is_open:
            self._attend_at(self._breaker.next_at(now))
        elif was_open:
            for model_id in sorted(self._failing):
                self._plan(model_id, self._on_grid(model_id, now))
