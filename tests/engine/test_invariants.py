"""The limits hold over any interleaving of observations, answers, crashes and clock steps.

Two processes share a ledger and drive the real reservation on it. What is checked is counted apart
from it, from the POSTs alone.
"""

from collections.abc import Coroutine
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, TypeVar

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from tests.fakes.engine import NEVER_OPENS, POLICY, START
from tests.fakes.ledger import InMemoryLedger
from tests.fakes.records import OPEN
from watchdog.domain.limits import RESERVATION_TTL
from watchdog.domain.records import (
    Attempt,
    DecisionKind,
    DeploymentRef,
    FleetLimits,
    Observation,
    Outcome,
    Policy,
    Resolution,
    Target,
)
from watchdog.engine.look import Look
from watchdog.engine.ports import VersionConflict
from watchdog.engine.settings import Model, Settings
from watchdog.engine.target.left_behind import resolve_left_behind
from watchdog.engine.target.record import record_look, record_outcome, reserve

T = TypeVar("T")

MODELS = ("a", "b", "c")
FAILING = ("BUILD_FAILED", "DEPLOY_FAILED")
STATUSES = (*FAILING, "ACTIVE", "BUILDING", "BUILD_STOPPED", "UNHEALTHY", "WHAT_IS_THIS")
RULES = Policy(
    **POLICY
    | {
        "first_delay": timedelta(0),
        "backoff": timedelta(seconds=10),
        "backoff_factor": 1.0,
        "jitter": 0.0,
        "max_attempts": 3,
        "window": timedelta(hours=2),
        "max_attempts_per_window": 4,
        "healthy_reset": timedelta(minutes=5),
        "stuck_after": timedelta(minutes=10),
    }
)
LIMITS = FleetLimits(max_retries_per_minute=2, max_in_flight=2, max_attempts_per_window=6)

SENT = {
    Outcome.ACCEPTED: None,
    Outcome.UNKNOWN: None,
    Outcome.REFUSED: Resolution.ANSWERED,
    Outcome.THROTTLED: Resolution.ANSWERED,
}


class Clock:
    def __init__(self) -> None:
        self.time = START

    def now(self) -> datetime:
        return self.time

    def monotonic(self) -> float:
        return 0.0


@dataclass
class Process:
    """`in_hand` are its reservations that have not been sent, each with what was seen."""

    owner: str
    settings: Settings
    in_hand: dict[str, tuple[Target, Attempt]]


@dataclass(frozen=True)
class Post:
    model_id: str
    episode_id: str
    at: datetime
    charged: bool


def run(work: Coroutine[Any, Any, T]) -> T:
    """The fake ledger never really waits."""
    try:
        work.send(None)
    except StopIteration as done:
        result: T = done.value
        return result
    raise AssertionError("it waited")


class Limits(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.ledger = InMemoryLedger(self.clock)
        self.world = {model_id: (DeploymentRef("d1", START), "BUILD_FAILED") for model_id in MODELS}
        self.lives = 0
        self.processes = [self.start(), self.start()]
        self.posts: list[Post] = []
        for model_id in MODELS:
            new = Target(model_id)
            run(self.ledger.transact(lambda tx, new=new: tx.targets.add(new)))  # type: ignore[misc]

    def start(self) -> Process:
        self.lives += 1
        owner = f"daemon:{self.lives}"
        settings = Settings(
            observe=False,
            owner=owner,
            models={model_id: Model(None, RULES) for model_id in MODELS},
            limits=LIMITS,
            breaker=NEVER_OPENS,
            interval=timedelta(seconds=30),
            recovery_interval=timedelta(seconds=5),
            timeout=timedelta(seconds=5),
            concurrency=1,
            max_rate=10,
            diagnose=False,
        )
        return Process(owner, settings, {})

    models = st.sampled_from(MODELS)
    which = st.integers(0, 1)

    @rule(
        seconds=st.one_of(st.integers(0, 40), st.sampled_from([60, 300, 601, 3600, 7200, 86_400]))
    )
    def time_passes(self, seconds: int) -> None:
        self.clock.time += timedelta(seconds=seconds)

    @rule(model_id=models, status=st.sampled_from(STATUSES))
    def the_status_changes(self, model_id: str, status: str) -> None:
        self.world[model_id] = (self.world[model_id][0], status)

    @rule(model_id=models, status=st.sampled_from(FAILING))
    def somebody_pushes(self, model_id: str, status: str) -> None:
        ref = self.world[model_id][0]
        newer = replace(ref, created_at=ref.created_at + timedelta(seconds=1))
        self.world[model_id] = (newer, status)

    @rule(model_id=models, which=which)
    def a_check_reserves_where_it_may(self, model_id: str, which: int) -> None:
        process = self.processes[which]
        if model_id in process.in_hand:
            return
        ref, status = self.world[model_id]
        now = self.clock.time
        look = Look(now, Observation(status, ref, now))
        known = self.ledger.stored_target(model_id)
        recorded = run(
            self.ledger.transact(lambda tx: record_look(tx, process.settings, known, look, OPEN))
        )
        assert recorded is not None
        if recorded.after.decision.kind is not DecisionKind.RETRY:
            return
        seen, number = recorded.after, len(self.ledger.all_attempts())
        try:
            after, attempt = run(
                self.ledger.transact(
                    lambda tx: reserve(tx, process.settings, seen, f"attempt-{number}", OPEN)
                )
            )
        except VersionConflict:
            return
        if attempt is not None:
            assert status in FAILING
            self.reserved()
            process.in_hand[model_id] = (after.after, attempt)

    @rule(model_id=models, which=which, outcome=st.sampled_from([*SENT]), times=st.integers(1, 4))
    def it_fails_and_fails(self, model_id: str, which: int, outcome: Outcome, times: int) -> None:
        """Uses up the limits: retries that do not help, as long as any are allowed."""
        for _ in range(times):
            self.the_status_changes(model_id, "BUILD_FAILED")
            self.a_check_reserves_where_it_may(model_id, which)
            self.time_passes(5)
            self.it_is_sent(which, outcome, recorded=True)
            self.the_status_changes(model_id, "BUILDING")
            self.a_check_reserves_where_it_may(model_id, which)
            self.the_status_changes(model_id, "BUILD_FAILED")
            self.a_check_reserves_where_it_may(model_id, which)
            self.time_passes(11)

    @rule(model_id=models, which=which)
    def it_recovers_for_good(self, model_id: str, which: int) -> None:
        """Makes the next failure a new episode in the same window."""
        self.the_status_changes(model_id, "ACTIVE")
        for _ in range(8):
            self.a_check_reserves_where_it_may(model_id, which)
            self.time_passes(50)

    @rule(model_id=models, which=which)
    def a_404(self, model_id: str, which: int) -> None:
        look = Look(self.clock.time, None)
        process = self.processes[which]
        seen = self.ledger.stored_target(model_id)
        run(self.ledger.transact(lambda tx: record_look(tx, process.settings, seen, look, OPEN)))

    @rule(which=which, outcome=st.sampled_from([*SENT]), recorded=st.booleans())
    def it_is_sent(self, which: int, outcome: Outcome, recorded: bool) -> None:
        """And perhaps the process dies before the answer is recorded."""
        process = self.processes[which]
        if not process.in_hand:
            return
        model_id, (seen, attempt) = process.in_hand.popitem()
        now, (ref, status) = self.clock.time, self.world[model_id]
        if now > attempt.reserved_at + RESERVATION_TTL:
            self.record_outcome(process, attempt, Outcome.ABANDONED)
            return
        if ref != seen.deployment or status not in FAILING:
            look = Look(now, Observation(status, ref, now))
            self.record_outcome(process, attempt, Outcome.ABANDONED, look)
            return
        self.posted(attempt, now, charged=outcome.charged or not recorded)
        if recorded:
            self.record_outcome(process, replace(attempt, sent_at=now), outcome)
        else:
            self.die(which)

    @rule(which=which, step=st.sampled_from([0, 0, 0, -3600, 3600, -86_400, 86_400]))
    def it_is_killed(self, which: int, step: int) -> None:
        """The machine's clock may be set while it is down."""
        self.die(which)
        if step and not any(process.in_hand for process in self.processes):
            self.clock.time += timedelta(seconds=step)

    def die(self, which: int) -> None:
        self.ledger.dead_owners.add(self.processes[which].owner)
        self.processes[which] = self.start()
        run(self.ledger.transact(resolve_left_behind))

    def record_outcome(
        self, process: Process, attempt: Attempt, outcome: Outcome, look: Look | None = None
    ) -> None:
        now, resolution = self.clock.time, SENT.get(outcome, Resolution.ANSWERED)
        done = replace(attempt, outcome=outcome, answered_at=now, resolution=resolution)
        if resolution is not None:
            done = replace(done, resolved_at=now)
        run(
            self.ledger.transact(
                lambda tx: record_outcome(tx, process.settings, done, None, look, OPEN)
            )
        )

    def posted(self, attempt: Attempt, now: datetime, *, charged: bool) -> None:
        post = Post(attempt.model_id, attempt.episode_id, now, charged)

        def within(span: timedelta) -> list[Post]:
            """What counts beside this one; what a stepped clock shows in the future, counts."""
            return [other for other in self.posts if other.at + span > now]

        assert len(within(timedelta(minutes=1))) < LIMITS.max_retries_per_minute
        day = [other for other in within(timedelta(hours=24)) if other.charged]
        assert len(day) < LIMITS.max_attempts_per_window
        window = [o for o in within(RULES.window) if o.charged and o.model_id == post.model_id]
        assert len(window) < RULES.max_attempts_per_window
        episode = [o for o in self.posts if o.charged and o.episode_id == post.episode_id]
        assert len(episode) < RULES.max_attempts
        under_way = [a.id for a in self.ledger.all_attempts() if a.under_way]
        mine = [a.id for a in self.ledger.all_attempts() if a.model_id == post.model_id]
        assert set(under_way) & set(mine) == {attempt.id}
        self.posts.append(post)

    def reserved(self) -> None:
        """The moment at which what is in flight is limited: a status that lags, or a clock that is
        set back, may later bring back what is over by then."""
        attempts = self.ledger.all_attempts()
        holders = {a.model_id for a in attempts if a.in_flight(self.clock.time)}
        assert len(holders) <= LIMITS.max_in_flight
        pending = [a.model_id for a in attempts if a.outcome is Outcome.PENDING]
        assert len(pending) == len(set(pending))


TestLimits = Limits.TestCase
TestLimits.settings = settings(max_examples=80, stateful_step_count=40, deadline=None)
