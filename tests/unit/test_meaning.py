"""The meaning of a status where the word alone is not enough: asleep after a retry, and
inactive."""

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
from watchdog.domain.meaning import ask_again_at, asks_who
from watchdog.domain.records import (
    Actor,
    Attempt,
    EpisodeResult,
    Health,
    Observation,
    Outcome,
    Resolution,
    Target,
)
from watchdog.domain.steady import is_steady
from watchdog.domain.step import Happening, Transition
from watchdog.domain.transition import observe

SENT = an_attempt(reserved_at=ago(minutes=20), sent_at=ago(minutes=20))
STUCK = replace(
    an_attempt(reserved_at=ago(minutes=70), sent_at=ago(minutes=70)),
    resolution=Resolution.STUCK,
    resolved_at=ago(minutes=10),
)
DEPLOYING = failing(status="DEPLOYING", health=Health.IN_PROGRESS, failing_since=None)


def asleep(minutes: float, *, seen: float, looked: float = 1.0) -> Target:
    """Asleep, so many minutes after an attempt of ours; seen asleep for so many minutes, and last
    checked so many minutes ago."""
    return replace(
        DEPLOYING,
        status="SCALED_TO_ZERO",
        status_since=ago(minutes=minutes),
        healthy_for=timedelta(minutes=seen),
        observed_at=ago(minutes=looked),
    )


def see(target: Target, attempts: Sequence[Attempt], observation: Observation) -> Transition:
    return observe(target, attempts, observation, POLICY, TIMING)


@pytest.mark.parametrize(
    ("target", "attempts", "health", "happened"),
    [
        pytest.param(DEPLOYING, [SENT], Health.IN_PROGRESS, [], id="right-after-a-retry"),
        pytest.param(failing(), [SENT], Health.IN_PROGRESS, [], id="straight-from-failing"),
        pytest.param(
            failing(), [an_attempt(Outcome.PENDING)], Health.IN_PROGRESS, [], id="while-it-is-sent"
        ),
        pytest.param(DEPLOYING, [STUCK], Health.IN_PROGRESS, [], id="after-a-stuck-attempt"),
        pytest.param(
            failing(status="BUILD_FAILED"),
            [refailed(ago(minutes=5), presumed=True)],
            Health.IN_PROGRESS,
            [],
            id="after-one-that-was-presumed-to-have-failed",
        ),
        pytest.param(asleep(4.9, seen=3.9), [SENT], Health.IN_PROGRESS, [], id="not-long-enough"),
        pytest.param(
            asleep(5, seen=4), [SENT], Health.HEALTHY, [Happening.RECOVERED], id="long-enough"
        ),
        pytest.param(
            asleep(5, seen=4), [STUCK], Health.HEALTHY, [Happening.RECOVERED], id="stuck-until-now"
        ),
        pytest.param(
            asleep(60, seen=4, looked=3), [SENT], Health.IN_PROGRESS, [], id="a-gap-does-not-count"
        ),
        pytest.param(
            failing(), [], Health.HEALTHY, [Happening.SUPERSEDED], id="without-us-a-person-acted"
        ),
        pytest.param(healthy(), [], Health.HEALTHY, [], id="what-served-may-go-to-sleep"),
        pytest.param(Target("m1"), [], Health.HEALTHY, [], id="first-seen-asleep"),
        pytest.param(
            healthy(
                episode=an_episode(result=EpisodeResult.RECOVERED, ended_at=ago(minutes=2)),
            ),
            [replace(SENT, resolution=Resolution.RECOVERED, resolved_at=ago(minutes=2))],
            Health.HEALTHY,
            [],
            id="active-was-seen-since-the-attempt",
        ),
    ],
)
def test_when_scaled_to_zero_is_a_recovery(
    target: Target, attempts: Sequence[Attempt], health: Health, happened: list[Happening]
) -> None:
    step = see(target, attempts, observed("SCALED_TO_ZERO"))
    assert step.target.health is health
    assert list(step.happened) == happened


def test_a_recovery_that_was_only_seen_asleep_counts_from_when_that_began() -> None:
    step = see(asleep(6, seen=4.5), [SENT], observed("SCALED_TO_ZERO"))
    assert step.ended is not None
    assert (step.ended.result, step.ended.ended_at) == (EpisodeResult.RECOVERED, ago(minutes=6))
    assert step.target.healthy_for == timedelta(minutes=5.5)
    early = an_episode(failing_from=ago(minutes=3))
    step = see(replace(asleep(6, seen=4.5), episode=early), [SENT], observed("SCALED_TO_ZERO"))
    assert step.ended is not None
    assert step.ended.ended_at == early.failing_from


def test_active_ends_the_wait_at_once() -> None:
    step = see(asleep(2, seen=1), [SENT], observed("ACTIVE"))
    assert step.happened == (Happening.RECOVERED,)
    assert step.ended is not None
    assert step.ended.ended_at == NOW
    assert step.target.healthy_for == timedelta(0)


def test_another_status_begins_the_wait_anew() -> None:
    waking = see(asleep(4, seen=3), [SENT], observed("WAKING_UP"))
    assert (waking.happened, waking.target.healthy_for) == ((), timedelta(0))
    failed = see(asleep(4, seen=3), [SENT], observed("DEPLOY_FAILED"))
    assert failed.happened == (Happening.REFAILED,)


@pytest.mark.parametrize(
    ("target", "attempts", "by", "health", "ended"),
    [
        pytest.param(healthy(), [], None, Health.NOT_RETRYABLE, None, id="not-judged-at-once"),
        pytest.param(DEPLOYING, [SENT], None, Health.NOT_RETRYABLE, None, id="nor-our-attempt"),
        pytest.param(
            DEPLOYING, [SENT], Actor.PERSON, Health.NOT_RETRYABLE, "superseded", id="a-person"
        ),
        pytest.param(DEPLOYING, [SENT], Actor.PLATFORM, Health.BROKEN, None, id="the-platform"),
        pytest.param(DEPLOYING, [SENT], Actor.NOBODY, Health.BROKEN, None, id="during-our-attempt"),
        pytest.param(DEPLOYING, [STUCK], Actor.NOBODY, Health.BROKEN, None, id="our-stuck-attempt"),
        pytest.param(
            failing(), [SENT], Actor.NOBODY, Health.BROKEN, None, id="straight-after-our-attempt"
        ),
        pytest.param(
            replace(DEPLOYING, episode=None), [], Actor.NOBODY, Health.BROKEN, None, id="on-its-way"
        ),
        pytest.param(healthy(), [], Actor.NOBODY, Health.NOT_RETRYABLE, None, id="after-active"),
        pytest.param(
            healthy(status="SCALED_TO_ZERO"),
            [],
            Actor.NOBODY,
            Health.NOT_RETRYABLE,
            None,
            id="after-sleep",
        ),
        pytest.param(healthy(), [], Actor.PLATFORM, Health.BROKEN, None, id="out-of-credit"),
        pytest.param(
            failing(), [], Actor.NOBODY, Health.NOT_RETRYABLE, "superseded", id="after-a-failure"
        ),
        pytest.param(
            failing(), [], Actor.PLATFORM, Health.BROKEN, None, id="the-platform-after-a-failure"
        ),
        pytest.param(
            healthy(status="BUILD_STOPPED", health=Health.NOT_RETRYABLE),
            [],
            Actor.NOBODY,
            Health.NOT_RETRYABLE,
            None,
            id="after-a-person-stopped-it",
        ),
        pytest.param(
            healthy(status="UNHEALTHY", health=Health.BROKEN),
            [],
            Actor.NOBODY,
            Health.BROKEN,
            None,
            id="broken-before",
        ),
        pytest.param(
            healthy(status="UNHEALTHY", health=Health.BROKEN),
            [],
            None,
            Health.BROKEN,
            None,
            id="broken-until-it-is-judged",
        ),
        pytest.param(Target("m1"), [], Actor.NOBODY, Health.NOT_RETRYABLE, None, id="first-seen"),
    ],
)
def test_the_meaning_of_inactive_by_who_caused_it(
    target: Target,
    attempts: Sequence[Attempt],
    by: Actor | None,
    health: Health,
    ended: str | None,
) -> None:
    step = see(target, attempts, inactive(by))
    assert step.target.health is health
    assert (step.ended.result if step.ended else None) == ended
    assert (step.target.inactive_as is None) is (by is not None)


@pytest.mark.parametrize(
    ("before", "health"),
    [
        pytest.param(healthy(), Health.NOT_RETRYABLE, id="it-worked"),
        pytest.param(replace(DEPLOYING, episode=None), Health.BROKEN, id="it-was-on-its-way"),
    ],
)
def test_the_status_before_the_deactivation_is_remembered(before: Target, health: Health) -> None:
    target = see(before, [], observed("DEACTIVATING", at=ago(minutes=8))).target
    target = see(target, [], observed("DEACTIVATING", at=ago(minutes=7))).target
    target = see(target, [], inactive(at=ago(minutes=6))).target
    assert target.health is Health.NOT_RETRYABLE
    assert see(target, [], inactive(Actor.NOBODY)).target.health is health
    assert see(target, [], inactive()).target.health is health


def test_an_inactive_of_unknown_origin_is_judged_after_five_minutes() -> None:
    target = see(DEPLOYING, [SENT], inactive(at=ago(minutes=5))).target
    for minutes in (4, 2, 0.1):
        step = see(target, [SENT], inactive(at=ago(minutes=minutes)))
        target = step.target
        assert (target.health, step.happened) == (Health.NOT_RETRYABLE, ())
    judged = see(target, [SENT], inactive())
    assert (judged.target.health, judged.ended) == (Health.BROKEN, None)
    again = see(judged.target, [SENT], inactive(at=NOW + timedelta(minutes=1)))
    assert again.target.health is Health.BROKEN


def test_a_judgement_stays_whatever_the_log_says_later() -> None:
    judged = see(healthy(), [], inactive(Actor.PLATFORM, at=ago(minutes=1))).target
    assert see(judged, [], inactive(Actor.PERSON)).target.health is Health.BROKEN
    parked = see(healthy(), [], inactive(Actor.PERSON, at=ago(minutes=1))).target
    assert see(parked, [], inactive(Actor.PLATFORM)).target.health is Health.NOT_RETRYABLE


def test_build_stopped_is_always_a_persons() -> None:
    step = see(DEPLOYING, [SENT], observed("BUILD_STOPPED"))
    assert step.happened == (Happening.SUPERSEDED,)
    assert step.target.health is Health.NOT_RETRYABLE


BROKEN = failing(status="INACTIVE", health=Health.BROKEN, failing_since=None)


@pytest.mark.parametrize(
    ("target", "attempts", "status", "happened"),
    [
        pytest.param(BROKEN, [], "DEPLOYING", ["superseded"], id="activated"),
        pytest.param(BROKEN, [STUCK], "ACTIVE", ["superseded"], id="after-our-attempt-was-stuck"),
        pytest.param(
            BROKEN,
            [replace(SENT, reserved_at=ago(minutes=60))],
            "ACTIVE",
            ["superseded"],
            id="at-stuck-after",
        ),
        pytest.param(BROKEN, [SENT], "ACTIVE", ["recovered"], id="it-may-be-our-attempt"),
        pytest.param(BROKEN, [SENT], "BUILD_FAILED", ["refailed"], id="our-attempt-failed"),
        pytest.param(
            BROKEN, [], "BUILD_FAILED", ["superseded", "opened"], id="activated-and-failed"
        ),
        pytest.param(BROKEN, [], "BUILD_STOPPED", ["superseded"], id="stopped-by-a-person"),
        pytest.param(BROKEN, [], "FAILED", ["superseded"], id="it-failed-otherwise"),
        pytest.param(
            failing(status="UNHEALTHY", health=Health.BROKEN, failing_since=None),
            [STUCK],
            "FAILED",
            [],
            id="still-broken-after-our-attempt",
        ),
        pytest.param(
            replace(BROKEN, health=Health.NOT_RETRYABLE, inactive_as=Health.NOT_RETRYABLE),
            [],
            "BUILD_FAILED",
            ["superseded", "opened"],
            id="activated-before-it-was-judged",
        ),
    ],
)
def test_a_model_that_is_no_longer_broken_was_repaired_by_an_operator(
    target: Target, attempts: Sequence[Attempt], status: str, happened: list[str]
) -> None:
    assert list(see(target, attempts, observed(status)).happened) == happened


def inactive_for(minutes: float, looked: float) -> Target:
    """Not judged, since so many minutes, and last looked at so many ago."""
    return healthy(
        status="INACTIVE",
        health=Health.NOT_RETRYABLE,
        inactive_as=Health.NOT_RETRYABLE,
        status_since=ago(minutes=minutes),
        observed_at=ago(minutes=looked),
    )


@pytest.mark.parametrize(
    ("target", "asks"),
    [
        pytest.param(healthy(), True, id="at-first-sight"),
        pytest.param(Target("m1"), True, id="at-the-very-first-look"),
        pytest.param(inactive_for(0.5, 0.1), False, id="just-asked"),
        pytest.param(inactive_for(1, 0.5), True, id="a-minute-later"),
        pytest.param(inactive_for(2, 0.9), False, id="asked-again"),
        pytest.param(inactive_for(5, 0.5), True, id="five-minutes-later"),
        pytest.param(inactive_for(6, 0.5), False, id="asked-for-the-last-time"),
        pytest.param(inactive_for(60, 59.9), True, id="after-a-gap"),
        pytest.param(replace(inactive_for(1, 0.5), inactive_as=None), False, id="judged"),
        pytest.param(replace(inactive_for(9, 1), deployment=PUSHED), True, id="another-one"),
    ],
)
def test_when_the_audit_log_is_read(target: Target, asks: bool) -> None:
    assert asks_who(target, inactive(), POLICY) is asks


def test_what_is_retried_or_not_inactive_needs_no_audit_log() -> None:
    retried = replace(POLICY, retry_on=frozenset({"INACTIVE"}))
    assert not asks_who(healthy(), inactive(), retried)
    assert not asks_who(healthy(), observed("BUILD_STOPPED"), POLICY)


@pytest.mark.parametrize(
    ("target", "at"),
    [
        (inactive_for(0.5, 0.1), ago(minutes=-0.5)),
        (inactive_for(2, 0.1), ago(minutes=-3)),
        (inactive_for(6, 0.1), None),
        (replace(inactive_for(2, 0.1), inactive_as=None), None),
        (healthy(), None),
    ],
)
def test_when_it_will_be_read_again(target: Target, at: datetime | None) -> None:
    assert ask_again_at(target, NOW) == at


@pytest.mark.parametrize(
    ("target", "observation", "steady"),
    [
        pytest.param(
            healthy(status="UNHEALTHY", health=Health.BROKEN),
            observed("UNHEALTHY"),
            True,
            id="broken",
        ),
        pytest.param(
            healthy(status="UNHEALTHY", health=Health.BROKEN, paused_until=ago(minutes=-1)),
            observed("UNHEALTHY"),
            False,
            id="a-pause-is-to-be-shown",
        ),
        pytest.param(
            healthy(status="INACTIVE", health=Health.BROKEN), inactive(), True, id="judged-broken"
        ),
        pytest.param(
            healthy(status="INACTIVE", health=Health.NOT_RETRYABLE), inactive(), True, id="parked"
        ),
        pytest.param(inactive_for(2, 1), inactive(), False, id="to-be-judged"),
        pytest.param(
            healthy(
                status="BUILDING", health=Health.IN_PROGRESS, in_progress_since=ago(minutes=60)
            ),
            observed("BUILDING"),
            True,
            id="on-its-way",
        ),
        pytest.param(
            healthy(
                status="BUILDING", health=Health.IN_PROGRESS, in_progress_since=ago(minutes=61)
            ),
            observed("BUILDING"),
            False,
            id="it-is-slow-by-now",
        ),
        pytest.param(
            healthy(
                status="BUILDING", health=Health.IN_PROGRESS, in_progress_since=ago(minutes=-1)
            ),
            observed("BUILDING"),
            False,
            id="a-clock-that-was-ahead-wrote-since-when",
        ),
        pytest.param(
            healthy(status="BUILDING", health=Health.IN_PROGRESS),
            observed("BUILDING"),
            False,
            id="since-when-is-not-known",
        ),
        pytest.param(
            healthy(status="UNHEALTHY", health=Health.NOT_RETRYABLE),
            observed("UNHEALTHY"),
            False,
            id="an-older-program-recorded-it",
        ),
    ],
)
def test_what_needs_no_record(target: Target, observation: Observation, steady: bool) -> None:
    assert is_steady(judged(target), observation, POLICY) is steady


def test_how_long_it_is_in_progress_counts_over_all_its_statuses() -> None:
    target = see(healthy(), [], observed("BUILDING", at=ago(minutes=50))).target
    target = see(target, [], observed("DEPLOYING", at=ago(minutes=20))).target
    assert target.in_progress_since == ago(minutes=50)
    assert see(target, [], observed("ACTIVE")).target.in_progress_since is None
    assert see(target, [], observed("DEPLOYING", PUSHED)).target.in_progress_since == NOW
