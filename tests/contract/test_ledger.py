"""The contract of the ledger's port, which the fake in memory and the real ledgers keep."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fakes import postgres
from tests.fakes.ledger import InMemoryLedger
from tests.fakes.records import NOW, REF, ago, an_attempt, an_episode, failing, healthy
from watchdog.domain.plan import Claim
from watchdog.domain.records import (
    Attempt,
    Decision,
    DecisionKind,
    DecisionReason,
    DeploymentRef,
    EpisodeResult,
    Health,
    Outcome,
    Resolution,
    Target,
)
from watchdog.engine.ports import (
    Due,
    Ledger,
    LedgerTransaction,
    LedgerUnavailable,
    VersionConflict,
)
from watchdog.ledger import Role, SqlLedger

T = TypeVar("T")

MINUTE = timedelta(minutes=1)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
KINDS = ["memory", "sqlite", "postgresql"]


class FixedClock:
    def now(self) -> datetime:
        return NOW

    def monotonic(self) -> float:
        return 0.0


class Subject:
    """A ledger, on which a test runs one transaction at a time."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger

    async def do(self, work: Callable[[LedgerTransaction], T]) -> T:
        return await self.ledger.transact(work)

    async def add(self, *targets: Target) -> None:
        for target in targets:
            await self.do(lambda tx, target=target: tx.targets.add(target))  # type: ignore[misc]

    async def attempts(self, *attempts: Attempt) -> None:
        for attempt in attempts:
            await self.do(lambda tx, attempt=attempt: tx.attempts.add(attempt))  # type: ignore[misc]


def open_ledger(url: str, role: Role = Role.DAEMON, *, observe: bool = False) -> SqlLedger:
    base_url = "https://api.example.com"
    return SqlLedger.open(url, clock=FixedClock(), base_url=base_url, role=role, observe=observe)


@cache
def empty_ledger() -> bytes:
    """A new SQLite file, created only once: the migrations take longer than most of its tests."""
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(1) as beside_this_loop:
        ledger = open_ledger(f"sqlite:///{folder}/ledger.db")
        beside_this_loop.submit(asyncio.run, ledger.close()).result()
        return Path(folder, "ledger.db").read_bytes()


@asynccontextmanager
async def opened(kind: str, folder: Path, *, observe: bool = False) -> AsyncIterator[Subject]:
    if kind == "memory":
        yield Subject(InMemoryLedger(FixedClock(), observe=observe))
        return
    async with _opened_at(_url(kind, folder), Role.DAEMON, observe=observe) as subject:
        yield subject


@asynccontextmanager
async def opened_twice(kind: str, folder: Path) -> AsyncIterator[tuple[Subject, Subject]]:
    """One ledger, opened by two processes: in retry mode, and in observe mode."""
    if kind == "memory":
        ledger = InMemoryLedger(FixedClock())
        yield Subject(ledger), Subject(ledger.beside(observe=True))
        return
    url = _url(kind, folder)
    async with (
        _opened_at(url, Role.DAEMON, observe=False) as retrying,
        _opened_at(url, Role.COMMAND, observe=True) as observing,
    ):
        yield retrying, observing


def _url(kind: str, folder: Path) -> str:
    if kind == "postgresql":
        return postgres.shared().new_schema(now=NOW.isoformat())
    (folder / "ledger.db").write_bytes(empty_ledger())
    return f"sqlite:///{folder}/ledger.db"


@asynccontextmanager
async def _opened_at(url: str, role: Role, *, observe: bool) -> AsyncIterator[Subject]:
    ledger = open_ledger(url, role, observe=observe)
    try:
        yield Subject(ledger)
    finally:
        await ledger.close()


@pytest.fixture(params=KINDS)
async def observing(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Subject]:
    async with opened(request.param, tmp_path, observe=True) as made:
        yield made


def due(model_id: str, at: datetime, **values: Any) -> Target:
    return Target(model_id, next_check_at=at, **values)


async def test_what_is_written_is_read(subject: Subject) -> None:
    target = failing(
        name="llama",
        healthy_for=timedelta(seconds=90.5),
        missing_since=ago(minutes=1),
        decision=Decision(DecisionKind.WAIT, DecisionReason.BACKOFF, NOW + MINUTE),
        next_check_at=NOW + timedelta(microseconds=1),
    )
    await subject.add(target)
    assert await subject.do(lambda tx: tx.targets.get("m1")) == target
    assert await subject.do(lambda tx: tx.targets.all()) == [target]
    assert await subject.do(lambda tx: tx.targets.get("another")) is None


async def test_a_transaction_that_raises_leaves_nothing_behind(subject: Subject) -> None:
    def fails(tx: LedgerTransaction) -> None:
        tx.targets.add(healthy())
        tx.meta.set("mode", "retry")
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await subject.do(fails)
    assert await subject.do(lambda tx: (tx.targets.all(), tx.meta.get("mode"))) == ([], None)


async def test_meta_is_set_and_changed(subject: Subject) -> None:
    await subject.do(lambda tx: tx.meta.set("mode", "observe"))
    await subject.do(lambda tx: tx.meta.set("mode", "retry"))
    assert await subject.do(lambda tx: tx.meta.get("mode")) == "retry"
    assert await subject.do(lambda tx: tx.now()) == NOW


def when_due(found: Sequence[Due]) -> list[tuple[str, datetime]]:
    return [(each.target.model_id, each.at) for each in found]


async def test_targets_that_are_due_are_found_the_longest_due_first(subject: Subject) -> None:
    await subject.add(
        due("late", ago(minutes=5)),
        due("later", ago(minutes=9)),
        due("now", NOW),
        due("soon", NOW + MINUTE),
        due("unwatched", ago(minutes=9), watched=False),
        Target("never-scheduled"),
    )
    found = await subject.do(lambda tx: tx.targets.due(NOW, limit=2, interval=MINUTE, claims={}))
    assert when_due(found) == [("later", ago(minutes=9)), ("late", ago(minutes=5))]
    found = await subject.do(lambda tx: tx.targets.due(NOW, limit=9, interval=MINUTE, claims={}))
    assert [each.target.model_id for each in found] == ["later", "late", "now"]
    assert found[0].target == due("later", ago(minutes=9))


async def test_a_claimed_target_is_due_again_when_its_claim_says(subject: Subject) -> None:
    await subject.add(*(due(each, ago(minutes=5)) for each in ("claimed", "again", "changed")))
    await subject.add(due("free", ago(minutes=4)), due("saved", ago(minutes=3), version=2))
    claims = {
        "claimed": Claim(0, ago(minutes=5), NOW + MINUTE),
        "again": Claim(0, ago(minutes=5), ago(minutes=1)),
        "changed": Claim(0, ago(minutes=6), NOW + MINUTE),
        "saved": Claim(1, ago(minutes=3), NOW + MINUTE),
    }

    def find(limit: int) -> Callable[[LedgerTransaction], Sequence[Due]]:
        return lambda tx: tx.targets.due(NOW, limit=limit, interval=MINUTE, claims=claims)

    assert when_due(await subject.do(find(9))) == [
        ("changed", ago(minutes=5)),
        ("free", ago(minutes=4)),
        ("saved", ago(minutes=3)),
        ("again", ago(minutes=1)),
    ]
    assert when_due(await subject.do(find(1))) == [("changed", ago(minutes=5))]


async def test_claims_are_planned_where_nothing_else_was_planned_meanwhile(
    subject: Subject,
) -> None:
    before = [due(each, ago(minutes=5)) for each in ("changed", "claimed", "saved")]
    await subject.add(*before)
    claims = {
        "saved": Claim(1, ago(minutes=5), NOW + MINUTE),
        "claimed": Claim(0, ago(minutes=5), NOW + MINUTE),
        "changed": Claim(0, ago(minutes=6), NOW + MINUTE),
        "gone": Claim(0, ago(minutes=5), NOW),
    }
    await subject.do(lambda tx: tx.targets.plan(claims))
    await subject.do(lambda tx: tx.targets.plan({}))
    after = await subject.do(lambda tx: tx.targets.all())
    assert after == [before[0], replace(before[1], next_check_at=NOW + MINUTE), before[2]]


@pytest.mark.parametrize("sooner", ["make_due", "spread_checks"])
async def test_no_claim_counts_once_a_check_is_wanted_at_once(
    sooner: str, subject: Subject
) -> None:
    await subject.add(due("m1", ago(minutes=5)), due("m2", ago(minutes=4)))
    claims = {each: Claim(0, ago(minutes=at), NOW + MINUTE) for each, at in (("m1", 5), ("m2", 4))}

    def hasten(tx: LedgerTransaction) -> None:
        if sooner == "spread_checks":
            tx.targets.spread_checks(MINUTE)
        else:
            tx.targets.make_due("m1", NOW)
            tx.targets.make_due("m2", NOW)

    def find(tx: LedgerTransaction) -> Sequence[Due]:
        return tx.targets.due(NOW, limit=9, interval=MINUTE, claims=claims)

    assert await subject.do(find) == []
    await subject.do(hasten)
    assert [each.target.model_id for each in await subject.do(find)] == ["m1", "m2"]


async def test_the_next_plan_is_that_of_a_watched_target(subject: Subject) -> None:
    await subject.add(
        due("unwatched", NOW + MINUTE, watched=False),
        due("now", NOW),
        due("later", NOW + 3 * MINUTE),
        due("soon", NOW + 2 * MINUTE),
        Target("never-scheduled"),
    )
    assert await subject.do(lambda tx: tx.targets.next_planned(NOW)) == NOW + 2 * MINUTE
    assert await subject.do(lambda tx: tx.targets.next_planned(NOW + 3 * MINUTE)) is None


async def test_a_check_planned_too_far_ahead_is_due_now(subject: Subject) -> None:
    interval, far = timedelta(minutes=7), NOW + timedelta(hours=5)
    await subject.add(
        due("ahead", far),
        due("claimed", far),
        due("claims", NOW),
        due("planned", NOW + 2 * interval),
    )
    claims = {"claimed": Claim(0, far, NOW + MINUTE), "claims": Claim(0, NOW, far)}
    found = await subject.do(
        lambda tx: tx.targets.due(NOW, limit=9, interval=interval, claims=claims)
    )
    assert when_due(found) == [("ahead", NOW), ("claims", NOW)]


async def test_a_target_that_is_due_has_its_episode(subject: Subject) -> None:
    target = failing(next_check_at=NOW)
    await subject.add(target)
    found = await subject.do(lambda tx: tx.targets.due(NOW, limit=9, interval=MINUTE, claims={}))
    assert found == [Due(target, NOW)]


async def test_a_version_changes_with_the_ledger_whoever_changes_it(
    beside: tuple[Subject, Subject],
) -> None:
    one, _ = beside
    seen = [one.ledger.version()]
    if seen == [None]:
        return  # This ledger cannot tell.
    for reading in beside:
        await reading.do(lambda tx: tx.targets.all())
        assert one.ledger.version() == seen[0]
    for writing in beside:
        await writing.do(lambda tx, writing=writing: tx.meta.set("mode", f"{id(writing)}"))  # type: ignore[misc]
        assert one.ledger.version() not in seen
        seen.append(one.ledger.version())


async def test_a_change_made_meanwhile_is_a_conflict(subject: Subject) -> None:
    await subject.add(healthy())
    saved = await subject.do(lambda tx: tx.targets.save(replace(healthy(), name="new")))
    assert (saved.name, saved.version) == ("new", 1)
    with pytest.raises(VersionConflict):
        await subject.do(lambda tx: tx.targets.save(healthy()))
    assert await subject.do(lambda tx: tx.targets.get("m1")) == saved


async def test_saving_a_target_writes_its_episode(subject: Subject) -> None:
    await subject.add(healthy())
    opened = await subject.do(lambda tx: tx.targets.save(failing()))
    ended = an_episode(result=EpisodeResult.RECOVERED, ended_at=NOW)
    await subject.do(lambda tx: tx.targets.save(replace(opened, episode=ended)))
    assert await subject.do(lambda tx: tx.episodes.newest("m1", limit=9)) == [ended]
    superseded = replace(ended, result=EpisodeResult.SUPERSEDED)
    await subject.do(lambda tx: tx.episodes.save(superseded))
    assert await subject.do(lambda tx: tx.episodes.newest(None, limit=9)) == [superseded]
    assert await subject.do(lambda tx: tx.episodes.newest("another", limit=9)) == []


async def test_a_target_has_one_pending_attempt_at_most(subject: Subject) -> None:
    await subject.add(failing())
    pending = an_attempt(Outcome.PENDING)
    await subject.attempts(pending)
    with pytest.raises(VersionConflict):
        await subject.attempts(replace(pending, id="a2"))
    assert await subject.do(lambda tx: list(tx.attempts.pending())) == [pending]
    await subject.do(
        lambda tx: tx.attempts.record_answer(replace(pending, outcome=Outcome.UNKNOWN))
    )
    await subject.attempts(replace(pending, id="a2"))


async def test_an_answer_replaces_only_an_outcome_that_was_not_known(subject: Subject) -> None:
    await subject.add(failing())
    pending = an_attempt(Outcome.PENDING)
    await subject.attempts(pending)
    unknown = replace(pending, outcome=Outcome.UNKNOWN, sent_at=NOW)
    accepted = replace(unknown, outcome=Outcome.ACCEPTED, answered_at=NOW, reason="because")
    refused = replace(accepted, outcome=Outcome.REFUSED)
    assert await subject.do(lambda tx: tx.attempts.record_answer(unknown))
    assert await subject.do(lambda tx: tx.attempts.record_answer(accepted))
    assert not await subject.do(lambda tx: tx.attempts.record_answer(refused))
    assert await subject.do(lambda tx: tx.attempts.of(failing(), since=NOW)) == (accepted,)


async def test_a_late_answer_does_not_undo_an_observed_result(subject: Subject) -> None:
    await subject.add(failing())
    unknown = an_attempt(Outcome.UNKNOWN)
    await subject.attempts(unknown)
    resolved = replace(unknown, resolution=Resolution.REFAILED, resolved_at=NOW)
    await subject.do(lambda tx: tx.attempts.resolve([resolved]))
    await subject.do(
        lambda tx: tx.attempts.record_answer(replace(unknown, outcome=Outcome.ACCEPTED))
    )
    (found,) = await subject.do(lambda tx: tx.attempts.of(failing(), since=NOW))
    assert found == replace(resolved, outcome=Outcome.ACCEPTED)


async def test_attempts_are_those_of_the_episode_and_of_the_window(subject: Subject) -> None:
    await subject.add(failing())
    await subject.do(lambda tx: tx.episodes.save(an_episode(id="e0")))
    await subject.do(lambda tx: tx.episodes.save(an_episode(id="x", model_id="m2")))
    since = ago(hours=24)
    early = since - timedelta(seconds=20)
    wanted = [
        an_attempt(id="old-of-the-episode", reserved_at=ago(days=9), sent_at=ago(days=9)),
        an_attempt(id="sent-just-within", episode_id="e0", reserved_at=early, sent_at=since),
        an_attempt(id="within", episode_id="e0", reserved_at=ago(hours=9), sent_at=ago(hours=9)),
        an_attempt(
            Outcome.PENDING, id="pending-for-long", episode_id="e0", reserved_at=ago(hours=8)
        ),
    ]
    await subject.attempts(
        *wanted,
        an_attempt(id="before", episode_id="e0", reserved_at=early, sent_at=early),
        an_attempt(id="anothers", model_id="m2", episode_id="x"),
    )
    found = await subject.do(lambda tx: tx.attempts.of(failing(), since=since))
    assert [attempt.id for attempt in found] == [attempt.id for attempt in wanted]


async def test_the_usage_of_the_fleet_is_counted(subject: Subject) -> None:
    await subject.add(failing(), healthy(model_id="m2"))
    minute, day = NOW - MINUTE, ago(hours=24)
    closed: Any = {"resolution": Resolution.REFAILED, "resolved_at": NOW}
    await subject.attempts(
        an_attempt(id="1", reserved_at=ago(hours=30), sent_at=ago(hours=30)),
        an_attempt(id="2", reserved_at=day, sent_at=day, **closed),
        an_attempt(Outcome.THROTTLED, id="3", sent_at=minute),
        an_attempt(id="4", sent_at=minute - timedelta(microseconds=1)),
        an_attempt(Outcome.REFUSED, id="5", sent_at=ago(seconds=9)),
        an_attempt(Outcome.FAILED, id="6", sent_at=None),
        an_attempt(Outcome.ABANDONED, id="7", sent_at=None),
        an_attempt(Outcome.DRY_RUN, id="8", sent_at=ago(seconds=5)),
        an_attempt(Outcome.PENDING, id="9"),
    )
    usage = await subject.do(lambda tx: tx.usage.of_fleet(date=None, most=9))
    assert usage.in_flight == 1
    assert usage.sent == (minute, ago(seconds=9), NOW)
    assert usage.charged == (day, minute - timedelta(microseconds=1), ago(seconds=9), NOW)
    newest = await subject.do(lambda tx: tx.usage.of_fleet(date=None, most=2))
    assert newest.sent == newest.charged == (ago(seconds=9), NOW)


async def test_an_attempt_that_counts_by_the_apis_clock_is_used(subject: Subject) -> None:
    """The server's clock went forward by 25 h, and then back to before an attempt that was sent
    meanwhile."""
    await subject.add(failing())
    date, day, ended = NOW + timedelta(days=400), timedelta(hours=24), ago(hours=1)
    closed: Any = {"resolution": Resolution.REFAILED, "resolved_at": ended}
    long_ago: Any = {"reserved_at": ago(hours=25), "sent_at": ago(hours=25)} | closed
    ahead: Any = {"reserved_at": ago(hours=-3), "sent_at": ago(hours=-3)} | closed
    await subject.do(lambda tx: tx.episodes.save(an_episode(id="e0")))
    await subject.attempts(
        an_attempt(id="over", episode_id="e0", api_date=date - day - MINUTE, **long_ago),
        an_attempt(id="hours", episode_id="e0", api_date=date - timedelta(hours=5), **long_ago),
        an_attempt(id="seconds", episode_id="e0", api_date=date - MINUTE / 2, **long_ago),
        an_attempt(id="undated", episode_id="e0", **long_ago),
        an_attempt(id="known", ahead_since=ago(hours=2), **ahead),
        an_attempt(id="news", **ahead),
    )
    usage = await subject.do(lambda tx: tx.usage.of_fleet(date=date, most=9))
    assert usage.sent == (NOW - MINUTE / 2, NOW)
    assert usage.charged == (ago(hours=5), ago(hours=2), NOW - MINUTE / 2, NOW)
    ledgers = await subject.do(lambda tx: tx.usage.of_fleet(date=None, most=9))
    assert ledgers.charged == (ago(hours=2), NOW)
    found = await subject.do(
        lambda tx: tx.attempts.of(failing(), since=NOW - day, dated=date - day)
    )
    assert {attempt.id for attempt in found} == {"hours", "seconds", "known", "news"}
    every = await subject.do(lambda tx: tx.attempts.of_all(since=NOW - day, dated=date - day))
    assert {attempt.id for attempt in every["m1"]} == {"hours", "seconds", "known", "news"}


async def test_since_when_an_attempt_lies_in_the_future_is_stored(subject: Subject) -> None:
    await subject.add(failing())

    def at(moment: datetime, **values: Any) -> Attempt:
        return an_attempt(reserved_at=moment, sent_at=moment, **values)

    await subject.attempts(
        at(ago(hours=-2), id="news"),
        at(ago(hours=-2), id="known", ahead_since=ago(hours=3)),
        at(ago(hours=-2), id="back-once-more", ahead_since=ago(hours=-1)),
        at(ago(hours=2), id="over", ahead_since=ago(hours=3)),
        at(ago(hours=2), id="never"),
        an_attempt(id="sent-ahead", reserved_at=ago(seconds=5), sent_at=ago(seconds=-5)),
    )
    await subject.do(lambda tx: tx.clamp_future())
    found = await subject.do(lambda tx: tx.attempts.newest("m1", limit=9))
    assert {attempt.id: attempt.ahead_since for attempt in found} == {
        "news": NOW,
        "known": ago(hours=3),
        "back-once-more": NOW,
        "over": None,
        "never": None,
        "sent-ahead": NOW,
    }


async def test_a_dry_run_counts_only_in_observe_mode(observing: Subject) -> None:
    await observing.add(failing())
    dry = an_attempt(Outcome.DRY_RUN)
    await observing.attempts(dry)
    usage = await observing.do(lambda tx: tx.usage.of_fleet(date=None, most=9))
    assert usage.in_flight == len(usage.sent) == len(usage.charged) == 1
    assert await observing.do(lambda tx: tx.attempts.of(failing(), since=NOW)) == (dry,)


async def test_history_is_newest_first_and_has_the_dry_runs(subject: Subject) -> None:
    await subject.add(failing())
    old = an_attempt(Outcome.DRY_RUN, id="old", reserved_at=ago(hours=2))
    new = an_attempt(id="new")
    await subject.attempts(old, new)
    assert await subject.do(lambda tx: tx.attempts.of(failing(), since=ago(days=1))) == (new,)
    assert await subject.do(lambda tx: list(tx.attempts.newest("m1", limit=9))) == [new, old]
    assert await subject.do(lambda tx: list(tx.attempts.newest(None, limit=1))) == [new]
    assert await subject.do(lambda tx: list(tx.attempts.newest("m2", limit=9))) == []


async def test_every_ledger_spreads_checks_in_the_same_way(subject: Subject) -> None:
    span = timedelta(minutes=7, microseconds=3)
    await subject.add(due("m1", NOW + MINUTE * 99), due("m2", NOW))
    await subject.do(lambda tx: tx.targets.spread_checks(span))
    planned = {t.model_id: t.next_check_at for t in await subject.do(lambda tx: tx.targets.all())}
    assert planned == {
        "m1": NOW + timedelta(seconds=331.495_643),
        "m2": NOW - timedelta(microseconds=1),
    }


@pytest.mark.parametrize(
    "contradicts",
    [
        pytest.param(lambda tx: tx.targets.add(healthy()), id="target-twice"),
        pytest.param(lambda tx: tx.attempts.add(an_attempt()), id="attempt-twice"),
        pytest.param(
            lambda tx: tx.attempts.add(an_attempt(Outcome.PENDING)), id="attempt-twice-to-be-sent"
        ),
        pytest.param(
            lambda tx: tx.attempts.add(an_attempt(id="a2", episode_id="none")), id="no-such-episode"
        ),
        pytest.param(
            lambda tx: tx.attempts.add(an_attempt(Outcome.PENDING, id="a2", episode_id="none")),
            id="no-such-episode-to-be-sent",
        ),
    ],
)
async def test_a_row_that_contradicts_others_is_a_bug_and_neither_a_conflict_nor_an_outage(
    contradicts: Callable[[LedgerTransaction], None], subject: Subject
) -> None:
    await subject.add(failing())
    await subject.attempts(an_attempt())
    with pytest.raises(Exception, match=r".") as told:
        await subject.do(contradicts)
    assert not isinstance(told.value, (VersionConflict, LedgerUnavailable))
    assert await subject.do(lambda tx: tx.targets.all()) == [failing()]
    assert await subject.do(lambda tx: list(tx.attempts.newest(None, limit=9))) == [an_attempt()]


async def test_another_target_may_have_a_pending_attempt_too(subject: Subject) -> None:
    other = an_episode(id="e2", model_id="m2")
    await subject.add(failing(), failing(model_id="m2", episode=other))
    one = an_attempt(Outcome.PENDING)
    two = replace(one, id="a2", model_id="m2", episode_id="e2")
    await subject.attempts(one, two)
    assert len(await subject.do(lambda tx: tx.attempts.pending())) == 2


async def test_changes_of_rows_that_do_not_exist_do_nothing(subject: Subject) -> None:
    def work(tx: LedgerTransaction) -> bool:
        tx.targets.make_due("gone", NOW)
        tx.attempts.resolve([an_attempt()])
        return tx.attempts.record_answer(an_attempt())

    assert not await subject.do(work)
    assert await subject.do(lambda tx: (tx.targets.all(), tx.attempts.newest(None, limit=9))) == (
        [],
        [],
    )


async def test_an_answer_does_not_change_the_reservation(subject: Subject) -> None:
    await subject.add(failing())
    pending = an_attempt(Outcome.PENDING)
    await subject.attempts(pending)
    otherwise: Any = {"number": 9, "owner": "another", "reserved_at": ago(days=3)}
    await subject.do(
        lambda tx: tx.attempts.record_answer(replace(pending, outcome=Outcome.REFUSED, **otherwise))
    )
    assert await subject.do(lambda tx: tx.attempts.get("a1")) == replace(
        pending, outcome=Outcome.REFUSED
    )


async def test_attempts_of_one_moment_are_in_the_order_of_their_numbers(subject: Subject) -> None:
    await subject.add(failing())
    first, second = an_attempt(id="b", number=1), an_attempt(id="a", number=2)
    await subject.attempts(second, first)
    assert await subject.do(lambda tx: tx.attempts.of(failing(), since=NOW)) == (first, second)


async def test_a_fleet_of_any_size_is_read_claimed_and_pruned(subject: Subject) -> None:
    def fill(tx: LedgerTransaction) -> None:
        for number in range(1_100):
            episode = an_episode(id=f"e{number}", model_id=f"m{number:04}")
            tx.targets.add(failing(model_id=f"m{number:04}", episode=episode, next_check_at=NOW))

    await subject.do(fill)
    read = await subject.do(lambda tx: tx.targets.all())
    found = await subject.do(
        lambda tx: tx.targets.due(NOW, limit=2_000, interval=MINUTE, claims={})
    )
    assert [each.target for each in found] == list(read)
    assert [target.episode and target.episode.id for target in read] == [
        f"e{number}" for number in range(1_100)
    ]
    assert await subject.do(lambda tx: tx.prune(NOW)) == 0


async def test_pruning_takes_old_closed_episodes_with_their_attempts(subject: Subject) -> None:
    old = an_episode(id="old", result=EpisodeResult.RECOVERED, ended_at=ago(days=91))
    current = an_episode(result=EpisodeResult.REMOVED, ended_at=ago(days=91))
    await subject.add(failing(episode=current))
    await subject.do(lambda tx: tx.episodes.save(old))
    await subject.do(lambda tx: tx.episodes.save(an_episode(id="open")))
    await subject.attempts(an_attempt(id="gone", episode_id="old"), an_attempt(id="kept"))
    assert await subject.do(lambda tx: tx.prune(ago(days=90))) == 2
    assert await subject.do(lambda tx: tx.prune(ago(days=90))) == 0
    left = await subject.do(lambda tx: {e.id for e in tx.episodes.newest(None, limit=9)})
    assert left == {"e1", "open"}
    assert [a.id for a in await subject.do(lambda tx: tx.attempts.newest(None, limit=9))] == [
        "kept"
    ]


async def test_pruning_keeps_what_is_recent_by_the_apis_clock(subject: Subject) -> None:
    """The ledger's clock jumped a year ahead."""
    await subject.add(healthy())
    date, ended = NOW - timedelta(days=365), ago(days=364)
    for episode_id, days in (("old", 91), ("recent", 89)):
        episode = an_episode(id=episode_id, result=EpisodeResult.RECOVERED, ended_at=ended)
        await subject.do(lambda tx, episode=episode: tx.episodes.save(episode))  # type: ignore[misc]
        said = date - timedelta(days=days)
        await subject.attempts(an_attempt(id=episode_id, episode_id=episode_id, api_date=said))
    dated = date - timedelta(days=90)
    assert await subject.do(lambda tx: tx.prune(ago(days=90), dated=dated)) == 2
    assert [a.id for a in await subject.do(lambda tx: tx.attempts.newest(None, limit=9))] == [
        "recent"
    ]


async def test_an_unknown_owner_is_not_known_to_be_dead(subject: Subject) -> None:
    nobody = "nobody:that-we-know"
    assert not await subject.do(lambda tx: tx.knows_dead(nobody, timedelta(seconds=29)))


moments = st.integers(0, 2**52).map(lambda microseconds: EPOCH + timedelta(0, 0, microseconds))
texts = st.text(st.characters(exclude_characters="\x00", codec="utf-8"), max_size=30)
refs = st.builds(DeploymentRef, texts, moments)


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    target=st.builds(
        healthy,
        name=st.none() | texts,
        status=st.none() | texts,
        health=st.none() | st.sampled_from(Health),
        deployment=st.none() | refs,
        observed_at=st.none() | moments,
        healthy_for=st.timedeltas(timedelta(0), timedelta(days=1)),
        missing=st.booleans(),
        decision=st.builds(
            Decision,
            st.sampled_from(DecisionKind),
            st.none() | st.sampled_from(DecisionReason),
            st.none() | moments,
        ),
    ),
    attempt=st.builds(
        an_attempt,
        st.sampled_from(Outcome),
        reason=st.none() | texts,
        answered_at=st.none() | moments,
        api_date=st.none() | moments,
        ahead_since=st.none() | moments,
        resolution=st.none() | st.sampled_from(Resolution),
    ),
)
async def test_sqlite_returns_every_value_that_is_written(
    target: Target, attempt: Attempt, tmp_path_factory: pytest.TempPathFactory
) -> None:
    async with opened("sqlite", tmp_path_factory.mktemp("ledger")) as subject:
        await subject.add(replace(target, episode=an_episode(deployment=target.deployment or REF)))
        await subject.attempts(attempt)
        found = await subject.do(lambda tx: tx.targets.get("m1"))
        assert found == replace(target, episode=an_episode(deployment=target.deployment or REF))
        assert await subject.do(lambda tx: list(tx.attempts.newest(None, limit=1))) == [attempt]
