"""The fleet's places in flight and the queue for them, on every ledger."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.contract.test_ledger import Subject
from tests.fakes.records import NOW, PUSHED, REF, ago, an_attempt, an_episode, failing, healthy
from watchdog.domain.records import (
    Attempt,
    Decision,
    DecisionKind,
    DecisionReason,
    Outcome,
    Resolution,
    Target,
)

SOON, OVER = NOW + timedelta(seconds=1), NOW
REFAILED: dict[str, Any] = {"resolution": Resolution.REFAILED, "resolved_at": ago(seconds=30)}
MINUTE_SPENT = Decision(DecisionKind.WAIT, DecisionReason.FLEET_MINUTE_SPENT, SOON)
IN_FLIGHT = Decision(DecisionKind.WAIT, DecisionReason.FLEET_IN_FLIGHT)


async def add(subject: Subject, model_id: str, **values: Any) -> None:
    episode = an_episode(id=f"e-{model_id}", model_id=model_id)
    await subject.add(failing(model_id=model_id, episode=episode, **values))


async def sent(subject: Subject, model_id: str, number: int = 1, **values: Any) -> Attempt:
    attempt = an_attempt(
        id=f"{model_id}-{number}", model_id=model_id, episode_id=f"e-{model_id}", **values
    )
    await subject.attempts(attempt)
    return attempt


async def in_flight(subject: Subject, date: datetime | None = None) -> int:
    usage = await subject.do(lambda tx: tx.usage.of_fleet(date=date, most=1))
    return usage.in_flight


@pytest.mark.parametrize(
    ("values", "held"),
    [
        pytest.param({"in_flight_until": SOON}, 1, id="under-way"),
        pytest.param({"in_flight_until": OVER}, 0, id="under-way-for-longer-than-stuck-after"),
        pytest.param(REFAILED | {"in_flight_until": SOON}, 0, id="seen-to-fail-again"),
        pytest.param(
            REFAILED | {"in_flight_until": SOON, "presumed": True}, 1, id="presumed-to-have-failed"
        ),
        pytest.param(
            REFAILED | {"in_flight_until": OVER, "presumed": True}, 0, id="presumed-for-long"
        ),
        pytest.param({}, 1, id="of-an-older-program"),
        pytest.param({"reserved_at": ago(hours=24)}, 0, id="of-an-older-program-a-day-ago"),
    ],
)
async def test_how_long_an_attempt_holds_a_place(
    subject: Subject, values: dict[str, Any], held: int
) -> None:
    await add(subject, "m1")
    attempt = await sent(subject, "m1", **values)
    assert await in_flight(subject) == held == attempt.in_flight(NOW)


STUCK: dict[str, Any] = {"resolution": Resolution.STUCK, "resolved_at": NOW}
# Reserved ten hours ago by the ledger's time, for ten minutes at most.
FOR_TEN_MINUTES: dict[str, Any] = {
    "reserved_at": ago(hours=10),
    "sent_at": ago(hours=10),
    "in_flight_until": ago(hours=10) + timedelta(minutes=10),
}


@pytest.mark.parametrize(
    ("values", "age", "held"),
    [
        pytest.param({}, timedelta(minutes=9), 1, id="under-way"),
        pytest.param({}, timedelta(minutes=10), 0, id="over-by-either-clock"),
        pytest.param({}, timedelta(hours=10), 0, id="no-jump"),
        pytest.param(STUCK, timedelta(minutes=9), 1, id="stuck-by-the-ledgers-time-alone"),
        pytest.param(STUCK, timedelta(minutes=10), 0, id="stuck-by-either-clock"),
        pytest.param(REFAILED, timedelta(minutes=9), 0, id="seen-to-fail-again"),
        pytest.param({}, timedelta(hours=-1), 1, id="the-apis-clock-went-back"),
        pytest.param({}, timedelta(days=-2), 0, id="a-clock-that-is-of-no-help"),
        pytest.param({"in_flight_until": SOON}, timedelta(hours=10), 1, id="the-apis-clock-jumped"),
    ],
)
async def test_a_place_is_held_for_as_long_as_either_clock_says(
    subject: Subject, values: dict[str, Any], age: timedelta, held: int
) -> None:
    """`age` is how long ago the look before it was sent was made, by the API's clock."""
    await add(subject, "m1")
    date = ago(days=3)
    attempt = await sent(subject, "m1", **FOR_TEN_MINUTES | {"api_date": date - age} | values)
    assert await in_flight(subject, date) == held == attempt.in_flight(NOW, date)


async def test_a_target_holds_one_place_however_many_attempts_it_has(subject: Subject) -> None:
    await add(subject, "m1")
    await add(subject, "m2")
    presumed = REFAILED | {"in_flight_until": SOON, "presumed": True}
    await sent(subject, "m1", 1, **presumed)
    await sent(subject, "m1", 2, in_flight_until=SOON)
    await sent(subject, "m2", 1, in_flight_until=SOON)
    assert await in_flight(subject) == 2


async def test_the_observed_result_of_an_attempt_is_stored(subject: Subject) -> None:
    await add(subject, "m1")
    attempt = await sent(subject, "m1")
    seen = {**REFAILED, "presumed": True, "in_flight_until": SOON, "deployment": REF}
    seen |= {"made": PUSHED}
    watched = an_attempt(id=attempt.id, outcome=Outcome.FAILED, **seen)
    await subject.do(lambda tx: tx.attempts.resolve([watched]))
    kept = await subject.do(lambda tx: tx.attempts.get(attempt.id))
    assert kept == an_attempt(id="m1-1", model_id="m1", episode_id="e-m1", **seen)


async def test_a_clock_that_was_set_back_holds_no_place_for_longer(subject: Subject) -> None:
    await add(subject, "m1")
    ahead = NOW + timedelta(days=1)
    until = ahead + timedelta(minutes=7)
    await sent(subject, "m1", reserved_at=ahead, in_flight_until=until)
    await subject.do(lambda tx: tx.clamp_future())
    kept = await subject.do(lambda tx: tx.attempts.get("m1-1"))
    assert kept is not None
    assert kept.in_flight_until == NOW + timedelta(minutes=7)


async def test_a_clock_that_was_set_back_moves_the_end_of_a_place_only_once(
    subject: Subject,
) -> None:
    await add(subject, "m1")
    ahead = NOW + timedelta(days=1)
    until = ahead + timedelta(minutes=7)
    await sent(subject, "m1", reserved_at=ahead, sent_at=ahead, in_flight_until=until)
    for _ in range(3):
        await subject.do(lambda tx: tx.clamp_future())
    kept = await subject.do(lambda tx: tx.attempts.get("m1-1"))
    assert kept is not None
    assert kept.in_flight_until == NOW + timedelta(minutes=7)


async def test_a_failure_presumed_while_the_clock_was_ahead_holds_no_place_for_longer(
    subject: Subject,
) -> None:
    await add(subject, "m1")
    ahead = NOW + timedelta(days=365)
    presumed: dict[str, Any] = REFAILED | {"resolved_at": ahead, "presumed": True}
    await sent(subject, "m1", in_flight_until=ahead + timedelta(minutes=5), **presumed)
    for _ in range(2):
        await subject.do(lambda tx: tx.clamp_future())
    kept = await subject.do(lambda tx: tx.attempts.get("m1-1"))
    assert kept is not None
    assert kept.in_flight_until == NOW + timedelta(minutes=5)


# The queue


def queued(model_id: str, rank: int, ready_at: datetime, **values: Any) -> Target:
    episode = an_episode(id=f"e-{model_id}", model_id=model_id)
    return failing(
        model_id=model_id,
        episode=episode,
        queue_rank=rank,
        ready_at=ready_at,
        **{"decision": MINUTE_SPENT, **values},
    )


async def test_the_targets_before_one_in_the_queue_are_counted(subject: Subject) -> None:
    await subject.add(
        queued("b", 0, ago(minutes=5)),
        queued("c", 0, ago(minutes=5)),
        queued("d", 0, ago(minutes=4), decision=Decision(DecisionKind.RETRY)),
        queued("e", 1, ago(minutes=9)),
        queued("f", 2, ago(minutes=9), decision=IN_FLIGHT),
    )

    async def ahead(rank: int, ready_at: datetime, model_id: str) -> int:
        return await subject.do(
            lambda tx: tx.queue.ahead(rank, ready_at, model_id, seen_since=ago(minutes=2))
        )

    assert await ahead(0, ago(minutes=6), "z") == 0
    assert await ahead(0, ago(minutes=5), "a") == 0
    assert await ahead(0, ago(minutes=5), "b") == 0
    assert await ahead(0, ago(minutes=5), "c") == 1
    assert await ahead(0, NOW, "z") == 3
    assert await ahead(1, ago(minutes=9), "z") == 4
    assert await ahead(2, NOW, "z") == 5


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(
            queued("b", 0, ago(minutes=5), observed_at=ago(minutes=3)), id="not-seen-of-late"
        ),
        pytest.param(queued("b", 0, ago(minutes=5), missing=True), id="missing"),
        pytest.param(
            queued(
                "b",
                0,
                ago(minutes=5),
                decision=Decision(DecisionKind.WAIT, DecisionReason.BACKOFF, SOON),
            ),
            id="in-its-own-backoff",
        ),
        pytest.param(
            queued(
                "b",
                0,
                ago(minutes=5),
                decision=Decision(DecisionKind.GIVE_UP, DecisionReason.FORBIDDEN),
            ),
            id="given-up",
        ),
        pytest.param(healthy(model_id="b", ready_at=ago(minutes=5), queue_rank=0), id="healthy"),
    ],
)
async def test_some_targets_are_not_in_the_queue(subject: Subject, other: Target) -> None:
    await subject.add(other)
    ahead = await subject.do(lambda tx: tx.queue.ahead(0, NOW, "z", seen_since=ago(minutes=2)))
    assert ahead == 0


async def test_an_unseen_target_leaves_the_queue_and_keeps_its_version(
    subject: Subject,
) -> None:
    await subject.add(queued("b", 0, ago(minutes=5)))
    await subject.do(lambda tx: tx.queue.leave("b"))
    assert await subject.do(lambda tx: tx.queue.ahead(0, NOW, "z", seen_since=ago(minutes=2))) == 0
    left = await subject.do(lambda tx: tx.targets.get("b"))
    assert left is not None
    assert (left.version, left.ready_at, left.queue_rank) == (0, ago(minutes=5), None)


async def test_the_first_target_that_waits_for_a_reason_is_found(subject: Subject) -> None:
    await subject.add(
        queued("a", 1, ago(minutes=9), decision=IN_FLIGHT),
        queued("b", 0, ago(minutes=3), decision=IN_FLIGHT),
        queued("c", 0, ago(minutes=5)),
    )
    assert (
        await subject.do(lambda tx: tx.queue.first_waiting(DecisionReason.FLEET_IN_FLIGHT)) == "b"
    )
    assert (
        await subject.do(lambda tx: tx.queue.first_waiting(DecisionReason.FLEET_MINUTE_SPENT))
        == "c"
    )
    assert await subject.do(lambda tx: tx.queue.first_waiting(DecisionReason.API_HELD)) is None


async def test_an_unwatched_target_is_not_the_first_that_waits(subject: Subject) -> None:
    await subject.add(
        queued("a", 0, ago(minutes=9), decision=IN_FLIGHT, watched=False),
        queued("b", 0, ago(minutes=3), decision=IN_FLIGHT),
    )
    assert (
        await subject.do(lambda tx: tx.queue.first_waiting(DecisionReason.FLEET_IN_FLIGHT)) == "b"
    )


# What the key may not retry


async def test_models_that_a_key_may_not_retry_are_counted(subject: Subject) -> None:
    for model_id in ("m1", "m2", "m3", "m4"):
        await add(subject, model_id)
    await sent(subject, "m1", 1, outcome=Outcome.FAILED, sent_at=ago(minutes=9), forbidden_key="k1")
    await sent(subject, "m1", 2, outcome=Outcome.ACCEPTED, sent_at=ago(minutes=8), **REFAILED)
    await sent(subject, "m2", 1, outcome=Outcome.FAILED, sent_at=ago(minutes=7), forbidden_key="k1")
    await sent(subject, "m2", 2, outcome=Outcome.FAILED, sent_at=ago(minutes=6), forbidden_key="k1")
    await sent(subject, "m3", 1, outcome=Outcome.FAILED, sent_at=ago(minutes=5), forbidden_key="k2")
    await sent(subject, "m4", 1, outcome=Outcome.FAILED, sent_at=ago(minutes=4), forbidden_key="k1")
    assert await subject.do(lambda tx: tx.usage.forbidden_models("k1")) == 2
    assert await subject.do(lambda tx: tx.usage.forbidden_models("k2")) == 1
    assert await subject.do(lambda tx: tx.usage.forbidden_models("k3")) == 0


async def test_a_reason_of_this_program_is_kept_until_an_older_program_writes_another(
    subject: Subject,
) -> None:
    gave_up = Decision(DecisionKind.GIVE_UP, DecisionReason.FORBIDDEN)
    await add(subject, "m1", decision=gave_up)
    kept = await subject.do(lambda tx: tx.targets.get("m1"))
    assert kept is not None
    assert kept.decision == gave_up
