"""The transactions around an attempt: what is computed, reserved, resolved and written."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from tests.engine.test_invariants import run
from tests.fakes.engine import NEVER_OPENS
from tests.fakes.ledger import InMemoryLedger
from tests.fakes.records import (
    FLEET,
    NOW,
    OPEN,
    POLICY,
    PUSHED,
    REF,
    ago,
    an_attempt,
    an_episode,
    failing,
    healthy,
    refailed,
)
from watchdog.domain.limits import RESERVATION_TTL
from watchdog.domain.records import (
    Attempt,
    Decision,
    DecisionKind,
    DecisionReason,
    DeploymentRef,
    EpisodeResult,
    Health,
    Hold,
    Observation,
    Outcome,
    Resolution,
    Target,
)
from watchdog.domain.step import FIRST_LOOK
from watchdog.engine.look import Look
from watchdog.engine.ports import VersionConflict
from watchdog.engine.settings import Model, Settings
from watchdog.engine.target.left_behind import resolve_left_behind
from watchdog.engine.target.record import record_look, record_outcome, reserve
from watchdog.engine.target.recorded import Recorded

INTERVAL, RECOVERY = timedelta(minutes=1), timedelta(seconds=15)
MODELS = ("m1", *(f"other-{number}" for number in range(60)))
DEAD, ALIVE = "daemon:dead", "daemon:alive"
RETRY = Decision(DecisionKind.RETRY)
HELD = Hold(DecisionReason.API_HELD, NOW + timedelta(seconds=40))


class Reserving:
    """A ledger with these rows, at a moment that a test chooses, and who works on it."""

    def __init__(self, *attempts: Attempt, target: Target | None = None) -> None:
        self.time = NOW
        self.ledger = InMemoryLedger(self)
        self.ledger.dead_owners.add(DEAD)
        self.settings = Settings(
            observe=False,
            owner="daemon:1",
            models={model_id: Model(None, POLICY) for model_id in MODELS},
            limits=FLEET.limits,
            breaker=NEVER_OPENS,
            interval=INTERVAL,
            recovery_interval=RECOVERY,
            timeout=timedelta(seconds=10),
            concurrency=1,
            max_rate=100,
            diagnose=False,
        )
        first = target or failing(decision=RETRY)
        run(self.ledger.transact(lambda tx: tx.targets.add(first)))
        for number, attempt in enumerate(attempts):
            self.add(replace(attempt, id=f"old-{number}"))

    def now(self) -> datetime:
        return self.time

    def monotonic(self) -> float:
        return 0.0

    def add(self, attempt: Attempt) -> None:
        """An attempt, and the episode that it belongs to."""
        episode = an_episode(id=attempt.episode_id, model_id=attempt.model_id)
        if attempt.episode_id != "e1":
            run(self.ledger.transact(lambda tx: tx.episodes.save(episode)))
        run(self.ledger.transact(lambda tx: tx.attempts.add(attempt)))

    @property
    def target(self) -> Target:
        return self.ledger.stored_target("m1")

    @property
    def attempts(self) -> list[Attempt]:
        return self.ledger.all_attempts()

    def reserve(self, hold: Hold | None = None) -> tuple[Recorded, Attempt | None]:
        seen, access = self.target, replace(OPEN, hold=hold)
        return run(
            self.ledger.transact(lambda tx: reserve(tx, self.settings, seen, "attempt-1", access))
        )

    def look(self, status: str, ref: DeploymentRef = REF, hold: Hold | None = None) -> Target:
        look = Look(self.time, Observation(status, ref, self.time))
        recorded = run(
            self.ledger.transact(
                lambda tx: record_look(
                    tx, self.settings, Target("m1"), look, replace(OPEN, hold=hold)
                )
            )
        )
        assert recorded is not None
        assert recorded.after == self.target
        return recorded.after

    def record_outcome(
        self,
        attempt: Attempt,
        *,
        answered: DeploymentRef | None = None,
        look: Look | None = None,
        hold: Hold | None = None,
    ) -> Target:
        recorded = run(
            self.ledger.transact(
                lambda tx: record_outcome(
                    tx, self.settings, attempt, answered, look, replace(OPEN, hold=hold)
                )
            )
        )
        assert recorded is not None
        assert recorded.after == self.target
        return recorded.after

    def resolve_left_behind(self) -> None:
        run(self.ledger.transact(resolve_left_behind))


def of_others(count: int, attempt: Attempt) -> list[Attempt]:
    return [
        replace(attempt, model_id=f"other-{number}", episode_id=f"of-{number}")
        for number in range(count)
    ]


def test_what_is_reserved_is_written_before_anything_is_sent() -> None:
    reserving = Reserving(
        refailed(ago(hours=3)),
        refailed(ago(hours=9), episode_id="e0"),
        an_attempt(Outcome.THROTTLED, sent_at=ago(minutes=9)),
    )
    recorded, attempt = reserving.reserve()
    assert attempt == Attempt(
        id="attempt-1",
        model_id="m1",
        episode_id="e1",
        number=2,
        owner="daemon:1",
        reserved_at=NOW,
        in_flight_until=NOW + POLICY.stuck_after,
        deployment=REF,
    )
    assert attempt in reserving.attempts
    assert attempt in recorded.attempts
    assert recorded.after == reserving.target
    assert not recorded.canary
    assert reserving.target.decision == Decision(
        DecisionKind.WAIT, DecisionReason.ATTEMPT_UNDER_WAY
    )
    assert reserving.target.next_check_at == NOW + RECOVERY


@pytest.mark.parametrize(
    ("attempts", "hold", "reason"),
    [
        pytest.param(
            of_others(4, an_attempt(Outcome.THROTTLED, sent_at=ago(seconds=59))),
            None,
            DecisionReason.FLEET_MINUTE_SPENT,
            id="the-fleets-minute",
        ),
        pytest.param(
            of_others(4, an_attempt(Outcome.PENDING, reserved_at=ago(hours=1), owner=ALIVE)),
            None,
            DecisionReason.FLEET_MINUTE_SPENT,
            id="what-others-are-sending",
        ),
        pytest.param(
            of_others(50, refailed(ago(hours=23))),
            None,
            DecisionReason.FLEET_WINDOW_SPENT,
            id="the-fleets-day",
        ),
        pytest.param(
            of_others(10, an_attempt(reserved_at=ago(hours=2), sent_at=ago(hours=2))),
            None,
            DecisionReason.FLEET_IN_FLIGHT,
            id="what-is-in-flight",
        ),
        pytest.param(
            [refailed(ago(hours=20), episode_id="e0")] * 6,
            None,
            DecisionReason.WINDOW_SPENT,
            id="the-targets-window",
        ),
        pytest.param(
            [refailed(ago(hours=40))] * 4, None, DecisionReason.EPISODE_SPENT, id="the-episode"
        ),
        pytest.param(
            [refailed(ago(minutes=4))], None, DecisionReason.BACKOFF, id="a-re-failure-meanwhile"
        ),
        pytest.param(
            [an_attempt(Outcome.PENDING, owner=ALIVE)],
            None,
            DecisionReason.ATTEMPT_UNDER_WAY,
            id="somebody-is-sending",
        ),
        pytest.param([], HELD, DecisionReason.API_HELD, id="a-hold"),
    ],
)
def test_each_limit_is_computed_anew_and_nothing_is_reserved_beyond_it(
    attempts: Sequence[Attempt], hold: Hold | None, reason: DecisionReason
) -> None:
    reserving = Reserving(*attempts)
    recorded, attempt = reserving.reserve(hold)
    assert attempt is None
    assert len(reserving.attempts) == len(attempts)
    assert recorded.after == reserving.target
    assert reserving.target.decision.reason is reason
    assert recorded.step.happened == ()


@pytest.mark.parametrize(
    "attempts",
    [
        pytest.param(
            of_others(3, an_attempt(Outcome.THROTTLED, sent_at=ago(seconds=59))), id="minute"
        ),
        pytest.param(
            of_others(4, an_attempt(Outcome.THROTTLED, sent_at=ago(seconds=60))), id="last-minute"
        ),
        pytest.param(of_others(50, refailed(ago(hours=24))), id="yesterday"),
        pytest.param(
            of_others(9, an_attempt(reserved_at=ago(hours=2), sent_at=ago(hours=2))), id="in-flight"
        ),
        pytest.param([refailed(ago(hours=25), episode_id="e0")] * 6, id="an-earlier-window"),
        pytest.param([refailed(ago(hours=40))] * 3, id="episode"),
    ],
)
def test_below_each_limit_there_is_room(attempts: Sequence[Attempt]) -> None:
    _, attempt = Reserving(*attempts).reserve()
    assert attempt is not None


def test_a_target_that_somebody_changed_meanwhile_is_not_reserved_for() -> None:
    reserving = Reserving()
    seen = reserving.target
    reserving.look("BUILD_FAILED")
    for stale in (seen, replace(reserving.target, model_id="other-1")):
        with pytest.raises(VersionConflict, match=stale.model_id):
            run(
                reserving.ledger.transact(
                    lambda tx: reserve(tx, reserving.settings, stale, "a", OPEN)  # noqa: B023
                )
            )
    assert reserving.attempts == []


def test_a_target_without_an_episode_is_not_reserved_for() -> None:
    reserving = Reserving(target=failing(episode=None, decision=RETRY))
    with pytest.raises(VersionConflict):
        reserving.reserve()


@pytest.mark.parametrize(
    ("target", "status", "hold", "seconds"),
    [
        pytest.param(healthy(), "SCALED_TO_ZERO", None, 60, id="nothing-to-do"),
        pytest.param(
            failing(failing_since=ago(seconds=90)), "BUILD_FAILED", None, 30, id="due-sooner"
        ),
        pytest.param(
            failing(failing_since=ago(seconds=10)), "BUILD_FAILED", None, 60, id="due-later"
        ),
        pytest.param(failing(), "BUILD_FAILED", None, 60, id="due-now-unless-it-fails"),
        pytest.param(failing(), "BUILD_FAILED", HELD, 40, id="held"),
    ],
)
def test_the_next_check_is_at_the_interval_or_when_an_attempt_is_due(
    target: Target, status: str, hold: Hold | None, seconds: int
) -> None:
    after = Reserving(target=target).look(status, hold=hold)
    assert after.next_check_at == NOW + timedelta(seconds=seconds)


def test_what_a_dead_owner_left_behind_is_unknown_and_the_others_are_left_alone() -> None:
    lost = an_attempt(Outcome.PENDING, owner=DEAD, reserved_at=ago(seconds=3))
    held = an_attempt(Outcome.PENDING, owner=ALIVE, reserved_at=ago(days=3))
    reserving = Reserving(*of_others(1, held), lost)
    reserving.resolve_left_behind()
    kept, resolved = reserving.attempts
    assert kept.outcome is Outcome.PENDING
    assert (resolved.id, resolved.outcome, resolved.sent_at) == ("old-1", Outcome.UNKNOWN, NOW)
    assert resolved.under_way
    assert resolved.outcome.charged


@pytest.mark.parametrize(
    ("reserved_at", "sent_at"),
    [
        pytest.param(ago(seconds=31), ago(seconds=1), id="no-later-than-it-was-allowed"),
        pytest.param(ago(seconds=29), NOW, id="no-later-than-now"),
        pytest.param(NOW, NOW, id="reserved-at-this-moment"),
        pytest.param(
            ago(seconds=-5), ago(seconds=-5) + RESERVATION_TTL, id="before-a-clock-was-set-back"
        ),
    ],
)
def test_what_was_left_behind_counts_from_the_latest_moment_at_which_it_was_sent(
    reserved_at: datetime, sent_at: datetime
) -> None:
    reserving = Reserving(an_attempt(Outcome.PENDING, owner=DEAD, reserved_at=reserved_at))
    reserving.resolve_left_behind()
    (attempt,) = reserving.attempts
    assert (attempt.outcome, attempt.sent_at) == (Outcome.UNKNOWN, sent_at)


@pytest.mark.parametrize(
    ("owner", "seconds_ago", "outcome"),
    [
        pytest.param(DEAD, 31, Outcome.UNKNOWN, id="left-behind"),
        pytest.param(DEAD, 30, Outcome.PENDING, id="it-may-still-be-sent"),
        pytest.param(ALIVE, 3600, Outcome.PENDING, id="its-owner-lives"),
    ],
)
def test_a_check_resolves_what_was_left_behind_when_it_can_no_longer_be_sent(
    owner: str, seconds_ago: int, outcome: Outcome
) -> None:
    reserved_at = ago(seconds=seconds_ago)
    reserving = Reserving(an_attempt(Outcome.PENDING, owner=owner, reserved_at=reserved_at))
    after = reserving.look("BUILDING")
    (attempt,) = reserving.attempts
    assert attempt.outcome is outcome
    assert after.decision.reason is DecisionReason.ATTEMPT_UNDER_WAY


@pytest.mark.parametrize(
    ("noticed_seconds_ago", "outcome"), [(31, Outcome.UNKNOWN), (30, Outcome.PENDING)]
)
def test_what_was_left_behind_before_a_clock_was_set_back_is_resolved_as_soon(
    noticed_seconds_ago: int, outcome: Outcome
) -> None:
    """It counts in the fleet's minute while it is pending, whatever its date."""
    tomorrow, noticed = ago(days=-1), ago(seconds=noticed_seconds_ago)
    left = an_attempt(Outcome.PENDING, owner=DEAD, reserved_at=tomorrow, ahead_since=noticed)
    reserving = Reserving(left)
    reserving.look("BUILDING")
    (attempt,) = reserving.attempts
    assert attempt.outcome is outcome


def test_the_deployment_in_our_own_answer_is_no_push() -> None:
    reserving = Reserving()
    _, attempt = reserving.reserve()
    assert attempt is not None
    sent = replace(attempt, outcome=Outcome.ACCEPTED, sent_at=NOW)
    after = reserving.record_outcome(sent, answered=PUSHED)
    assert after.deployment == PUSHED
    assert after.episode == an_episode(deployment=PUSHED)
    assert reserving.attempts == [replace(sent, made=PUSHED)]
    assert after.decision.reason is DecisionReason.ATTEMPT_UNDER_WAY


def test_an_answer_that_names_the_same_deployment_changes_nothing() -> None:
    reserving = Reserving()
    _, attempt = reserving.reserve()
    assert attempt is not None
    before = reserving.target
    after = reserving.record_outcome(
        replace(attempt, outcome=Outcome.ACCEPTED, sent_at=NOW), answered=REF
    )
    first_look = NOW + FIRST_LOOK
    assert after == replace(before, version=before.version + 1, next_check_at=first_look)


def abandoned(attempt: Attempt) -> Attempt:
    return replace(
        attempt, outcome=Outcome.ABANDONED, resolution=Resolution.ANSWERED, resolved_at=NOW
    )


def test_what_the_second_look_saw_is_recorded_with_the_attempt_that_it_stopped() -> None:
    reserving = Reserving()
    _, attempt = reserving.reserve()
    assert attempt is not None
    look = Look(NOW, Observation("ACTIVE", REF, NOW))
    after = reserving.record_outcome(abandoned(attempt), look=look)
    assert (after.health, after.episode) == (Health.HEALTHY, None)
    assert after.decision.reason is DecisionReason.HEALTHY
    (episode,) = run(reserving.ledger.transact(lambda tx: tx.episodes.newest("m1", limit=9)))
    assert (episode.result, episode.ended_at) == (EpisodeResult.SUPERSEDED, NOW)


def test_a_404_at_the_second_look_is_recorded() -> None:
    reserving = Reserving()
    _, attempt = reserving.reserve()
    assert attempt is not None
    after = reserving.record_outcome(abandoned(attempt), look=Look(NOW, None))
    assert after.missing_since == NOW
    assert after.decision.reason is DecisionReason.MISSING


def test_after_a_second_look_that_failed_the_retry_waits_a_little() -> None:
    reserving = Reserving()
    _, attempt = reserving.reserve()
    assert attempt is not None
    after = reserving.record_outcome(abandoned(attempt))
    assert after.decision == Decision(
        DecisionKind.WAIT, DecisionReason.LOOK_AGAIN_FAILED, NOW + RECOVERY
    )
    assert after.next_check_at == NOW + RECOVERY


def test_after_a_429_only_its_hold_is_waited_for() -> None:
    reserving = Reserving()
    _, attempt = reserving.reserve()
    assert attempt is not None
    throttled = replace(abandoned(attempt), outcome=Outcome.THROTTLED, sent_at=NOW)
    after = reserving.record_outcome(throttled)
    assert (after.decision, after.next_check_at) == (RETRY, NOW + INTERVAL)


def test_after_a_second_look_that_failed_a_hold_is_still_a_hold() -> None:
    reserving = Reserving()
    _, attempt = reserving.reserve()
    assert attempt is not None
    after = reserving.record_outcome(abandoned(attempt), hold=HELD)
    assert after.decision.reason is DecisionReason.API_HELD


def test_an_answer_is_recorded_even_if_its_target_is_gone() -> None:
    reserving = Reserving(*of_others(1, an_attempt(Outcome.PENDING)))
    (pending,) = reserving.attempts
    accepted = replace(pending, outcome=Outcome.ACCEPTED, sent_at=NOW)
    recorded = run(
        reserving.ledger.transact(
            lambda tx: record_outcome(tx, reserving.settings, accepted, REF, None, OPEN)
        )
    )
    assert recorded is None
    ended = replace(accepted, resolution=Resolution.REMOVED, resolved_at=NOW)
    assert reserving.attempts == [ended]


def test_a_look_at_a_removed_target_is_not_recorded() -> None:
    reserving, look = Reserving(), Look(NOW, Observation("ACTIVE", REF, NOW))
    recorded = run(
        reserving.ledger.transact(
            lambda tx: record_look(tx, reserving.settings, Target("other-1"), look, OPEN)
        )
    )
    assert recorded is None


def test_what_a_look_ends_is_written_down() -> None:
    reserving = Reserving(an_attempt())
    after = reserving.look("ACTIVE")
    (attempt,) = reserving.attempts
    assert (attempt.resolution, attempt.resolved_at) == (Resolution.RECOVERED, NOW)
    assert after.episode == an_episode(result=EpisodeResult.RECOVERED, ended_at=NOW)


def test_a_replaced_episode_is_written_down_beside_the_new_one() -> None:
    reserving = Reserving()
    after = reserving.look("BUILD_FAILED", PUSHED)
    assert after.episode is not None
    new, old = run(reserving.ledger.transact(lambda tx: tx.episodes.newest("m1", limit=9)))
    assert new == after.episode
    assert old == an_episode(result=EpisodeResult.REPLACED, ended_at=NOW)


def test_the_hold_of_a_429_applies_in_other_processes_too() -> None:
    reserving = Reserving()
    _, attempt = reserving.reserve()
    assert attempt is not None
    hold = Hold(DecisionReason.API_HELD, NOW + timedelta(minutes=3))
    closed = replace(
        attempt,
        outcome=Outcome.THROTTLED,
        sent_at=NOW,
        resolution=Resolution.ANSWERED,
        resolved_at=NOW,
    )
    run(
        reserving.ledger.transact(
            lambda tx: record_outcome(tx, reserving.settings, closed, None, None, OPEN, hold)
        )
    )
    after = reserving.look("BUILD_FAILED")
    assert (after.decision.reason, after.decision.until) == (hold.reason, hold.until)
    assert reserving.reserve()[1] is None
    reserving.time += timedelta(minutes=3)
    assert reserving.look("BUILD_FAILED").decision.kind is DecisionKind.RETRY


def test_a_hold_that_was_written_by_a_clock_that_was_ahead_is_ignored() -> None:
    reserving = Reserving()
    ahead = (NOW + timedelta(days=1)).isoformat()
    run(reserving.ledger.transact(lambda tx: tx.meta.set("held_until", ahead)))
    assert reserving.look("BUILD_FAILED").decision.kind is DecisionKind.RETRY
