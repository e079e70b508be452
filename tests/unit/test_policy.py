"""`decide`: what the policy says, one row a rule."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes.records import (
    FLEET,
    NOW,
    POLICY,
    ago,
    an_attempt,
    an_episode,
    failing,
    healthy,
    refailed,
)
from watchdog.domain.limits import FLEET_DAY, FLEET_MINUTE
from watchdog.domain.policy import decide
from watchdog.domain.records import (
    Attempt,
    Decision,
    DecisionKind,
    DecisionReason,
    EpisodeResult,
    Fleet,
    FleetLimits,
    Health,
    Hold,
    Outcome,
    Policy,
    Resolution,
    Standing,
    Target,
)

RETRY = Decision(DecisionKind.RETRY)


def nothing(reason: DecisionReason) -> Decision:
    return Decision(DecisionKind.NOTHING, reason)


def wait(reason: DecisionReason, until: datetime | None = None) -> Decision:
    return Decision(DecisionKind.WAIT, reason, until)


def give_up(reason: DecisionReason) -> Decision:
    return Decision(DecisionKind.GIVE_UP, reason)


@dataclass(frozen=True)
class From:
    """Retries are allowed from then on."""

    opens: datetime

    def opens_at(self, now: datetime) -> datetime | None:
        return None if now >= self.opens else self.opens


IGNORE = replace(POLICY, standing=Standing.IGNORE)
BROKEN = failing(status="UNHEALTHY", health=Health.BROKEN, failing_since=None)
IN_PROGRESS = failing(status="BUILDING", health=Health.IN_PROGRESS, failing_since=None)
STUCK = an_attempt(resolution=Resolution.STUCK, resolved_at=ago(minutes=5))


@pytest.mark.parametrize(
    ("target", "attempts", "policy", "decision"),
    [
        pytest.param(Target("m1"), [], POLICY, nothing(DecisionReason.UNOBSERVED), id="unobserved"),
        pytest.param(
            failing(missing=True), [], POLICY, nothing(DecisionReason.MISSING), id="missing"
        ),
        pytest.param(healthy(), [], POLICY, nothing(DecisionReason.HEALTHY), id="healthy"),
        pytest.param(
            replace(IN_PROGRESS, episode=None),
            [],
            POLICY,
            nothing(DecisionReason.IN_PROGRESS),
            id="in-progress",
        ),
        pytest.param(
            failing(status="INACTIVE", health=Health.NOT_RETRYABLE, episode=None),
            [],
            POLICY,
            nothing(DecisionReason.NOT_RETRYABLE),
            id="not-retryable",
        ),
        pytest.param(BROKEN, [], POLICY, nothing(DecisionReason.BROKEN), id="broken"),
        pytest.param(
            BROKEN,
            [an_attempt()],
            POLICY,
            nothing(DecisionReason.BROKEN),
            id="broken-in-the-middle-of-an-attempt",
        ),
        pytest.param(
            replace(BROKEN, paused_until=ago(minutes=-5)),
            [],
            POLICY,
            nothing(DecisionReason.PAUSED),
            id="broken-and-paused",
        ),
        pytest.param(
            replace(BROKEN, paused_until=ago(minutes=-5), opted_out=True),
            [],
            POLICY,
            nothing(DecisionReason.OPTED_OUT),
            id="broken-and-opted-out",
        ),
        pytest.param(
            replace(IN_PROGRESS, episode=None, in_progress_since=ago(minutes=60)),
            [],
            POLICY,
            nothing(DecisionReason.IN_PROGRESS),
            id="in-progress-for-long",
        ),
        pytest.param(
            replace(IN_PROGRESS, episode=None, in_progress_since=ago(minutes=61)),
            [],
            POLICY,
            nothing(DecisionReason.STUCK),
            id="in-progress-for-too-long-whoever-began-it",
        ),
        pytest.param(
            IN_PROGRESS,
            [an_attempt()],
            POLICY,
            wait(DecisionReason.ATTEMPT_UNDER_WAY),
            id="recovering",
        ),
        pytest.param(
            failing(),
            [an_attempt(Outcome.PENDING)],
            POLICY,
            wait(DecisionReason.ATTEMPT_UNDER_WAY),
            id="somebody-is-sending",
        ),
        pytest.param(IN_PROGRESS, [STUCK], POLICY, nothing(DecisionReason.STUCK), id="stuck"),
        pytest.param(failing(), [STUCK], POLICY, RETRY, id="failed-after-it-was-stuck"),
        pytest.param(
            replace(IN_PROGRESS, episode=an_episode(result=EpisodeResult.RECOVERED)),
            [STUCK],
            POLICY,
            nothing(DecisionReason.IN_PROGRESS),
            id="updated-after-it-was-stuck-and-recovered",
        ),
        pytest.param(
            failing(missing_since=NOW),
            [],
            POLICY,
            nothing(DecisionReason.MISSING),
            id="a-404-is-no-sight-of-a-failure",
        ),
        pytest.param(
            failing(missing_since=NOW),
            [an_attempt()],
            POLICY,
            wait(DecisionReason.ATTEMPT_UNDER_WAY),
            id="a-404-ends-no-attempt",
        ),
        pytest.param(failing(), [], POLICY, RETRY, id="first-attempt-due"),
        pytest.param(
            failing(failing_since=ago(minutes=1)),
            [],
            POLICY,
            wait(DecisionReason.FIRST_DELAY, NOW + timedelta(minutes=1)),
            id="first-delay",
        ),
        pytest.param(
            failing(failing_since=ago(minutes=2)), [], POLICY, RETRY, id="first-delay-just-over"
        ),
        pytest.param(
            failing(failing_since=ago(minutes=3)),
            [refailed(ago(minutes=3))],
            POLICY,
            wait(DecisionReason.BACKOFF, NOW + timedelta(minutes=2)),
            id="backoff-from-the-re-failure",
        ),
        pytest.param(
            failing(failing_since=ago(minutes=3)),
            [an_attempt(resolution=Resolution.RECOVERED, resolved_at=ago(hours=3))],
            POLICY,
            wait(DecisionReason.BACKOFF, NOW + timedelta(minutes=2)),
            id="backoff-from-the-failure-after-a-recovery",
        ),
        pytest.param(
            failing(),
            [an_attempt(Outcome.REFUSED)],
            POLICY,
            wait(DecisionReason.BACKOFF, NOW + timedelta(minutes=4)),
            id="backoff-from-the-refusal",
        ),
        pytest.param(
            failing(),
            [an_attempt(Outcome.FAILED)],
            POLICY,
            wait(DecisionReason.BACKOFF, NOW + timedelta(minutes=4)),
            id="backoff-after-a-post-that-was-not-executed",
        ),
        pytest.param(
            failing(), [an_attempt(Outcome.THROTTLED)], POLICY, RETRY, id="no-backoff-after-a-429"
        ),
        pytest.param(
            failing(),
            [an_attempt(Outcome.ABANDONED)],
            POLICY,
            RETRY,
            id="no-backoff-after-a-dropped-plan",
        ),
        pytest.param(
            failing(),
            [refailed(ago(hours=n)) for n in (8, 6, 4, 2)],
            POLICY,
            give_up(DecisionReason.EPISODE_SPENT),
            id="episode-spent",
        ),
        pytest.param(
            failing(),
            [refailed(ago(hours=n)) for n in (8, 6, 4)] + [an_attempt(Outcome.ABANDONED)],
            POLICY,
            RETRY,
            id="what-was-not-charged-spends-nothing",
        ),
        pytest.param(
            failing(),
            [an_attempt(Outcome.REFUSED)] * 2,
            POLICY,
            give_up(DecisionReason.REFUSED_TWICE),
            id="refused-twice",
        ),
        pytest.param(
            failing(),
            [refailed(ago(hours=3)), *[an_attempt(Outcome.REFUSED)] * 2],
            POLICY,
            give_up(DecisionReason.REFUSED_TWICE),
            id="refused-twice-after-something-else",
        ),
        pytest.param(
            failing(),
            [
                an_attempt(Outcome.REFUSED),
                an_attempt(Outcome.THROTTLED),
                an_attempt(Outcome.REFUSED),
            ],
            POLICY,
            give_up(DecisionReason.REFUSED_TWICE),
            id="refused-twice-with-a-429-between",
        ),
        pytest.param(
            failing(),
            [
                an_attempt(Outcome.REFUSED, resolved_at=ago(hours=4)),
                refailed(ago(hours=3)),
                refailed(ago(hours=2)),
            ],
            POLICY,
            RETRY,
            id="refused-once",
        ),
        pytest.param(
            failing(),
            [refailed(ago(hours=n), episode_id="e0") for n in (20, 16, 12, 8, 6, 4)],
            POLICY,
            wait(DecisionReason.WINDOW_SPENT, ago(hours=20, minutes=4) + timedelta(hours=24)),
            id="window-spent-by-earlier-episodes",
        ),
        pytest.param(
            failing(),
            [refailed(ago(hours=-n), episode_id="e0") for n in (1, 2, 3, 4, 5, 6)],
            POLICY,
            wait(DecisionReason.WINDOW_SPENT, NOW + timedelta(hours=24)),
            id="what-a-clock-set-back-leaves-in-the-future-counts-as-now",
        ),
        pytest.param(
            failing(episode=an_episode(standing=True)),
            [],
            IGNORE,
            nothing(DecisionReason.STANDING_FAILURE),
            id="standing-and-ignored",
        ),
        pytest.param(
            failing(episode=an_episode(standing=True)), [], POLICY, RETRY, id="standing-and-retried"
        ),
        pytest.param(failing(), [], IGNORE, RETRY, id="not-standing"),
        pytest.param(
            failing(opted_out=True),
            [],
            POLICY,
            Decision(DecisionKind.NOTHING, DecisionReason.OPTED_OUT),
            id="opted-out",
        ),
        pytest.param(
            failing(paused_until=NOW + timedelta(hours=1)),
            [],
            POLICY,
            wait(DecisionReason.PAUSED, NOW + timedelta(hours=1)),
            id="paused",
        ),
        pytest.param(
            failing(paused_until=NOW + timedelta(minutes=1), failing_since=NOW),
            [],
            POLICY,
            wait(DecisionReason.PAUSED, NOW + timedelta(minutes=1)),
            id="paused-is-told-before-any-delay",
        ),
        pytest.param(failing(paused_until=NOW), [], POLICY, RETRY, id="the-pause-is-just-over"),
        pytest.param(
            failing(paused_until=NOW + timedelta(hours=1)),
            [an_attempt()],
            POLICY,
            wait(DecisionReason.ATTEMPT_UNDER_WAY),
            id="paused-with-an-attempt-under-way",
        ),
        pytest.param(
            failing(),
            [refailed(ago(hours=9)), refailed(ago(hours=1))],
            POLICY,
            RETRY,
            id="two-that-were-accepted",
        ),
        pytest.param(
            failing(),
            [refailed(ago(hours=9), Outcome.REFUSED), refailed(ago(hours=1))],
            POLICY,
            RETRY,
            id="refused-once-and-then-accepted",
        ),
        pytest.param(
            failing(), [], replace(POLICY, allowed_times=From(NOW)), RETRY, id="an-allowed-time"
        ),
        pytest.param(
            failing(),
            [],
            replace(POLICY, allowed_times=From(NOW + timedelta(hours=1))),
            wait(DecisionReason.OUTSIDE_ALLOWED_TIMES, NOW + timedelta(hours=1)),
            id="outside-the-allowed-times",
        ),
        pytest.param(
            failing(failing_since=None),
            [],
            POLICY,
            wait(DecisionReason.FIRST_DELAY, NOW + timedelta(minutes=2)),
            id="failing-since-nobody-knows-when",
        ),
    ],
)
def test_what_a_target_and_its_attempts_call_for(
    target: Target, attempts: Sequence[Attempt], policy: Policy, decision: Decision
) -> None:
    assert decide(target, attempts, FLEET, policy, NOW) == decision


@pytest.mark.parametrize(
    ("target", "attempts", "fleet", "decision"),
    [
        pytest.param(failing(failing_since=NOW), [], FLEET, RETRY, id="too-early"),
        pytest.param(failing(paused_until=NOW + timedelta(hours=1)), [], FLEET, RETRY, id="paused"),
        pytest.param(
            failing(),
            [replace(refailed(ago(hours=1)), id=f"a{number}") for number in range(9)],
            FLEET,
            RETRY,
            id="exhausted",
        ),
        pytest.param(
            failing(),
            [],
            replace(FLEET, in_flight=10),
            wait(DecisionReason.FLEET_IN_FLIGHT),
            id="the-fleets-limit-is-reached",
        ),
        pytest.param(
            failing(),
            [],
            replace(FLEET, sent=(ago(seconds=50),) * 4),
            wait(DecisionReason.FLEET_MINUTE_SPENT, NOW + timedelta(seconds=10)),
            id="the-fleets-minute-is-spent",
        ),
        pytest.param(
            failing(),
            [an_attempt()],
            FLEET,
            wait(DecisionReason.ATTEMPT_UNDER_WAY),
            id="under-way-already",
        ),
        pytest.param(healthy(), [], FLEET, nothing(DecisionReason.HEALTHY), id="healthy"),
        pytest.param(
            failing(missing=True), [], FLEET, nothing(DecisionReason.MISSING), id="missing"
        ),
    ],
)
def test_what_a_person_may_force(
    target: Target, attempts: Sequence[Attempt], fleet: Fleet, decision: Decision
) -> None:
    assert decide(target, attempts, fleet, POLICY, NOW, forced=True) == decision


@pytest.mark.parametrize("name", [each.name for each in fields(FleetLimits)])
def test_each_limit_of_the_fleet_alone_stops_a_retry(name: str) -> None:
    limits = FleetLimits(*[6] * len(fields(FleetLimits)))
    fleet = Fleet(limits, in_flight=5, sent=(NOW,) * 5, charged=(NOW,) * 5)
    assert decide(failing(), [], fleet, POLICY, NOW) == RETRY
    reached: Any = {name: 5}
    fleet = replace(fleet, limits=replace(limits, **reached))
    assert decide(failing(), [], fleet, POLICY, NOW).kind is DecisionKind.WAIT


HELD = Hold(DecisionReason.API_HELD, NOW + timedelta(seconds=30))


@pytest.mark.parametrize(
    ("fleet", "decision"),
    [
        pytest.param(
            replace(FLEET, sent=(ago(seconds=50),) * 4),
            wait(DecisionReason.FLEET_MINUTE_SPENT, NOW + timedelta(seconds=10)),
            id="minute-spent",
        ),
        pytest.param(replace(FLEET, sent=(ago(seconds=50),) * 3), RETRY, id="room-in-the-minute"),
        pytest.param(replace(FLEET, sent=(ago(seconds=60),) * 4), RETRY, id="a-minute-later"),
        pytest.param(
            replace(FLEET, charged=(ago(hours=23),) * 50),
            wait(DecisionReason.FLEET_WINDOW_SPENT, NOW + timedelta(hours=1)),
            id="day-spent",
        ),
        pytest.param(replace(FLEET, charged=(ago(hours=23),) * 49), RETRY, id="room-in-the-day"),
        pytest.param(
            replace(FLEET, in_flight=10), wait(DecisionReason.FLEET_IN_FLIGHT), id="in-flight"
        ),
        pytest.param(replace(FLEET, in_flight=9), RETRY, id="room-in-flight"),
        pytest.param(
            replace(FLEET, hold=HELD), wait(DecisionReason.API_HELD, HELD.until), id="held"
        ),
        pytest.param(
            replace(FLEET, hold=replace(HELD, until=NOW)), RETRY, id="the-hold-is-just-over"
        ),
        pytest.param(
            replace(FLEET, hold=HELD, charged=(ago(hours=23),) * 50, in_flight=10),
            wait(DecisionReason.FLEET_WINDOW_SPENT, NOW + timedelta(hours=1)),
            id="of-several-waits-the-longest-is-told",
        ),
    ],
)
def test_what_the_fleet_calls_for(fleet: Fleet, decision: Decision) -> None:
    assert decide(failing(), [], fleet, POLICY, NOW) == decision


moments = st.integers(-100_000, 200_000).map(lambda seconds: ago(seconds=seconds))
attempts_of_any_kind = st.lists(
    st.builds(
        an_attempt,
        st.sampled_from(Outcome),
        episode_id=st.sampled_from(["e1", "e0"]),
        reserved_at=moments,
        sent_at=st.none() | moments,
        resolution=st.none() | st.sampled_from(Resolution),
        resolved_at=st.none() | moments,
    ),
    max_size=8,
)
targets = st.builds(
    failing,
    health=st.none() | st.sampled_from(Health),
    missing=st.booleans(),
    missing_since=st.none() | moments,
    failing_since=st.none() | moments,
    episode=st.none() | st.builds(an_episode, standing=st.booleans()),
)
fleets = st.builds(
    Fleet,
    limits=st.just(FLEET.limits),
    in_flight=st.integers(0, 12),
    sent=st.lists(moments, max_size=6).map(lambda times: tuple(sorted(times))),
    charged=st.lists(moments, max_size=60).map(lambda times: tuple(sorted(times))),
    hold=st.none() | st.builds(Hold, st.just(DecisionReason.API_HELD), moments),
)
counts = st.integers(1, 1000) | st.integers(1, 6)
durations = st.timedeltas(timedelta(0), timedelta(days=3650))
policies = st.sampled_from([POLICY, IGNORE]) | st.builds(
    replace,
    st.just(POLICY),
    standing=st.sampled_from(Standing),
    first_delay=durations,
    backoff=durations,
    backoff_max=durations,
    backoff_factor=st.floats(1, 100),
    jitter=st.floats(0, 1),
    max_attempts=counts,
    window=durations.filter(bool),
    max_attempts_per_window=counts,
)


@given(targets, attempts_of_any_kind, fleets, policies)
def test_it_is_total_and_retries_only_where_everything_allows_it(
    target: Target, attempts: list[Attempt], fleet: Fleet, policy: Policy
) -> None:
    decision = decide(target, attempts, fleet, policy, NOW)
    assert (decision.reason is None) == (decision.kind is DecisionKind.RETRY)
    assert decision.until is None or decision.until > NOW
    if decision.kind is not DecisionKind.RETRY:
        return
    assert target.health is Health.FAILING
    assert not target.missing
    assert target.missing_since is None
    assert not any(attempt.under_way for attempt in attempts)
    charged = [attempt for attempt in attempts if attempt.outcome.charged]
    episode = target.episode.id if target.episode else None
    assert sum(a.episode_id == episode for a in charged) < policy.max_attempts
    in_window = [a for a in charged if (a.sent_at or a.reserved_at) + policy.window > NOW]
    assert len(in_window) < policy.max_attempts_per_window
    assert fleet.in_flight < fleet.limits.max_in_flight
    assert sum(at + FLEET_MINUTE > NOW for at in fleet.sent) < fleet.limits.max_retries_per_minute
    in_day = sum(at + FLEET_DAY > NOW for at in fleet.charged)
    assert in_day < fleet.limits.max_attempts_per_window
    assert fleet.hold is None or fleet.hold.until <= NOW
