"""What another policy would have done in the past that a ledger knows.

The past is replayed as long as it is known: if the other policy sends a retry when one was really
sent, the result of that retry is known. A retry that was never sent ends the replay of its episode,
because its result is not known.
"""

import heapq
from collections import deque
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from watchdog.domain.breaker import Canary, Opening
from watchdog.domain.limits import FLEET_DAY, FLEET_MINUTE, LONGEST_HOLD, counting
from watchdog.domain.policy import decide
from watchdog.domain.reasons import Scope
from watchdog.domain.records import (
    Attempt,
    DecisionKind,
    DecisionReason,
    EpisodeResult,
    Fleet,
    FleetLimits,
    OpenBreaker,
    Policy,
    Resolution,
    Target,
)
from watchdog.domain.status import health_of
from watchdog.simulate.past import Course, Past, Replayed, Verdict

_POLL = timedelta(minutes=1)
"""How often a wait with no known end is judged again."""


class Replay:
    """All episodes, in the order of time, because they share the fleet's limits. `near` is how far
    a retry may be from a real one to be the same: looks are that far apart."""

    def __init__(
        self, past: Past, policies: Mapping[str, Policy], limits: FleetLimits, near: timedelta
    ) -> None:
        self._past = past
        self._policies = policies
        self._limits = limits
        self._near = near
        self._kept: dict[str, list[Attempt]] = {}
        self._flying: list[Attempt] = []
        self._sent: deque[datetime] = deque()
        self._queue: list[tuple[datetime, str, Course | Attempt]] = []
        # The courses that wait for the fleet's day until the same moment. Only the first is judged
        # then, and the next one only if the first no longer waits.
        self._parked: list[tuple[datetime, str, Course]] = []
        self._unpark_at = past.now
        self._failures = past.failures(policies)

    def run(self) -> list[Replayed]:
        """Every episode of a model that has a policy."""
        made: dict[str, list[Attempt]] = {}
        for attempt in self._past.attempts:
            made.setdefault(attempt.episode_id, []).append(attempt)
        done = []
        for episode in self._past.episodes:
            if episode.model_id not in self._policies:
                continue
            real = made.get(episode.id, [])
            was = sum(each.sent_at is not None for each in real)
            replayed = Replayed(episode, was)
            done.append(replayed)
            self._push(episode.opened_at, Course(replayed, episode.opened_at, real))
        longest = max((each.window for each in self._policies.values()), default=FLEET_DAY)
        for attempt in self._past.counted_before(max(longest, FLEET_DAY)):
            heapq.heappush(self._queue, (attempt.reserved_at, attempt.id, attempt))
        while self._queue or self._parked:
            if self._parked and not (self._queue and self._queue[0][0] < self._unpark_at):
                _, _, course = heapq.heappop(self._parked)
                course.replayed.hold_on(self._unpark_at)
                self._judge(course, self._unpark_at)
                continue
            at, _, next_one = heapq.heappop(self._queue)
            if isinstance(next_one, Attempt):
                self._count(next_one)
            else:
                self._judge(next_one, at)
        return done

    def _push(self, at: datetime, course: Course) -> None:
        heapq.heappush(self._queue, (at, course.replayed.episode.id, course))

    def _park(self, course: Course, ready_at: datetime, at: datetime, until: datetime) -> None:
        course.replayed.hold(DecisionReason.FLEET_WINDOW_SPENT, at, until)
        course.ready_at = course.ready_at or ready_at
        place = (course.ready_at, course.replayed.episode.id, course)
        heapq.heappush(self._parked, place)
        self._unpark_at = until

    def _judge(self, course: Course, at: datetime) -> None:
        episode = course.replayed.episode
        if self._is_over(course, at):
            return
        policy = self._policies[episode.model_id]
        target = self._target(course, policy, at)
        attempts = counting(target, self._kept.get(episode.model_id, ()), policy, at)
        opening, canary = self._past.opening_at(at), None
        if opening is not None:
            canary = self._past.turn(episode.model_id, opening, at, self._near)
        fleet = self._fleet(at, opening, canary)
        decision = decide(target, attempts, fleet, policy, at)
        match decision.kind:
            case DecisionKind.RETRY:
                self._retry(course, at)
            case DecisionKind.WAIT if decision.reason is DecisionReason.FLEET_WINDOW_SPENT:
                alone = decide(target, attempts, Fleet(self._limits), policy, at)
                self._park(course, alone.until or at, at, decision.until or at + _POLL)
            case DecisionKind.WAIT if decision.reason is not None:
                until = decision.until
                if opening is not None and canary is None:
                    until = self._past.wakes(episode.model_id, opening, at)
                    if decision.reason is not DecisionReason.BREAKER_OPEN:
                        # While the breaker is open, the wait for the model's own limits has no end.
                        alone = decide(target, attempts, replace(fleet, breaker=None), policy, at)
                        until = min(until, alone.until or until)
                until = until or at + _POLL
                course.replayed.hold(decision.reason, at, until)
                self._push(until, course)
            case _:
                course.replayed.gave_up_at, course.replayed.gave_up = at, decision.reason
                self._end(course)

    def _is_over(self, course: Course, at: datetime) -> bool:
        """Whether the failure had ended without a retry before that moment, or is not over now."""
        episode = course.replayed.episode
        ended = episode.ended_at
        by_itself = episode.result not in (None, EpisodeResult.RECOVERED)
        if ended is not None and by_itself and at >= ended:
            course.replayed.let_go(ended)
            self._end(course)
            return True
        if at < self._past.now:
            return False
        course.replayed.let_go(self._past.now)
        if any(each.outcome.charged for each in course.real):
            course.replayed.verdict = Verdict.FEWER
        return True

    def _end(self, course: Course) -> None:
        """End the replay of an episode: no more retries would have been sent, and everything is
        known."""
        same = not any(each.outcome.charged for each in course.real)
        course.replayed.verdict = Verdict.SAME if same else Verdict.FEWER
        if course.replayed.episode.result is None and same:
            course.replayed.verdict = Verdict.LASTS

    def _target(self, course: Course, policy: Policy, at: datetime) -> Target:
        episode = course.replayed.episode
        found = episode.explanation
        known = found if found is not None and found.at <= at else None
        return Target(
            episode.model_id,
            status=episode.status,
            health=health_of(episode.status, policy),
            deployment=None,
            observed_at=at,
            failing_since=course.failing_since,
            episode=replace(episode, result=None, ended_at=None, explanation=known),
        )

    def _fleet(self, at: datetime, opening: Opening | None, canary: Canary | None) -> Fleet:
        self._flying = [each for each in self._flying if _flies(each, at)]
        while self._sent and self._sent[0] <= at - FLEET_DAY:
            self._sent.popleft()
        charged = tuple(self._sent)[-self._limits.most :]
        breaker = None
        if opening is not None:
            breaker = OpenBreaker(None, canary.model_id if canary is not None else None)
        return Fleet(
            self._limits,
            in_flight=len({each.model_id for each in self._flying}),
            sent=tuple(each for each in charged if each > at - FLEET_MINUTE),
            charged=charged,
            breaker=breaker,
        )

    def _retry(self, course: Course, at: datetime) -> None:
        """The policy sends a retry: the real one that was made then, if there is one."""
        course.ready_at = None
        near = self._near_at(course, at)
        real = next((each for each in course.real if abs(each.reserved_at - at) <= near), None)
        if real is None:
            course.replayed.unknown_at = at
            course.replayed.verdict = Verdict.UNKNOWN
            self._sent.append(at)
            return
        if course.real[0] is not real:
            # The model was being built then because of a retry that this policy does not send.
            course.replayed.unknown_at, course.replayed.verdict = at, Verdict.UNKNOWN
            return
        course.real.remove(real)
        self._count(real)
        if real.sent_at is not None:
            course.replayed.sent.append(real.sent_at)
        self._follow(course, real, at)

    def _count(self, real: Attempt) -> None:
        """An attempt was made, and counts against the limits."""
        self._kept.setdefault(real.model_id, []).append(real)
        self._flying.append(real)
        if real.sent_at is not None:
            self._sent.append(real.sent_at)

    def _near_at(self, course: Course, at: datetime) -> timedelta:
        """How far a real retry may be from this moment. After a wait for the fleet the order of the
        looks decides which model goes first, and another one may have to wait for a minute."""
        held = course.replayed.held
        fleets = bool(held) and held[-1].reason.scope is Scope.FLEET
        closed = self._past.closed_within(FLEET_MINUTE, at)
        return self._near + FLEET_MINUTE if fleets or closed else self._near

    def _follow(self, course: Course, real: Attempt, at: datetime) -> None:
        """Follow what really happened after a retry."""
        if not real.outcome.charged:
            again = next((each.reserved_at for each in course.real), None)
            resolved = real.resolved_at or at
            held = again is not None and again - resolved <= LONGEST_HOLD
            self._push(again if held and again is not None else max(resolved, at), course)
        elif real.resolution in (Resolution.REFAILED, Resolution.ANSWERED):
            if real.resolution is Resolution.REFAILED and not real.presumed:
                course.failing_since = real.resolved_at or at
            self._push(real.resolved_at or at, course)
        elif (again := self._fails_again(course, real)) is not None:
            course.failing_since = again
            self._push(again, course)
        else:
            self._end(course)

    def _fails_again(self, course: Course, real: Attempt) -> datetime | None:
        """When the model failed next in the same episode, after a retry had helped or got stuck."""
        episode = course.replayed.episode
        last = course.real[-1].reserved_at if course.real else episode.failing_from
        failures, began = self._failures.get(episode.model_id, ()), real.resolved_at
        return next((at for at in failures if began is not None and began < at <= last), None)


def _flies(attempt: Attempt, at: datetime) -> bool:
    """Whether an attempt was still under way at a moment after it was reserved."""
    return attempt.resolved_at is None or at < attempt.resolved_at
