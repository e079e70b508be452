"""What an observation does to a target, its episode and its attempts: one row a rule."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from tests.fakes.records import (
    NOW,
    POLICY,
    PUSHED,
    TIMING,
    ago,
    an_attempt,
    an_episode,
    failing,
    healthy,
    inactive,
    judged,
    observed,
    refailed,
)
from watchdog.domain.effects import named_in_answer, pushed
from watchdog.domain.episode import reset
from watchdog.domain.records import (
    UNOBSERVED,
    Actor,
    Attempt,
    Decision,
    DecisionKind,
    DecisionReason,
    DeploymentRef,
    Episode,
    EpisodeResult,
    Health,
    Observation,
    Outcome,
    Resolution,
    Target,
)
from watchdog.domain.removal import ended_with_its_target, missed, unwatched
from watchdog.domain.steady import is_steady
from watchdog.domain.step import Happening, effective_interval
from watchdog.domain.transition import observe

BUILDING = failing(status="BUILDING", health=Health.IN_PROGRESS, failing_since=None)
SENT_LONG_AGO = an_attempt(reserved_at=ago(minutes=61), sent_at=ago(minutes=61))
STUCK = replace(SENT_LONG_AGO, resolution=Resolution.STUCK, resolved_at=ago(minutes=1))
LEFT = an_attempt(episode_id="e0")
RECOVERED = an_episode(result=EpisodeResult.RECOVERED, ended_at=ago(minutes=10))
WELL = healthy(episode=RECOVERED, healthy_for=timedelta(minutes=10))


@pytest.mark.parametrize(
    ("target", "attempts", "observation", "happened"),
    [
        pytest.param(Target("m1"), [], observed("ACTIVE"), [], id="first-seen-healthy"),
        pytest.param(
            Target("m1"), [], observed("BUILD_FAILED"), [Happening.OPENED], id="first-seen-failing"
        ),
        pytest.param(
            healthy(), [], observed("BUILD_FAILED"), [Happening.OPENED], id="begins-to-fail"
        ),
        pytest.param(failing(), [], observed("BUILD_FAILED"), [], id="goes-on-failing"),
        pytest.param(failing(), [], observed("DEPLOY_FAILED"), [], id="fails-in-another-way"),
        pytest.param(
            failing(), [], observed("BUILDING"), [Happening.SUPERSEDED], id="a-person-retries"
        ),
        pytest.param(
            failing(), [], observed("ACTIVE"), [Happening.SUPERSEDED], id="a-person-repairs"
        ),
        pytest.param(
            failing(), [], observed("BUILD_STOPPED"), [Happening.SUPERSEDED], id="a-person-stops"
        ),
        pytest.param(
            failing(),
            [refailed(ago(minutes=9))],
            observed("BUILDING"),
            [Happening.SUPERSEDED],
            id="a-person-retries-after-us",
        ),
        pytest.param(
            failing(),
            [],
            observed("ACTIVE", PUSHED),
            [Happening.REPLACED],
            id="a-person-pushes-what-works",
        ),
        pytest.param(
            failing(),
            [],
            observed("BUILD_FAILED", PUSHED),
            [Happening.REPLACED, Happening.OPENED],
            id="a-person-pushes-what-fails",
        ),
        pytest.param(healthy(), [], observed("ACTIVE", PUSHED), [], id="a-push-without-an-episode"),
        pytest.param(
            WELL,
            [],
            observed("BUILD_FAILED", PUSHED),
            [Happening.OPENED],
            id="a-push-soon-after-a-recovery",
        ),
        pytest.param(failing(), [an_attempt()], observed("BUILDING"), [], id="our-retry-builds"),
        pytest.param(BUILDING, [an_attempt()], observed("LOADING_MODEL"), [], id="our-retry-loads"),
        pytest.param(
            BUILDING,
            [an_attempt()],
            observed("ACTIVE"),
            [Happening.RECOVERED],
            id="our-retry-recovers",
        ),
        pytest.param(
            failing(),
            [an_attempt()],
            observed("ACTIVE"),
            [Happening.RECOVERED],
            id="our-retry-recovers-at-once",
        ),
        pytest.param(
            BUILDING,
            [an_attempt()],
            observed("BUILD_FAILED"),
            [Happening.REFAILED],
            id="our-retry-fails",
        ),
        pytest.param(
            failing(),
            [an_attempt(sent_at=ago(seconds=25))],
            observed("BUILD_FAILED"),
            [],
            id="the-status-lags",
        ),
        pytest.param(
            failing(),
            [an_attempt(sent_at=NOW, reserved_at=NOW)],
            observed("BUILD_FAILED"),
            [],
            id="seen-as-it-was-sent",
        ),
        pytest.param(
            failing(),
            [an_attempt(sent_at=ago(seconds=26))],
            observed("BUILD_FAILED"),
            [Happening.REFAILED],
            id="the-status-lags-no-longer",
        ),
        pytest.param(
            BUILDING,
            [an_attempt(sent_at=ago(seconds=5))],
            observed("BUILD_FAILED"),
            [Happening.REFAILED],
            id="no-lag-once-it-was-another",
        ),
        pytest.param(
            BUILDING,
            [an_attempt()],
            observed("BUILD_STOPPED"),
            [Happening.SUPERSEDED],
            id="a-person-stops-our-retry",
        ),
        pytest.param(
            BUILDING,
            [an_attempt()],
            inactive(Actor.PERSON),
            [Happening.SUPERSEDED],
            id="a-person-deactivates-it",
        ),
        pytest.param(
            BUILDING, [an_attempt()], observed("UNHEALTHY"), [], id="not-retryable-on-the-way"
        ),
        pytest.param(
            BUILDING, [an_attempt()], observed("BUILDING", PUSHED), [], id="our-retry-has-a-new-id"
        ),
        pytest.param(
            BUILDING, [SENT_LONG_AGO], observed("BUILDING"), [Happening.STUCK], id="stuck"
        ),
        pytest.param(
            BUILDING,
            [an_attempt(reserved_at=ago(minutes=60), sent_at=ago(minutes=60))],
            observed("BUILDING"),
            [Happening.STUCK],
            id="just-stuck",
        ),
        pytest.param(
            BUILDING, [STUCK], observed("ACTIVE"), [Happening.RECOVERED], id="recovers-after-all"
        ),
        pytest.param(
            BUILDING, [STUCK], observed("BUILD_FAILED"), [Happening.REFAILED], id="fails-after-all"
        ),
        pytest.param(BUILDING, [STUCK], observed("BUILDING"), [], id="stuck-is-told-once"),
        pytest.param(
            failing(failing_since=NOW),
            [STUCK],
            observed("BUILDING"),
            [Happening.SUPERSEDED],
            id="a-person-retries-what-failed-after-it-was-stuck",
        ),
        pytest.param(
            failing(failing_since=NOW),
            [STUCK],
            observed("ACTIVE"),
            [Happening.SUPERSEDED],
            id="a-person-repairs-what-failed-after-it-was-stuck",
        ),
        pytest.param(
            failing(), [LEFT], observed("BUILDING"), [], id="our-retry-of-an-episode-before-builds"
        ),
        pytest.param(
            failing(),
            [LEFT],
            observed("ACTIVE"),
            [Happening.RECOVERED],
            id="our-retry-of-an-episode-before-helps",
        ),
        pytest.param(
            failing(),
            [LEFT],
            observed("BUILDING", PUSHED),
            [],
            id="our-retry-of-an-episode-before-has-a-new-id",
        ),
        pytest.param(
            WELL, [], observed("BUILD_FAILED"), [Happening.REOPENED], id="fails-again-too-soon"
        ),
        pytest.param(WELL, [], observed("BUILDING"), [], id="in-progress-after-a-recovery"),
        pytest.param(
            failing(),
            [an_attempt(Outcome.PENDING)],
            observed("ACTIVE"),
            [],
            id="nothing-is-judged-while-somebody-sends",
        ),
    ],
)
def test_what_an_observation_means(
    target: Target,
    attempts: Sequence[Attempt],
    observation: Observation,
    happened: list[Happening],
) -> None:
    step = observe(target, attempts, observation, POLICY, TIMING)
    assert list(step.happened) == happened
    assert step.target.status == observation.status
    assert step.target.deployment == observation.deployment
    assert step.target.observed_at == NOW
    assert (step.target.failing_since is not None) == (step.target.health is Health.FAILING)


def test_a_failure_opens_an_episode_and_only_the_first_look_makes_it_standing() -> None:
    first = observe(Target("m1"), [], observed("BUILD_FAILED"), POLICY, TIMING).target
    later = observe(healthy(), [], observed("BUILD_FAILED"), POLICY, TIMING).target
    assert first.episode is not None
    assert later.episode is not None
    assert (first.episode.standing, later.episode.standing) == (True, False)
    assert later.failing_since == NOW
    assert later.episode == an_episode(
        id="m1@2026-03-01T12:00:00.000000Z", opened_at=NOW, failing_from=NOW
    )


def test_a_re_failure_ends_the_attempt_and_begins_a_new_span() -> None:
    step = observe(BUILDING, [an_attempt()], observed("BUILD_FAILED"), POLICY, TIMING)
    (attempt,) = step.attempts
    assert (attempt.resolution, attempt.resolved_at) == (Resolution.REFAILED, NOW)
    assert step.target.failing_since == NOW
    assert step.target.episode == BUILDING.episode


def test_a_push_that_fails_begins_a_span_of_its_own() -> None:
    step = observe(failing(), [], observed("BUILD_FAILED", PUSHED), POLICY, TIMING)
    assert step.ended == an_episode(result=EpisodeResult.REPLACED, ended_at=NOW)
    pushed = step.target
    assert pushed.episode is not None
    assert pushed.failing_since == pushed.episode.failing_from == NOW
    assert observe(WELL, [], observed("ACTIVE", PUSHED), POLICY, TIMING).target == healthy(
        deployment=PUSHED, status_since=NOW, observed_at=NOW
    )


def test_a_push_during_a_build_begins_another_build() -> None:
    building = failing(
        status="BUILDING",
        status_since=ago(hours=1),
        health=Health.IN_PROGRESS,
        failing_since=None,
        in_progress_since=ago(hours=1),
        episode=None,
    )
    pushed = observe(building, [], observed("BUILDING", PUSHED), POLICY, TIMING).target
    assert pushed.status_since == pushed.in_progress_since == NOW
    same = observe(building, [], observed("BUILDING"), POLICY, TIMING).target
    assert same.status_since == same.in_progress_since == ago(hours=1)


@pytest.mark.parametrize(
    ("status", "since"), [("ACTIVE", ago(days=1)), ("SCALED_TO_ZERO", NOW), ("BUILD_FAILED", NOW)]
)
def test_since_when_a_status_has_stood(status: str, since: datetime) -> None:
    assert observe(healthy(), [], observed(status), POLICY, TIMING).target.status_since == since


def test_our_own_retry_never_grants_itself_a_fresh_budget() -> None:
    step = observe(BUILDING, [an_attempt()], observed("BUILD_FAILED", PUSHED), POLICY, TIMING)
    assert step.target.episode == replace(an_episode(), deployment=PUSHED)
    named = named_in_answer(failing(), [an_attempt()], "a1", PUSHED)
    assert named.target.episode == replace(an_episode(), deployment=PUSHED)
    assert named.target.deployment == PUSHED
    assert [attempt.made for attempt in named.attempts] == [PUSHED]
    assert named_in_answer(healthy(), [], "a1", PUSHED).target.episode is None


def test_a_recovery_keeps_the_episode_at_hand_and_a_persons_act_lets_go_of_it() -> None:
    before = replace(BUILDING, healthy_for=timedelta(minutes=5))
    recovered = observe(before, [an_attempt()], observed("ACTIVE"), POLICY, TIMING)
    assert recovered.target.healthy_for == timedelta(0)
    assert recovered.target.episode == recovered.ended
    assert recovered.ended is not None
    assert (recovered.ended.result, recovered.ended.ended_at) == (EpisodeResult.RECOVERED, NOW)
    for status in ("ACTIVE", "BUILDING"):
        superseded = observe(failing(), [], observed(status), POLICY, TIMING)
        assert superseded.target.episode is None
        assert superseded.ended == an_episode(result=EpisodeResult.SUPERSEDED, ended_at=NOW)


@pytest.mark.parametrize(
    ("healthy_for", "gap", "after"),
    [
        pytest.param(10, 1, 11, id="adds-up"),
        pytest.param(10, 2, 12, id="the-longest-gap"),
        pytest.param(10, 3, 10, id="a-gap-in-watching-does-not-count"),
        pytest.param(10, -1, 10, id="a-step-back-does-not-count"),
        pytest.param(28, 1, 29, id="just-not-enough"),
        pytest.param(29, 1, None, id="enough-and-the-episode-is-over"),
    ],
)
def test_only_observed_health_counts(healthy_for: int, gap: int, after: int | None) -> None:
    target = replace(WELL, healthy_for=timedelta(minutes=healthy_for), observed_at=ago(minutes=gap))
    step = observe(target, [], observed("ACTIVE"), POLICY, TIMING)
    if after is None:
        assert step.target.episode is None
        assert step.target.healthy_for == timedelta(0)
    else:
        assert step.target.episode == RECOVERED
        assert step.target.healthy_for == timedelta(minutes=after)


def test_health_does_not_add_up_over_another_status() -> None:
    waking = replace(WELL, status="WAKING_UP", health=Health.IN_PROGRESS)
    step = observe(waking, [], observed("ACTIVE"), POLICY, TIMING)
    assert step.target.healthy_for == WELL.healthy_for


def test_a_failure_too_soon_re_opens_the_episode_with_its_count() -> None:
    step = observe(WELL, [refailed(ago(hours=1))], observed("BUILD_FAILED"), POLICY, TIMING)
    assert step.target.episode == replace(an_episode(), failing_from=NOW)
    assert step.target.healthy_for == timedelta(0)


LONG_WELL = an_episode(result=EpisodeResult.RECOVERED, ended_at=ago(hours=9))


def test_an_attempt_of_an_earlier_episode_is_settled_as_the_episode_is_let_go() -> None:
    target = healthy(episode=LONG_WELL, healthy_for=POLICY.healthy_reset)
    step = observe(target, [LEFT], observed("ACTIVE"), POLICY, TIMING)
    assert step.target.episode is None
    assert [attempt.resolution for attempt in step.attempts] == [Resolution.RECOVERED]


@pytest.mark.parametrize("episode", [None, an_episode(), RECOVERED])
@pytest.mark.parametrize(
    ("status", "attempt", "resolution"),
    [
        ("ACTIVE", LEFT, Resolution.RECOVERED),
        ("BUILD_FAILED", LEFT, Resolution.REFAILED),
        ("BUILD_STOPPED", LEFT, Resolution.SUPERSEDED),
        ("BUILDING", replace(SENT_LONG_AGO, episode_id="e0"), Resolution.STUCK),
        ("UNHEALTHY", replace(SENT_LONG_AGO, episode_id="e0"), Resolution.STUCK),
    ],
)
def test_an_attempt_of_an_earlier_episode_is_settled_like_any_other(
    status: str, attempt: Attempt, resolution: Resolution, episode: Episode | None
) -> None:
    target = replace(BUILDING, episode=episode)
    (settled,) = observe(target, [attempt], observed(status), POLICY, TIMING).attempts
    assert (settled.resolution, settled.resolved_at) == (resolution, NOW)


@pytest.mark.parametrize(
    ("result", "standing"),
    [
        pytest.param(EpisodeResult.RECOVERED, False, id="it-has-changed-since"),
        pytest.param(EpisodeResult.REMOVED, True, id="nobody-saw-it-change"),
    ],
)
def test_a_failure_that_was_standing_is_so_until_it_changes(
    result: EpisodeResult, standing: bool
) -> None:
    episode = an_episode(standing=True, result=result, ended_at=ago(minutes=10))
    again = observe(replace(WELL, episode=episode), [], observed("BUILD_FAILED"), POLICY, TIMING)
    assert again.happened == (Happening.REOPENED,)
    assert again.target.episode is not None
    assert again.target.episode.standing is standing


def test_after_the_clock_was_set_back_a_failure_from_the_future_began_now() -> None:
    target = failing(failing_since=ago(hours=-5))
    assert observe(target, [], observed("BUILD_FAILED"), POLICY, TIMING).target == replace(
        target, failing_since=NOW, observed_at=NOW
    )
    absent = failing(missing_since=ago(hours=-5))
    assert missed(absent, [], NOW, TIMING).target.missing_since == NOW


@pytest.mark.parametrize(
    ("before", "attempts", "broke"),
    [
        pytest.param(healthy(), [], True, id="after-health"),
        pytest.param(WELL, [], True, id="after-a-recovery"),
        pytest.param(
            healthy(status="BUILDING", health=Health.IN_PROGRESS), [], True, id="after-a-build"
        ),
        pytest.param(Target("m1"), [], False, id="at-its-first-observation"),
        pytest.param(failing(episode=None), [], False, id="it-failed-already"),
        pytest.param(
            failing(status="BUILDING", health=Health.IN_PROGRESS, failing_since=None),
            [an_attempt()],
            False,
            id="our-attempt-failed-again",
        ),
        pytest.param(
            failing(health=None, status=None, failing_since=None), [], False, id="after-a-404"
        ),
    ],
)
def test_what_counts_as_a_new_failure(before: Target, attempts: list[Attempt], broke: bool) -> None:
    after = observe(before, attempts, observed("BUILD_FAILED"), POLICY, TIMING).target
    assert after.broke_at == (NOW if broke else None)


def test_a_target_is_known_from_its_second_observation_on() -> None:
    first = observe(Target("m1"), [], observed("ACTIVE"), POLICY, TIMING).target
    assert not first.observed_twice
    assert observe(first, [], observed("ACTIVE"), POLICY, TIMING).target.observed_twice


def test_a_404_removes_a_target_when_the_second_comes_an_interval_after_the_first() -> None:
    first = missed(failing(), [], ago(seconds=60), TIMING)
    assert first.target == failing(missing_since=ago(seconds=60))
    too_soon = missed(first.target, [], ago(seconds=1), TIMING)
    assert too_soon.happened == ()
    assert too_soon.target == first.target
    second = missed(first.target, [an_attempt()], NOW, TIMING)
    assert second.happened == (Happening.MISSING,)
    assert second.target.missing
    assert second.ended == an_episode(result=EpisodeResult.REMOVED, ended_at=NOW)
    assert [attempt.resolution for attempt in second.attempts] == [Resolution.REMOVED]
    assert missed(second.target, [], NOW, TIMING).happened == ()


def test_what_is_seen_while_an_attempt_is_pending_is_noted_and_not_judged() -> None:
    step = observe(failing(), [an_attempt(Outcome.PENDING)], observed("ACTIVE"), POLICY, TIMING)
    assert (step.happened, step.ended, step.attempts) == ((), None, ())
    assert (step.target.status, step.target.health) == ("ACTIVE", Health.HEALTHY)
    assert step.target.episode == an_episode()


def test_what_the_label_says_is_noted_at_each_look() -> None:
    opted_out = replace(observed("ACTIVE"), opted_out=True)
    after = observe(healthy(), [], opted_out, POLICY, TIMING).target
    assert after.opted_out
    assert not observe(after, [], observed("ACTIVE"), POLICY, TIMING).target.opted_out


def test_a_404_while_an_attempt_is_pending_says_nothing() -> None:
    target = failing(missing_since=ago(minutes=5))
    assert missed(target, [an_attempt(Outcome.PENDING)], NOW, TIMING).target == target


def test_leaving_the_configuration_ends_no_attempt_that_is_being_sent() -> None:
    pending = an_attempt(Outcome.PENDING)
    waits = Decision(DecisionKind.WAIT, DecisionReason.BACKOFF, NOW + timedelta(hours=1))
    target = replace(failing(), decision=waits, ready_at=NOW, queue_rank=1)
    step = unwatched(target, [pending, an_attempt(id="a2")], NOW)
    assert (step.target.decision, step.target.ready_at) == (UNOBSERVED, None)
    assert step.target.watched is False
    assert [attempt.id for attempt in step.attempts] == ["a2"]


def test_a_target_without_an_episode_goes_missing_quietly() -> None:
    step = missed(healthy(missing_since=ago(minutes=5)), [LEFT], NOW, TIMING)
    assert (step.happened, step.ended) == ((Happening.MISSING,), None)
    assert [attempt.resolution for attempt in step.attempts] == [Resolution.REMOVED]
    assert (step.target.status, step.target.health) == (None, None)


@pytest.mark.parametrize(
    ("away_minutes", "happened"),
    [(-1, [Happening.REOPENED]), (29, [Happening.REOPENED]), (30, [Happening.OPENED])],
)
def test_a_target_back_and_failing_goes_on_where_it_was_unless_it_was_away_too_long(
    away_minutes: int, happened: list[Happening]
) -> None:
    gone = unwatched(failing(), [], ago(minutes=away_minutes))
    assert gone.happened == (Happening.REMOVED,)
    assert not gone.target.watched
    back = observe(gone.target, [], observed("BUILD_FAILED"), POLICY, TIMING)
    assert list(back.happened) == happened
    assert back.ended is None


def test_any_sight_of_a_missing_target_brings_it_back() -> None:
    step = observe(
        failing(missing=True, missing_since=ago(hours=1), health=None, failing_since=None),
        [],
        observed("ACTIVE"),
        POLICY,
        TIMING,
    )
    assert not step.target.missing
    assert step.target.missing_since is None


@pytest.mark.parametrize(
    ("target", "observation", "steady"),
    [
        pytest.param(Target("m1"), observed("ACTIVE"), False, id="the-first-look"),
        pytest.param(healthy(), observed("ACTIVE"), True, id="the-same-health"),
        pytest.param(
            healthy(observed_twice=False), observed("ACTIVE"), False, id="only-the-second-look"
        ),
        pytest.param(
            healthy(status="BUILD_FAILED", health=Health.NOT_RETRYABLE),
            observed("BUILD_FAILED"),
            False,
            id="it-is-retried-since-the-rules-changed",
        ),
        pytest.param(healthy(), observed("SCALED_TO_ZERO"), False, id="another-status"),
        pytest.param(healthy(), observed("ACTIVE", PUSHED), False, id="another-deployment"),
        pytest.param(WELL, observed("ACTIVE"), False, id="its-health-is-being-counted"),
        pytest.param(failing(), observed("BUILD_FAILED"), False, id="failing"),
        pytest.param(
            failing(episode=None), observed("BUILD_FAILED"), False, id="failing-whatever-else"
        ),
        pytest.param(
            healthy(missing_since=ago(minutes=1)), observed("ACTIVE"), False, id="after-a-404"
        ),
    ],
)
def test_what_needs_no_record(target: Target, observation: Observation, steady: bool) -> None:
    assert is_steady(judged(target), observation, POLICY) is steady


def test_what_a_reset_forgot_is_decided_and_recorded_anew() -> None:
    forgotten = replace(healthy(), decision=UNOBSERVED)
    assert not is_steady(forgotten, observed("ACTIVE"), POLICY)


def test_a_reset_ends_the_episode_and_begins_a_new_window() -> None:
    step = reset(failing(), NOW)
    assert step.happened == (Happening.RESET,)
    assert step.ended == an_episode(result=EpisodeResult.RESET, ended_at=NOW)
    assert step.target == failing(episode=None, window_since=NOW)
    following = observe(step.target, [], observed("BUILD_FAILED"), POLICY, TIMING)
    assert following.happened == (Happening.OPENED,)
    assert following.target.episode is not None
    assert not following.target.episode.standing


def test_a_reset_of_a_target_that_does_well_clears_what_it_would_continue() -> None:
    step = reset(replace(WELL, healthy_for=timedelta(minutes=5)), NOW)
    assert (step.ended, step.target.episode) == (None, None)
    assert step.target.healthy_for == timedelta(0)


def test_after_the_clock_was_set_back_an_attempt_from_the_future_still_ends() -> None:
    ahead = an_attempt(reserved_at=ago(hours=-5), sent_at=ago(hours=-5))
    lately = failing(failing_since=ago(seconds=20))
    assert observe(lately, [ahead], observed("BUILD_FAILED"), POLICY, TIMING).attempts == ()
    failed = observe(failing(), [ahead], observed("BUILD_FAILED"), POLICY, TIMING)
    assert [attempt.resolution for attempt in failed.attempts] == [Resolution.REFAILED]
    lately = replace(BUILDING, status_since=ago(minutes=59))
    assert observe(lately, [ahead], observed("BUILDING"), POLICY, TIMING).attempts == ()
    stuck = observe(BUILDING, [ahead], observed("BUILDING"), POLICY, TIMING)
    assert [attempt.resolution for attempt in stuck.attempts] == [Resolution.STUCK]


@pytest.mark.parametrize(
    ("target", "ends"),
    [
        pytest.param(failing(), False, id="its-episode-goes-on"),
        pytest.param(None, True, id="no-target"),
        pytest.param(failing(episode=None), True, id="no-episode"),
        pytest.param(failing(episode=an_episode(id="e2")), True, id="another-episode"),
        pytest.param(
            failing(episode=an_episode(result=EpisodeResult.REMOVED, ended_at=NOW)),
            True,
            id="its-episode-ended",
        ),
    ],
)
def test_an_attempt_whose_episode_ended_while_it_was_sent_ends_with_it(
    target: Target | None, ends: bool
) -> None:
    attempt = an_attempt()
    after = ended_with_its_target(target, attempt, NOW)
    assert after.resolution is (Resolution.REMOVED if ends else None)
    assert after.under_way is not ends
    answered = an_attempt(resolution=Resolution.ANSWERED, resolved_at=NOW)
    assert ended_with_its_target(target, answered, NOW) is answered


@pytest.mark.parametrize(
    ("targets", "seconds"),
    [
        pytest.param(1, 60, id="as-configured"),
        pytest.param(120, 60, id="as-many-as-the-rate-can-serve"),
        pytest.param(300, 150, id="more-than-the-rate-can-serve"),
    ],
)
def test_the_interval_is_stretched_to_what_the_request_rate_can_serve(
    targets: int, seconds: int
) -> None:
    interval = effective_interval(timedelta(minutes=1), targets, max_rate=2.0)
    assert interval == timedelta(seconds=seconds)


MADE = DeploymentRef("d2", ago(hours=1))


def test_an_attempt_can_show_no_effect_after_its_end_was_seen() -> None:
    under_way_again = an_attempt(presumed=True)
    (recovered,) = observe(BUILDING, [under_way_again], observed("ACTIVE"), POLICY, TIMING).attempts
    assert (recovered.resolution, recovered.presumed) == (Resolution.RECOVERED, False)
    (failed,) = observe(
        BUILDING, [under_way_again], observed("BUILD_FAILED"), POLICY, TIMING
    ).attempts
    assert (failed.resolution, failed.presumed) == (Resolution.REFAILED, True)


def test_a_push_without_an_episode_ends_the_attempts_that_are_left() -> None:
    late = replace(LEFT, made=MADE)
    step = observe(healthy(), [late], observed("ACTIVE", PUSHED), POLICY, TIMING)
    assert [(each.resolution, each.resolved_at) for each in step.attempts] == [
        (Resolution.SUPERSEDED, NOW)
    ]


WAITING_TO_BE_JUDGED = healthy(
    status="INACTIVE",
    health=Health.NOT_RETRYABLE,
    inactive_as=Health.BROKEN,
    in_progress_since=ago(hours=2),
    failing_since=ago(hours=3),
)


def test_a_push_leaves_nothing_of_what_the_deployment_before_it_was() -> None:
    # `pushed` is for a push that only the audit log shows: no observation is noted after it.
    assert pushed(WAITING_TO_BE_JUDGED, [], NOW).target == replace(
        WAITING_TO_BE_JUDGED,
        health=None,
        inactive_as=None,
        in_progress_since=None,
        failing_since=None,
    )
    (ended,) = pushed(healthy(), [LEFT], NOW).attempts
    assert (ended.resolution, ended.resolved_at) == (Resolution.SUPERSEDED, NOW)


def test_a_removal_leaves_nothing_of_what_the_target_was() -> None:
    assert unwatched(WAITING_TO_BE_JUDGED, [], NOW).target == replace(
        WAITING_TO_BE_JUDGED,
        watched=False,
        status=None,
        status_since=NOW,
        health=None,
        inactive_as=None,
        in_progress_since=None,
        failing_since=None,
        seen_well=True,
    )


@pytest.mark.parametrize(
    ("before", "broke"),
    [
        pytest.param(healthy(), True, id="it-was-healthy"),
        pytest.param(replace(BUILDING, episode=None), True, id="it-was-on-its-way"),
        pytest.param(failing(), False, id="it-was-failing"),
        pytest.param(Target("m1"), False, id="it-was-never-seen"),
        pytest.param(
            healthy(status=None, health=None, seen_well=True), True, id="it-was-healthy-before-both"
        ),
    ],
)
def test_what_fails_after_a_removal_is_a_new_failure_if_it_was_seen_well_before(
    before: Target, broke: bool
) -> None:
    gone = unwatched(before, [], ago(minutes=5)).target
    assert gone.seen_well is broke
    back = observe(gone, [], observed("BUILD_FAILED"), POLICY, TIMING).target
    assert back.broke_at == (NOW if broke else None)
    assert not back.seen_well


STANDING = an_episode(standing=True, result=EpisodeResult.REMOVED, ended_at=ago(minutes=5))


@pytest.mark.parametrize(
    ("episode", "status", "standing"),
    [
        pytest.param(STANDING, "BUILDING", False, id="it-was-removed-and-is-seen-to-change"),
        pytest.param(STANDING, "BUILD_FAILED", True, id="it-was-removed-and-fails-as-before"),
        pytest.param(an_episode(standing=True), "UNHEALTHY", True, id="the-same-failure-goes-on"),
    ],
)
def test_a_standing_failure_is_one_until_its_target_is_seen_to_do_something_else(
    episode: Episode, status: str, standing: bool
) -> None:
    before = failing(episode=episode)
    attempts = [LEFT] if episode.open else []
    step = observe(before, attempts, observed(status), POLICY, TIMING)
    assert step.target.episode is not None
    assert step.target.episode.standing is standing


def test_somebody_elses_activation_ends_the_attempts_that_were_under_way_for_too_long() -> None:
    broken = replace(BUILDING, status="INACTIVE", health=Health.BROKEN)
    step = observe(broken, [SENT_LONG_AGO], observed("DEPLOYING"), POLICY, TIMING)
    assert step.happened == (Happening.SUPERSEDED,)
    assert step.ended == an_episode(result=EpisodeResult.SUPERSEDED, ended_at=NOW)
    assert [(each.resolution, each.resolved_at) for each in step.attempts] == [
        (Resolution.SUPERSEDED, NOW)
    ]


@pytest.mark.parametrize(
    "before",
    [
        pytest.param(
            replace(BUILDING, status="INACTIVE", health=Health.NOT_RETRYABLE), id="it-was-judged"
        ),
        pytest.param(
            replace(BUILDING, status="DEACTIVATING", inactive_as=Health.BROKEN),
            id="it-was-only-being-deactivated",
        ),
    ],
)
def test_what_was_neither_broken_nor_waiting_to_be_judged_may_be_our_attempts_work(
    before: Target,
) -> None:
    ours = replace(SENT_LONG_AGO, reserved_at=ago(minutes=60))
    step = observe(before, [ours], observed("ACTIVE"), POLICY, TIMING)
    assert step.happened == (Happening.RECOVERED,)


def test_how_long_a_model_sleeps_is_noted_also_while_an_attempt_is_being_sent() -> None:
    asleep = replace(
        BUILDING,
        status="SCALED_TO_ZERO",
        status_since=ago(minutes=5),
        healthy_for=timedelta(minutes=4),
    )
    pending = an_attempt(Outcome.PENDING)
    step = observe(asleep, [pending], observed("SCALED_TO_ZERO"), POLICY, TIMING)
    assert step.target.health is Health.HEALTHY
    assert step.happened == ()
