"""Who caused an observed change, while statuses lag by any time."""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fakes.records import (
    NOW,
    POLICY,
    PUSHED,
    REF,
    TIMING,
    ago,
    an_attempt,
    an_episode,
    failing,
    observed,
)
from tests.fakes.usage import fleet_from
from watchdog.domain.effects import pushed
from watchdog.domain.limits import episode_used
from watchdog.domain.policy import decide
from watchdog.domain.records import (
    Attempt,
    DecisionKind,
    DeploymentRef,
    EpisodeResult,
    FleetLimits,
    Observation,
    Outcome,
    Resolution,
    Target,
)
from watchdog.domain.step import Happening
from watchdog.domain.transition import observe

LATER = DeploymentRef("d3", NOW)
PRESUMED = an_attempt(
    reserved_at=ago(minutes=30),
    sent_at=ago(minutes=30),
    resolution=Resolution.REFAILED,
    resolved_at=ago(minutes=29),
    presumed=True,
    in_flight_until=ago(minutes=24),
    deployment=REF,
)
LONG_AGO = replace(PRESUMED, reserved_at=ago(minutes=60))
SEEN_TO_FAIL = replace(PRESUMED, presumed=False)
NEWER = replace(PRESUMED, id="a2", number=2, reserved_at=ago(minutes=5))


def test_a_failure_that_only_goes_on_is_presumed_to_be_the_attempts() -> None:
    attempt = an_attempt(sent_at=ago(minutes=1))
    step = observe(failing(), [attempt], observed("BUILD_FAILED"), POLICY, TIMING)
    (refailed,) = step.attempts
    assert (refailed.resolution, refailed.resolved_at) == (Resolution.REFAILED, NOW)
    assert refailed.presumed
    assert refailed.in_flight_until == NOW + POLICY.settle


def test_a_failure_after_another_status_is_seen_and_not_presumed() -> None:
    building = failing(status="BUILDING", failing_since=None)
    step = observe(building, [an_attempt()], observed("BUILD_FAILED"), POLICY, TIMING)
    (refailed,) = step.attempts
    assert refailed.resolution is Resolution.REFAILED
    assert not refailed.presumed


@pytest.mark.parametrize(
    ("status", "happened", "resolution"),
    [
        ("BUILDING", (), None),
        ("ACTIVE", (Happening.RECOVERED,), Resolution.RECOVERED),
    ],
)
def test_another_status_is_the_effect_of_an_attempt_that_was_presumed_to_have_failed(
    status: str, happened: tuple[Happening, ...], resolution: Resolution | None
) -> None:
    step = observe(failing(), [PRESUMED], observed(status), POLICY, TIMING)
    assert step.happened == happened
    (attempt,) = step.applied_to([PRESUMED])
    assert (attempt.resolution, attempt.presumed) == (resolution, False)


def test_an_effect_is_the_oldest_attempts_and_the_newest_is_watched_and_may_show_its_own() -> None:
    building = observe(failing(), [PRESUMED, NEWER], observed("BUILDING"), POLICY, TIMING)
    older, newer = building.applied_to([PRESUMED, NEWER])
    assert older == SEEN_TO_FAIL
    assert newer.under_way
    assert newer.presumed
    later = NOW + timedelta(minutes=4)
    failed = observe(
        building.target, [older, newer], observed("BUILD_FAILED", at=later), POLICY, TIMING
    )
    (newer,) = failed.attempts
    assert (newer.resolution, newer.resolved_at) == (Resolution.REFAILED, later)
    assert newer.presumed
    assert not newer.in_flight(later)


def test_an_attempt_under_way_again_holds_its_place_until_it_is_stuck() -> None:
    step = observe(failing(), [PRESUMED], observed("BUILDING"), POLICY, TIMING)
    (revived,) = step.attempts
    assert revived.under_way
    assert revived.in_flight_until == PRESUMED.reserved_at + POLICY.stuck_after
    assert revived.in_flight(NOW)


def test_one_that_lies_ahead_of_a_clock_that_was_set_back_is_not_stuck_at_once() -> None:
    ahead = an_attempt(reserved_at=NOW + timedelta(hours=9), sent_at=NOW + timedelta(hours=9))
    building = observe(failing(), [ahead], observed("BUILDING"), POLICY, TIMING)
    assert building.happened == ()
    (watched,) = building.applied_to([ahead])
    late = NOW + POLICY.stuck_after
    stuck = observe(building.target, [watched], observed("BUILDING", at=late), POLICY, TIMING)
    assert stuck.happened == (Happening.STUCK,)


def test_what_stood_there_before_an_attempt_of_an_older_program_is_no_push_either() -> None:
    of_older = replace(PRESUMED, deployment=None)
    adopted = observe(failing(), [of_older], observed("BUILD_FAILED", PUSHED), POLICY, TIMING)
    (made,) = adopted.attempts
    assert (made.deployment, made.made) == (REF, PUSHED)
    lagging = observe(adopted.target, [made], observed("BUILD_FAILED", REF), POLICY, TIMING)
    assert lagging.happened == ()
    assert lagging.target.episode == an_episode()


def test_one_that_lies_ahead_of_a_clock_that_was_set_back_holds_its_place_from_now() -> None:
    ahead = replace(PRESUMED, reserved_at=NOW + timedelta(days=365))
    target = failing(status_since=ago(minutes=1))
    step = observe(target, [ahead], observed("BUILDING"), POLICY, TIMING)
    (revived,) = step.attempts
    assert revived.in_flight_until == NOW + POLICY.stuck_after


@pytest.mark.parametrize(
    "attempt",
    [
        pytest.param(LONG_AGO, id="later-than-stuck-after"),
        pytest.param(SEEN_TO_FAIL, id="after-it-was-seen-to-fail"),
        pytest.param(replace(PRESUMED, episode_id="before"), id="of-an-episode-before"),
    ],
)
def test_another_status_is_a_persons_act(attempt: Attempt) -> None:
    step = observe(failing(), [attempt], observed("BUILDING"), POLICY, TIMING)
    assert step.happened == (Happening.SUPERSEDED,)


def test_a_build_that_a_person_stopped_is_no_effect_of_ours() -> None:
    step = observe(failing(), [PRESUMED], observed("BUILD_STOPPED"), POLICY, TIMING)
    assert step.happened == (Happening.SUPERSEDED,)
    assert step.attempts == ()


@pytest.mark.parametrize(
    ("attempts", "makers"),
    [
        pytest.param([an_attempt(deployment=REF)], ["a1"], id="under-way"),
        pytest.param([PRESUMED], ["a1"], id="presumed-to-have-failed"),
        pytest.param([PRESUMED, NEWER], ["a1"], id="the-oldest"),
        pytest.param([replace(PRESUMED, made=LATER), NEWER], ["a2"], id="that-has-made-none-yet"),
        pytest.param([LONG_AGO], [], id="not-later-than-stuck-after"),
        pytest.param([SEEN_TO_FAIL], [], id="not-after-it-was-seen-to-fail"),
        pytest.param([replace(PRESUMED, made=LATER)], [], id="not-a-second-time"),
    ],
)
def test_who_caused_a_change_of_the_deployment(attempts: list[Attempt], makers: list[str]) -> None:
    step = observe(failing(), attempts, observed("BUILD_FAILED", PUSHED), POLICY, TIMING)
    made = [each.id for each in step.applied_to(attempts) if each.made == PUSHED]
    assert made == makers
    assert (Happening.REPLACED in step.happened) == (not makers)
    assert step.target.episode is not None
    assert (step.target.episode.id == "e1") == bool(makers)


def test_a_look_that_lags_shows_again_what_stood_there_before() -> None:
    made = replace(PRESUMED, made=PUSHED)
    target = failing(deployment=PUSHED)
    for ref in (REF, PUSHED):
        step = observe(target, [made], observed("BUILD_FAILED", ref), POLICY, TIMING)
        assert Happening.REPLACED not in step.happened
        target = step.target


def test_an_attempt_under_way_ends_with_the_deployment_that_a_second_push_replaced() -> None:
    second = an_attempt(deployment=REF, made=PUSHED)
    step = observe(
        failing(deployment=PUSHED), [second], observed("BUILDING", LATER), POLICY, TIMING
    )
    assert step.happened == (Happening.REPLACED,)
    assert [attempt.resolution for attempt in step.attempts] == [Resolution.SUPERSEDED]


def test_a_push_that_only_the_audit_log_shows_ends_the_episode() -> None:
    step = pushed(failing(), [an_attempt()], NOW)
    assert step.ended is not None
    assert (step.ended.result, step.ended.ended_at) == (EpisodeResult.REPLACED, NOW)
    assert step.target.episode is None
    assert [attempt.resolution for attempt in step.attempts] == [Resolution.SUPERSEDED]


# No lag leads to a new budget

LOOK = timedelta(minutes=1)


@dataclass
class Lagging:
    """One model that no retry helps and that no operator touches. Checks show it as it was `lag`
    ago. `renews`: each retry makes another deployment."""

    lag: timedelta
    builds_for: timedelta
    renews: bool
    answers: tuple[Outcome, ...]
    now: datetime = NOW
    target: Target = field(default_factory=lambda: Target("m1"))
    attempts: list[Attempt] = field(default_factory=list)
    past: list[tuple[datetime, str, DeploymentRef]] = field(
        default_factory=lambda: [(ago(days=9), "BUILD_FAILED", REF)]
    )

    def shown(self) -> Observation:
        then = self.now - self.lag
        _, status, ref = [each for each in self.past if each[0] <= then][-1]
        return Observation(status, ref, self.now)

    def look(self) -> None:
        step = observe(self.target, self.attempts, self.shown(), POLICY, TIMING)
        self.target, self.attempts = step.target, list(step.applied_to(self.attempts))
        limits = FleetLimits(1000, 1, 1000)
        fleet = fleet_from(self.attempts, limits, self.now)
        if decide(step.target, self.attempts, fleet, POLICY, self.now).kind is DecisionKind.RETRY:
            self.retry()

    def retry(self) -> None:
        number, ref = len(self.attempts), self.past[-1][2]
        if self.renews:
            ref = DeploymentRef(f"made-{number}", self.now)
        self.past += [
            (self.now, "BUILDING", ref),
            (self.now + self.builds_for, "BUILD_FAILED", ref),
        ]
        assert self.target.episode is not None
        self.attempts.append(
            Attempt(
                id=f"a{number}",
                model_id="m1",
                episode_id=self.target.episode.id,
                number=episode_used(self.target, self.attempts) + 1,
                owner="daemon:1",
                reserved_at=self.now,
                outcome=self.answers[number % len(self.answers)],
                sent_at=self.now,
                in_flight_until=self.now + POLICY.stuck_after,
                deployment=self.target.deployment,
            )
        )


@settings(max_examples=40)
@given(
    lag=st.integers(0, 55).map(lambda minutes: timedelta(minutes=minutes)),
    builds_for=st.sampled_from([timedelta(seconds=45), timedelta(minutes=4)]),
    renews=st.booleans(),
    answers=st.lists(st.sampled_from([Outcome.ACCEPTED, Outcome.UNKNOWN]), min_size=1).map(tuple),
)
def test_no_lag_below_stuck_after_grants_a_fresh_budget(
    lag: timedelta, builds_for: timedelta, renews: bool, answers: tuple[Outcome, ...]
) -> None:
    model = Lagging(lag, builds_for, renews, answers)
    while model.now < NOW + timedelta(hours=6):
        model.look()
        model.now += LOOK
    assert len(model.attempts) == POLICY.max_attempts
