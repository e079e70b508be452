"""The rules over any interleaving: two daemons, some models, operators, crashes and clock steps.

Each rule of the state machine is one possible event. The POSTs that the API receives are counted
separately from the records that the limits are computed from. Episodes are counted separately too:
a new one begins when an operator acted, when lasting health was seen, or when the target was absent
for long.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from tests.fakes.records import NOW, POLICY, REF, TIMING, judged
from tests.fakes.usage import fleet_from
from watchdog.domain.effects import named_in_answer
from watchdog.domain.limits import FLEET_DAY, FLEET_MINUTE, episode_used
from watchdog.domain.policy import decide
from watchdog.domain.records import (
    Attempt,
    Decision,
    DecisionKind,
    DecisionReason,
    DeploymentRef,
    FleetLimits,
    Health,
    Hold,
    Observation,
    Outcome,
    Policy,
    Resolution,
    Standing,
    Target,
)
from watchdog.domain.removal import missed, unwatched
from watchdog.domain.steady import is_steady
from watchdog.domain.transition import observe

MODELS = ("a", "b", "c")
HEALTHY = ("ACTIVE", "SCALED_TO_ZERO")
BY_PEOPLE = ("BUILD_FAILED", "DEPLOY_FAILED", *HEALTHY, "BUILDING", "BUILD_STOPPED", "UNHEALTHY")
RULES = replace(
    POLICY,
    first_delay=timedelta(seconds=5),
    backoff=timedelta(seconds=10),
    backoff_max=timedelta(seconds=30),
    window=timedelta(hours=2),
    healthy_reset=timedelta(minutes=5),
    stuck_after=timedelta(minutes=10),
    settle=timedelta(minutes=2),
)
RESERVATION = timedelta(seconds=30)
"""How long after its reservation an attempt may be sent."""

OPEN = (Outcome.ACCEPTED, Outcome.UNKNOWN, Outcome.DRY_RUN)
"""After these outcomes the attempt is still watched; any other one ends it."""

ANSWERS = sorted({*Outcome} - {Outcome.PENDING, Outcome.ABANDONED})


@dataclass
class Slot:
    """A development slot as it really is, and what the daemons have seen of it.

    `tried` are the charged POSTs since a new episode may have begun. `well_for` is the health seen,
    up to `well_at` if that was the last look. `absent_since` is the first of the 404s in a row.
    `gone_since` is when it was removed, until it is seen again. `standing`: it has failed since
    before it was watched.
    """

    status: str = "BUILD_FAILED"
    deployment: DeploymentRef = REF
    there: bool = True
    standing: bool = True
    tried: int = 0
    well_for: timedelta = timedelta(0)
    well_at: datetime | None = None
    absent_since: datetime | None = None
    gone_since: datetime | None = None


@dataclass(frozen=True)
class Post:
    model_id: str
    at: datetime
    charged: bool


@dataclass
class Daemon:
    """`in_hand` are its reservations that it has not sent yet."""

    owner: str
    in_hand: dict[str, Attempt] = field(default_factory=dict)


def so_recent(posts: Iterable[Post], span: timedelta, now: datetime) -> int:
    """After the clock was set back, a POST with a time in the future counts."""
    return sum(post.at + span > now for post in posts)


class Rules(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.now = NOW
        self.hold: Hold | None = None
        self.slots = {model_id: Slot() for model_id in MODELS}
        self.targets = {model_id: Target(model_id) for model_id in MODELS}
        self.attempts: dict[str, Attempt] = {}
        self.posts: list[Post] = []
        self.lives = 0
        self.daemons = [self.started(), self.started()]

    few = st.integers(1, 3)
    mostly = st.sampled_from([True, True, True, False])

    @initialize(
        minute=few,
        in_flight=few,
        day=st.sampled_from([3, 4, 6, 50]),
        episode=few,
        more=st.integers(0, 2),
        standing=st.sampled_from(Standing),
    )
    def configured(
        self, minute: int, in_flight: int, day: int, episode: int, more: int, standing: Standing
    ) -> None:
        """Any of the limits may be the one that is reached first."""
        self.fleet_limits = FleetLimits(minute, in_flight, day)
        self.policy: Policy = replace(
            RULES,
            max_attempts=episode,
            max_attempts_per_window=episode + more,
            standing=standing,
        )

    # What happens in the world

    models = st.sampled_from(MODELS)
    which = st.integers(0, 1)
    spans = st.one_of(st.integers(1, 40), st.sampled_from([60, 301, 601, 3600, 7200, 86_400]))

    @rule(seconds=spans)
    def time_passes(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)

    @rule(model_id=models, status=st.sampled_from(BY_PEOPLE), push=st.booleans())
    def a_person_acts(self, model_id: str, status: str, push: bool) -> None:
        slot = self.slots[model_id]
        slot.status, slot.there, slot.standing, slot.tried = status, True, False, 0
        if push:
            self.renew(slot)

    @rule(model_id=models, status=st.sampled_from(("DEPLOY_FAILED", *HEALTHY, "LOADING_MODEL")))
    def it_goes_on_by_itself(self, model_id: str, status: str) -> None:
        slot = self.slots[model_id]
        if slot.status in ("BUILDING", "LOADING_MODEL", *HEALTHY):
            slot.status, slot.standing = status, False

    @rule(model_id=models, which=which, seconds=st.lists(st.integers(1, 61), max_size=3))
    def it_is_not_found_for_a_while(self, model_id: str, which: int, seconds: list[int]) -> None:
        slot = self.slots[model_id]
        slot.there, slot.standing = False, False
        for each in seconds:
            self.sweep(which, each)
        slot.there = True

    @staticmethod
    def renew(slot: Slot) -> None:
        pushed = slot.deployment.created_at + timedelta(seconds=1)
        slot.deployment = replace(slot.deployment, created_at=pushed)

    # What daemons do

    @rule(which=which, seconds=st.integers(1, 60))
    def sweep(self, which: int, seconds: int) -> None:
        self.time_passes(seconds)
        for model_id in MODELS:
            self.check(model_id, which)

    @rule(model_id=models, which=which)
    def check(self, model_id: str, which: int) -> None:
        """Look, record, decide, and reserve where the decision says so: one transaction."""
        daemon, slot = self.daemons[which], self.slots[model_id]
        if model_id in daemon.in_hand:
            return
        decision = self.look(model_id)
        if decision.kind is not DecisionKind.RETRY:
            return
        target = self.targets[model_id]
        assert slot.there
        assert slot.status in self.policy.retry_on
        assert target.deployment == slot.deployment
        assert self.hold is None or self.hold.until <= self.now
        assert target.episode is not None
        attempt = Attempt(
            id=f"attempt-{len(self.attempts)}",
            model_id=model_id,
            episode_id=target.episode.id,
            number=episode_used(target, self.attempts_of(model_id)) + 1,
            owner=daemon.owner,
            reserved_at=self.now,
            in_flight_until=self.now + self.policy.stuck_after,
            deployment=target.deployment,
        )
        holders = {a.model_id for a in self.attempts.values() if a.in_flight(self.now)}
        assert len(holders - {model_id}) < self.fleet_limits.max_in_flight
        self.attempts[attempt.id] = daemon.in_hand[model_id] = attempt

    answers = st.sampled_from(ANSWERS)

    @rule(which=which, answer=answers, recorded=mostly, executed=st.booleans())
    @precondition(lambda self: any(daemon.in_hand for daemon in self.daemons))
    def send(self, which: int, answer: Outcome, recorded: bool, executed: bool) -> None:
        """Check again, POST, and record the answer, unless the daemon dies before that."""
        daemon = self.daemons[which]
        if not daemon.in_hand:
            return
        model_id, attempt = daemon.in_hand.popitem()
        slot, target = self.slots[model_id], self.targets[model_id]
        failing = slot.there and slot.status in self.policy.retry_on
        late = self.now > attempt.reserved_at + RESERVATION
        if late or not failing or slot.deployment != target.deployment:
            self.answered(attempt, Outcome.ABANDONED)
            self.look(model_id)
            return
        self.posted(slot, attempt, charged=answer.charged or not recorded)
        if answer is Outcome.ACCEPTED or (answer is Outcome.UNKNOWN and executed):
            slot.status, slot.standing = "BUILDING", False
            self.renew(slot)
        if not recorded:
            self.kill(which)
            return
        self.answered(replace(attempt, sent_at=self.now), answer)
        if answer is Outcome.ACCEPTED:
            attempts = self.attempts_of(model_id)
            step = named_in_answer(target, attempts, attempt.id, slot.deployment)
            self.targets[model_id] = step.target
            self.write(step.attempts)

    @rule(
        which=which,
        answers=st.lists(answers, min_size=1, max_size=8)
        | st.builds(lambda answer, times: [answer] * times, answers, st.integers(2, 8)),
        gap=st.sampled_from([1, 11, 31, 61, 601]),
        push=st.booleans(),
        race=st.booleans(),
        slow=st.booleans(),
        well=st.sampled_from([(), (), (0,), (0, 60, 60, 60), (0, *[60] * 6), (0, 3600)]),
    )
    def a_bad_time(
        self,
        which: int,
        answers: list[Outcome],
        gap: int,
        push: bool,
        race: bool,
        slow: bool,
        well: tuple[int, ...],
    ) -> None:
        """Uses up the limits: failures of all models, and retries that do not help for long."""
        for model_id in MODELS if push else ():
            self.a_person_acts(model_id, "BUILD_FAILED", push=True)
        for answer in answers:
            for seconds in (gap, 1):
                self.sweep(which, seconds)
                if race:
                    self.sweep(1 - which, 11)
                self.send_all(answer)
            for seconds in (601, 61) if slow else ():
                self.sweep(which, seconds)
            for seconds in well:
                self.all_go_on("ACTIVE")
                self.sweep(which, seconds)
            self.all_go_on("DEPLOY_FAILED")

    def send_all(self, answer: Outcome) -> None:
        for which in (0, 1):
            while self.daemons[which].in_hand:
                self.send(which, answer, recorded=True, executed=True)

    def all_go_on(self, status: str) -> None:
        for model_id in MODELS:
            self.it_goes_on_by_itself(model_id, status)

    @rule(which=which, step=st.sampled_from([0, 0, -3600, 3600, -86_400, 86_400]))
    def crash(self, which: int, step: int) -> None:
        """A daemon is killed; or the machine goes down, and comes up with another time."""
        for each in (0, 1) if step else (which,):
            self.kill(each)
        self.now += timedelta(seconds=step)

    @rule(retry=mostly, both=mostly)
    def restart_with_another_policy(self, retry: bool, both: bool) -> None:
        for which in (0, 1):
            self.kill(which)
        standing = Standing.RETRY if retry else Standing.IGNORE
        retry_on = RULES.retry_on if both else frozenset({"BUILD_FAILED"})
        self.policy = replace(self.policy, standing=standing, retry_on=retry_on)
        for slot in self.slots.values():
            # Under other rules the same status may mean something else.
            slot.standing = slot.standing and slot.status in retry_on
            slot.tried = slot.tried if slot.status in retry_on else 0

    @rule(model_id=models, which=which)
    def leave_the_configuration_for_a_while(self, model_id: str, which: int) -> None:
        self.kill(which)
        slot = self.slots[model_id]
        slot.standing, slot.gone_since = False, slot.gone_since or self.now
        step = unwatched(self.targets[model_id], self.attempts_of(model_id), self.now)
        self.write(step.attempts)
        self.targets[model_id] = replace(step.target, watched=True)

    # What a daemon's ledger does

    def started(self) -> Daemon:
        self.lives += 1
        return Daemon(f"daemon:{self.lives}")

    def kill(self, which: int) -> None:
        """Then let the next daemon resolve the dead one's reservations: charged, as sent at the
        last possible moment."""
        owner = self.daemons[which].owner
        self.daemons[which] = self.started()
        for attempt in list(self.attempts.values()):
            if attempt.owner == owner and attempt.outcome is Outcome.PENDING:
                sent_at = attempt.reserved_at + RESERVATION
                lost = replace(attempt, outcome=Outcome.UNKNOWN, sent_at=sent_at)
                self.attempts[attempt.id] = lost

    def attempts_of(self, model_id: str) -> list[Attempt]:
        return [a for a in self.attempts.values() if a.model_id == model_id]

    def answered(self, attempt: Attempt, outcome: Outcome) -> None:
        done = replace(attempt, outcome=outcome, answered_at=self.now)
        if outcome not in OPEN:
            done = replace(done, resolution=Resolution.ANSWERED, resolved_at=self.now)
        self.attempts[attempt.id] = done
        if outcome is Outcome.THROTTLED:
            self.hold = Hold(DecisionReason.API_HELD, self.now + timedelta(seconds=20))

    def write(self, seen: tuple[Attempt, ...]) -> None:
        """The observations of attempts, but not the outcomes of sending them."""
        for attempt in seen:
            before = self.attempts[attempt.id]
            assert before.unended
            assert attempt.outcome is before.outcome
            self.attempts[attempt.id] = attempt

    def look(self, model_id: str) -> Decision:
        slot, target = self.slots[model_id], self.targets[model_id]
        attempts = self.attempts_of(model_id)
        if slot.there:
            seen = Observation(slot.status, slot.deployment, self.now)
            step = observe(target, attempts, seen, self.policy, TIMING)
            self.seen(slot)
            assert (step.target.failing_since or self.now) <= self.now
            if is_steady(judged(target), seen, self.policy):
                assert (step.happened, step.ended, step.attempts) == ((), None, ())
                assert step.target == replace(target, observed_at=self.now)
        else:
            step = missed(target, attempts, self.now, TIMING)
            self.not_found(slot, removed=step.target.missing)
        self.write(step.attempts)
        attempts = self.attempts_of(model_id)
        everybodys = [*self.attempts.values()]
        fleet = fleet_from(everybodys, self.fleet_limits, self.now, hold=self.hold)
        decision = decide(step.target, attempts, fleet, self.policy, self.now)
        self.targets[model_id] = replace(step.target, decision=decision)
        self.judged(self.targets[model_id], attempts)
        return decision

    def judged(self, target: Target, attempts: list[Attempt]) -> None:
        """Holds for every target after a check with a usable result; a first 404 has none."""
        assert (target.failing_since is not None) == (target.health is Health.FAILING)
        if any(attempt.outcome is Outcome.PENDING for attempt in attempts):
            assert target.decision.kind is not DecisionKind.RETRY
            return
        if target.missing_since is not None and not target.missing:
            return
        is_open = target.episode is not None and target.episode.open
        if target.health is Health.FAILING:
            assert is_open
        if target.health is Health.HEALTHY or target.missing:
            assert not is_open
            assert not any(attempt.under_way for attempt in attempts)

    # What is counted apart

    def seen(self, slot: Slot) -> None:
        if slot.gone_since is not None and self.now - slot.gone_since >= RULES.healthy_reset:
            slot.tried = 0
        slot.gone_since = slot.absent_since = None
        if slot.status in HEALTHY:
            gap = self.now - (slot.well_at or self.now)
            if timedelta(0) <= gap <= TIMING.longest_gap:
                slot.well_for += gap
            slot.well_at = self.now
            return
        slot.well_at = None
        if slot.status in self.policy.retry_on:
            if slot.well_for >= RULES.healthy_reset:
                slot.tried = 0
            slot.well_for = timedelta(0)
        elif slot.status in RULES.retry_on:
            slot.tried = 0  # It is broken: leaving that may be an operator's act.

    def not_found(self, slot: Slot, *, removed: bool) -> None:
        slot.absent_since = min(slot.absent_since or self.now, self.now)
        if removed and slot.gone_since is None:
            assert self.now - slot.absent_since >= TIMING.interval
            slot.gone_since = self.now

    def posted(self, slot: Slot, attempt: Attempt, *, charged: bool) -> None:
        """Check every limit against the POSTs before this one."""
        fleet, policy, now = self.fleet_limits, self.policy, self.now
        charges = [post for post in self.posts if post.charged]
        own = [post for post in charges if post.model_id == attempt.model_id]
        assert so_recent(self.posts, FLEET_MINUTE, now) < fleet.max_retries_per_minute
        assert so_recent(charges, FLEET_DAY, now) < fleet.max_attempts_per_window
        assert so_recent(own, policy.window, now) < policy.max_attempts_per_window
        assert slot.tried < policy.max_attempts
        assert not (slot.standing and policy.standing is Standing.IGNORE)
        under_way = [a.id for a in self.attempts_of(attempt.model_id) if a.under_way]
        assert under_way == [attempt.id]
        slot.tried += charged
        self.posts.append(Post(attempt.model_id, now, charged))

    @invariant()
    def one_attempt_of_a_target_is_pending_at_most(self) -> None:
        every = self.attempts.values()
        pending = Counter(a.model_id for a in every if a.outcome is Outcome.PENDING)
        assert all(count == 1 for count in pending.values())


TestRules = Rules.TestCase
TestRules.settings = settings(max_examples=120, stateful_step_count=30)
