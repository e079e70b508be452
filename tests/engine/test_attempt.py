"""One attempt in virtual time: the look again, the one POST, and what is recorded of it."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from tests.fakes.engine import START, World, at
from tests.fakes.records import OPEN
from watchdog.domain.records import (
    Attempt,
    DecisionReason,
    DeploymentRef,
    Hold,
    Outcome,
    Resolution,
    TargetState,
)
from watchdog.domain.status import state_of
from watchdog.engine.events import InternalError, RetryAnswered, RetryMismatched, RetryReserved
from watchdog.engine.look import Look
from watchdog.engine.ports import (
    AnswerLost,
    ApiError,
    Denied,
    Forbidden,
    Held,
    LedgerUnavailable,
    NotFound,
    NotSent,
    Rejected,
    VersionConflict,
)
from watchdog.engine.target.record import record_look

pytestmark = pytest.mark.looptime(noop_cycles=0)

LOST = AnswerLost("bad gateway", code="502")


def a_failing_model(*, first_delay: timedelta = timedelta(0), observe: bool = False) -> World:
    world = World("llama", first_delay=first_delay, jitter=0.0, observe=observe)
    world.api.set_status("llama", "BUILD_FAILED")
    return world


def answered(world: World) -> list[Attempt]:
    return [event.attempt for event in world.events if isinstance(event, RetryAnswered)]


@pytest.mark.parametrize(
    ("error", "outcome", "sent", "reason"),
    [
        pytest.param(
            NotSent("no route", code="connect"),
            Outcome.FAILED,
            False,
            "no route",
            id="no-connection",
        ),
        pytest.param(Denied("refused", code="401"), Outcome.FAILED, True, "refused", id="denied"),
        pytest.param(
            Forbidden("not this one", code="403"),
            Outcome.FAILED,
            True,
            "not this one",
            id="forbidden",
        ),
        pytest.param(
            Rejected("conflict", code="409"), Outcome.REFUSED, True, "conflict", id="rejected"
        ),
        pytest.param(NotFound("none", code="404"), Outcome.REFUSED, True, "none", id="not-found"),
        pytest.param(
            Held("later", hold=Hold(DecisionReason.API_HELD, START)),
            Outcome.ABANDONED,
            False,
            "later",
            id="held",
        ),
    ],
)
async def test_an_answer_that_ends_an_attempt(
    error: ApiError, outcome: Outcome, sent: bool, reason: str
) -> None:
    world = a_failing_model()
    world.api.model("llama").retry_error = error
    async with world.running():
        await world.run_for(seconds=3)
    attempt = world.attempts()[0]
    assert (attempt.outcome, attempt.reason) == (outcome, reason)
    assert attempt.sent_at == (START if sent else None)
    assert attempt.answered_at == attempt.resolved_at == START
    assert attempt.resolution is Resolution.ANSWERED
    assert answered(world)[0] == attempt


async def test_a_429_ends_an_attempt() -> None:
    world = a_failing_model()
    world.throttle("llama", timedelta(seconds=37))
    async with world.running():
        await world.run_for(seconds=3)
    (attempt,) = world.attempts()
    assert (attempt.outcome, attempt.reason, attempt.sent_at) == (Outcome.THROTTLED, "slow", START)
    assert (attempt.resolution, attempt.resolved_at) == (Resolution.ANSWERED, START)
    assert world.target("llama").decision.reason is DecisionReason.API_HELD


async def test_a_refusal_ends_an_attempt_with_its_reason() -> None:
    world = a_failing_model()
    world.api.model("llama").refusal = "the archive expired"
    async with world.running():
        await world.run_for(seconds=3)
    (attempt,) = world.attempts()
    assert (attempt.outcome, attempt.reason) == (Outcome.REFUSED, "the archive expired")
    assert attempt.sent_at == attempt.answered_at == attempt.resolved_at == START
    assert attempt.resolution is Resolution.ANSWERED


async def test_what_was_accepted_is_watched() -> None:
    world = a_failing_model()
    world.api.model("llama").reason = "on its way"
    world.on_retry("llama", "BUILDING")
    answer = world.api.model("llama").before_answer = asyncio.Event()
    async with world.running():
        await world.run_for(seconds=2)
        answer.set()
        await world.run_for(seconds=2)
    (attempt,) = world.attempts()
    assert attempt.reason == "on its way"
    assert (attempt.outcome, attempt.resolution, attempt.resolved_at) == (
        Outcome.ACCEPTED,
        None,
        None,
    )
    assert (attempt.sent_at, attempt.answered_at) == (START, at(seconds=2))


async def test_a_status_that_is_still_shown_after_the_post_is_no_re_failure() -> None:
    world = a_failing_model()
    lag = timedelta(seconds=20)
    world.on_retry("llama", "BUILD_FAILED", then=("BUILDING", lag))
    async with world.running():
        await world.run_for(minutes=1)
    assert world.api.gets["llama"] > 3
    (attempt,) = world.attempts()
    assert attempt.under_way


async def test_what_was_lost_is_watched() -> None:
    world = a_failing_model()
    world.api.model("llama").retry_error = LOST
    async with world.running():
        await world.run_for(seconds=3)
    (attempt,) = world.attempts()
    assert (attempt.outcome, attempt.reason) == (Outcome.UNKNOWN, "bad gateway")
    assert (attempt.sent_at, attempt.answered_at, attempt.resolved_at) == (START, None, None)
    assert world.posts() == [START]


async def test_a_dry_run_is_watched_like_what_was_lost() -> None:
    world = a_failing_model(observe=True)
    async with world.running():
        await world.run_for(seconds=3)
    (attempt,) = world.attempts()
    assert (attempt.outcome, attempt.reason, attempt.resolution) == (Outcome.DRY_RUN, None, None)
    assert attempt.sent_at == attempt.answered_at == START
    assert world.posts() == []


async def test_a_bug_leaves_an_attempt_that_may_have_been_sent() -> None:
    world = a_failing_model()
    bug = world.api.model("llama").retry_error = RuntimeError("a bug")  # type: ignore[assignment]
    async with world.running():
        await world.run_for(seconds=3)
    (attempt,) = world.attempts()
    assert (attempt.outcome, attempt.reason) == (Outcome.UNKNOWN, "internal error")
    assert (attempt.sent_at, attempt.resolved_at) == (START, None)
    (told,) = [event for event in world.events if isinstance(event, InternalError)]
    assert (told.model_id, told.error) == ("llama", bug)


@pytest.mark.parametrize(
    ("seconds", "outcome"),
    [
        pytest.param(30, Outcome.ACCEPTED, id="just-in-time"),
        pytest.param(31, Outcome.ABANDONED, id="too-late"),
    ],
)
async def test_what_was_reserved_too_long_ago_is_not_sent(seconds: int, outcome: Outcome) -> None:
    world = a_failing_model()
    world.on_retry("llama", "BUILDING")
    slow = [seconds]
    world.api.model("llama").before_urgent = lambda: asyncio.sleep(slow.pop() if slow else 0)
    async with world.running():
        await world.run_for(seconds=seconds + 1)
        attempt = world.attempts()[0]
        assert attempt.outcome is outcome
        if outcome is Outcome.ABANDONED:
            assert attempt.reason == "the reservation expired before it could be sent"
            assert (attempt.sent_at, attempt.resolved_at) == (None, at(seconds=seconds))
            assert world.posts() == []


async def test_when_the_second_look_fails_nothing_is_sent_and_it_is_tried_again_soon() -> None:
    world = a_failing_model()
    model = world.api.model("llama")
    errors: list[ApiError | None] = [None, LOST]

    def lost_once() -> None:
        model.get_error = errors.pop() if errors else None

    model.before_urgent = lost_once
    async with world.running():
        await world.run_for(seconds=1)
        model.get_error = None
        await world.run_for(seconds=13)
        assert world.posts() == []
        assert world.target("llama").decision.reason is DecisionReason.LOOK_AGAIN_FAILED
        await world.run_for(seconds=3)
    first, second = world.attempts()
    assert (first.outcome, first.reason) == (
        Outcome.ABANDONED,
        "could not look again: bad gateway",
    )
    assert (second.outcome, second.number) == (Outcome.ACCEPTED, 1)
    assert world.posts() == [at(seconds=15)]


async def test_a_target_that_is_not_found_when_looked_at_again_is_not_posted_to() -> None:
    world = a_failing_model()

    def gone() -> None:
        world.api.delete("llama")

    world.api.model("llama").before_urgent = gone
    async with world.running():
        await world.run_for(seconds=1)
    (attempt,) = world.attempts()
    assert (attempt.outcome, attempt.reason) == (
        Outcome.ABANDONED,
        "could not look again: HTTP 404: no such model",
    )
    assert world.posts() == []
    assert world.target("llama").missing_since is None
    assert world.target("llama").decision.reason is DecisionReason.LOOK_AGAIN_FAILED


@pytest.mark.parametrize(
    ("status", "pushed", "told"),
    [
        pytest.param("ACTIVE", False, "episode_superseded", id="it-does-well"),
        pytest.param("BUILDING", False, "episode_superseded", id="it-builds"),
        pytest.param("BUILD_FAILED", True, "deployment_replaced", id="another-deployment"),
        pytest.param("BUILDING", True, "deployment_replaced", id="both"),
    ],
)
async def test_another_status_at_the_second_look_is_recorded_and_nothing_is_sent(
    status: str, pushed: bool, told: str
) -> None:
    world = a_failing_model()
    model = world.api.model("llama")
    act = world.api.push if pushed else world.api.set_status
    acts = [act]
    model.before_urgent = lambda: acts and acts.pop()("llama", status)
    async with world.running():
        await world.run_for(seconds=1)
    attempt = world.attempts()[0]
    assert (attempt.outcome, attempt.reason) == (
        Outcome.ABANDONED,
        f"it is another deployment meanwhile, in {status}"
        if pushed
        else f"it changed to {status} meanwhile",
    )
    target = world.target("llama")
    assert (target.status, target.deployment, target.observed_at) == (
        status,
        model.deployment.ref,
        START,
    )
    log = world.log()
    assert log[log.index("retry_abandoned") + 1] == told
    assert world.posts() == []


async def test_what_another_process_gave_up_is_not_sent() -> None:
    """A clock that was set back since then may make the reservation look as if it were still
    valid."""
    world = a_failing_model()

    async def give_up() -> None:
        (mine,) = await world.ledger.transact(lambda tx: tx.attempts.pending())
        lost = replace(mine, outcome=Outcome.UNKNOWN, sent_at=mine.reserved_at)
        await world.ledger.transact(lambda tx: tx.attempts.record_answer(lost))

    world.api.model("llama").before_urgent = give_up
    async with world.running():
        await world.run_for(seconds=1)
    (attempt,) = world.attempts()
    assert (attempt.outcome, attempt.reason) == (
        Outcome.ABANDONED,
        "it is not pending in the ledger any more",
    )
    assert world.posts() == []


async def test_stopping_abandons_what_was_not_sent_and_says_so() -> None:
    world = a_failing_model()
    look = asyncio.Event()
    world.api.model("llama").before_urgent = look.wait
    async with world.running():
        await world.run_for(seconds=2)
        stopping = asyncio.create_task(world.stop())
        await asyncio.sleep(1)
        look.set()
        await stopping
    (attempt,) = world.attempts()
    assert (attempt.outcome, attempt.reason) == (Outcome.ABANDONED, "stopping")


async def test_a_check_that_is_cancelled_does_not_cancel_its_post() -> None:
    world = a_failing_model(first_delay=timedelta(hours=1))
    answer = world.api.model("llama").before_answer = asyncio.Event()
    async with world.running():
        await world.run_for(seconds=2)
        await asyncio.sleep(3600)
        retrier, target = world.retrier, world.target("llama")
        check = asyncio.create_task(retrier.retry(target))
        await asyncio.sleep(1)
        assert len(world.posts()) == 1
        check.cancel()
        with pytest.raises(asyncio.CancelledError):
            await check
        answer.set()
        await retrier.finish()
        (attempt,) = world.attempts()
        assert attempt.outcome is Outcome.ACCEPTED


async def test_a_change_by_another_process_first_is_a_conflict_and_not_a_bug() -> None:
    world = a_failing_model(first_delay=timedelta(hours=1))
    async with world.running():
        await world.run_for(seconds=2)
        retrier, target = world.retrier, world.target("llama")
        await world.ledger.transact(lambda tx: tx.targets.save(target))
        with pytest.raises(VersionConflict):
            await retrier.retry(target)
        world.ledger.fail_with = LedgerUnavailable("locked")
        with pytest.raises(LedgerUnavailable):
            await retrier.retry(target)
        world.ledger.fail_with = None
    assert "internal_error" not in world.log()
    assert world.posts() == []


async def test_a_hold_that_came_after_the_check_is_found_before_reserving() -> None:
    world = a_failing_model(first_delay=timedelta(hours=1))
    async with world.running():
        await world.run_for(seconds=2)
        await asyncio.sleep(3600)
        world.api.hold = world.hold_for(timedelta(seconds=30))
        after = await world.retrier.retry(world.target("llama"))
    assert after.decision.reason is DecisionReason.API_HELD
    assert (world.attempts(), world.posts()) == ([], [])


async def test_a_bug_while_recording_is_reported() -> None:
    world = a_failing_model(first_delay=timedelta(hours=1))
    bug = RuntimeError("a bug")

    def lose_the_ledger() -> None:
        world.ledger.fail_with = bug  # type: ignore[assignment]

    world.on_retry("llama", "BUILDING", effect=lose_the_ledger)
    async with world.running():
        await world.run_for(seconds=2)
        await asyncio.sleep(3600)
        with pytest.raises(RuntimeError, match="a bug"):
            await world.retrier.retry(world.target("llama"))
        world.ledger.fail_with = None
    (told,) = [event for event in world.events if isinstance(event, InternalError)]
    assert (told.model_id, told.error) == ("llama", bug)


async def test_an_answer_that_no_ledger_can_store_leaves_nothing_pending() -> None:
    world = a_failing_model()
    world.api.model("llama").refusal = "a\x00b"
    async with world.running():
        await world.run_for(seconds=2)
    (attempt,) = world.attempts()
    assert (attempt.outcome, attempt.reason) == (Outcome.REFUSED, "internal error")
    (told,) = [event for event in world.events if isinstance(event, InternalError)]
    assert told.model_id == "llama"
    assert "ledger_unavailable" not in world.log()


async def test_an_attempt_that_is_killed_is_no_bug() -> None:
    world = a_failing_model()
    world.api.model("llama").before_answer = asyncio.Event()
    amiss: list[object] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: amiss.append(context))
    async with world.running():
        await world.run_for(seconds=2)
        await world.crash()
        await asyncio.sleep(1)
    assert amiss == []
    assert "internal_error" not in world.log()


async def test_what_was_reserved_is_reported_before_it_is_sent() -> None:
    world = a_failing_model()
    told: list[Attempt] = []
    world.api.model("llama").before_urgent = lambda: told.extend(
        event.attempt for event in world.events if isinstance(event, RetryReserved)
    )
    async with world.running():
        await world.run_for(seconds=1)
    assert [(attempt.outcome, attempt.model_id) for attempt in told] == [(Outcome.PENDING, "llama")]


@pytest.mark.parametrize("status", ["BUILDING", "BUILD_FAILED"])
async def test_an_answer_with_another_deployment_is_reported_with_both(status: str) -> None:
    world = a_failing_model()
    model = world.api.model("llama")
    before = model.deployment.ref
    world.on_retry("llama", status, effect=lambda: world.api.push("llama", status))
    async with world.running():
        await world.run_for(seconds=1)
    (told,) = [event for event in world.events if isinstance(event, RetryMismatched)]
    assert (told.observed, told.answered) == (before, model.deployment.ref)
    assert told.target.deployment == told.answered
    assert told.target == world.target("llama")
    assert replace(told.attempt, made=told.answered) == world.attempts()[0]


async def test_a_refusal_that_names_another_deployment_is_reported_and_created_nothing() -> None:
    world = a_failing_model()
    model = world.api.model("llama")
    model.refusal, model.refuses_as = "no", DeploymentRef("another", START)
    async with world.running():
        await world.run_for(seconds=1)
    (told,) = [event for event in world.events if isinstance(event, RetryMismatched)]
    assert (told.observed, told.answered) == (model.deployment.ref, model.refuses_as)
    assert world.target("llama").deployment == model.deployment.ref


async def test_an_answer_with_the_same_deployment_is_no_news() -> None:
    world = a_failing_model()
    world.on_retry("llama", "BUILDING")
    async with world.running():
        await world.run_for(seconds=1)
    assert "retry_deployment_mismatch" not in world.log()


async def test_an_answer_that_cannot_be_recorded_is_tried_every_second() -> None:
    world = a_failing_model()

    def lose_the_ledger() -> None:
        world.ledger.fail_with = LedgerUnavailable("locked")

    world.on_retry("llama", "BUILDING", effect=lose_the_ledger)
    async with world.running():
        await world.run_for(seconds=5)
        world.ledger.fail_with = None
        await asyncio.sleep(1)
        (attempt,) = world.attempts()
        assert (attempt.outcome, attempt.sent_at) == (Outcome.ACCEPTED, START)
    assert world.posts() == [START]


async def test_stopping_gives_up_an_answer_that_cannot_be_recorded() -> None:
    world = a_failing_model()

    def lose_the_ledger() -> None:
        world.ledger.fail_with = LedgerUnavailable("locked")

    world.on_retry("llama", "BUILDING", effect=lose_the_ledger)
    async with world.running():
        await world.run_for(seconds=5)
        before = world.clock.now()
        await world.stop()
        assert world.clock.now() - before < timedelta(seconds=1)
    (attempt,) = world.attempts()
    assert attempt.outcome is Outcome.PENDING
    assert "internal_error" not in world.log()


async def test_what_is_sent_was_recorded_before() -> None:
    world = a_failing_model()
    recorded: list[Attempt] = []
    world.on_retry("llama", "BUILDING", effect=lambda: recorded.extend(world.attempts()))
    async with world.running():
        await world.run_for(seconds=1)
    assert [attempt.outcome for attempt in recorded] == [Outcome.PENDING]


async def test_a_model_that_is_opted_out_between_the_looks_is_not_retried() -> None:
    world = a_failing_model()
    world.api.model("llama").before_urgent = lambda: world.api.opt_out("llama")
    async with world.running():
        await world.run_for(minutes=30)
        assert world.posts() == []
        (attempt,) = world.attempts()
        assert attempt.outcome is Outcome.ABANDONED
        assert attempt.reason == "its label opts it out meanwhile"
        assert state_of(world.target("llama")) is TargetState.IGNORED
        world.api.model("llama").before_urgent = lambda: None
        world.api.opt_out("llama", opted_out=False)
        await world.run_for(minutes=30)
    assert world.posts() != []


async def test_a_person_may_force_a_retry_of_what_is_opted_out() -> None:
    world = a_failing_model()
    world.api.opt_out("llama")
    async with world.running():
        await world.run_for(minutes=30)
        assert world.posts() == []
        assert world.target("llama").decision.reason is DecisionReason.OPTED_OUT
        await world.force("llama")
    assert len(world.posts()) == 1


async def test_a_look_from_before_another_process_attempt_does_not_resolve_it() -> None:
    world = a_failing_model(first_delay=timedelta(minutes=2))
    world.on_retry("llama", "BUILDING")
    async with world.running():
        await world.run_for(minutes=1, seconds=30)
        seen, deployment = world.target("llama"), world.api.model("llama").deployment
        look = Look(world.clock.now(), deployment.observed(world.clock.now()))
        await world.run_for(minutes=2)
        assert len(world.posts()) == 1
        settings = world.settings
        recorded = await world.ledger.transact(
            lambda tx: record_look(tx, settings, seen, look, OPEN)
        )
        assert recorded is None
        (attempt,) = world.attempts()
        assert attempt.under_way
        due = world.target("llama").next_check_at
        assert due is not None
        assert due <= world.clock.now()
        await world.run_for(minutes=30)
    assert len(world.posts()) == 1
