"""What every ledger does: the fake in memory of the engine's tests, and the real ones."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable
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
from watchdog.engine.ports import Ledger, LedgerTransaction, LedgerUnavailable, VersionConflict
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


class Bench:
    """A ledger, and one transaction at a time on it."""

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
async def opened(kind: str, folder: Path, *, observe: bool = False) -> AsyncIterator[Bench]:
    if kind == "memory":
        yield Bench(InMemoryLedger(FixedClock(), observe=observe))
        return
    async with _opened_at(_url(kind, folder), Role.DAEMON, observe=observe) as bench:
        yield bench


@asynccontextmanager
async def opened_twice(kind: str, folder: Path) -> AsyncIterator[tuple[Bench, Bench]]:
    """By two processes: in retry mode, and in observe mode."""
    if kind == "memory":
        ledger = InMemoryLedger(FixedClock())
        yield Bench(ledger), Bench(ledger.beside(observe=True))
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
async def _opened_at(url: str, role: Role, *, observe: bool) -> AsyncIterator[Bench]:
    ledger = open_ledger(url, role, observe=observe)
    try:
        yield Bench(ledger)
    finally:
        await ledger.close()


@pytest.fixture(params=KINDS)
async def observing(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Bench]:
    async with opened(request.param, tmp_path, observe=True) as made:
        yield made


def due(model_id: str, at: datetime, **values: Any) -> Target:
    return Target(model_id, next_check_at=at, **values)


async def test_what_is_written_is_read(bench: Bench) -> None:
    target = failing(
        name="llama",
        healthy_for=timedelta(seconds=90.5),
        missing_since=ago(minutes=1),
        decision=Decision(DecisionKind.WAIT, DecisionReason.BACKOFF, NOW + MINUTE),
        next_check_at=NOW + timedelta(microseconds=1),
    )
    await bench.add(target)
    assert await bench.do(lambda tx: tx.targets.get("m1")) == target
    assert await bench.do(lambda tx: tx.targets.all()) == [target]
    assert await bench.do(lambda tx: tx.targets.get("another")) is None


async def test_a_transaction_that_raises_leaves_nothing_behind(bench: Bench) -> None:
    def fails(tx: LedgerTransaction) -> None:
        tx.targets.add(healthy())
        tx.meta.set("mode", "retry")
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await bench.do(fails)
    assert await bench.do(lambda tx: (tx.targets.all(), tx.meta.get("mode"))) == ([], None)


async def test_meta_is_set_and_changed(bench: Bench) -> None:
    await bench.do(lambda tx: tx.meta.set("mode", "observe"))
    await bench.do(lambda tx: tx.meta.set("mode", "retry"))
    assert await bench.do(lambda tx: tx.meta.get("mode")) == "retry"
    assert await bench.do(lambda tx: tx.now()) == NOW


async def test_claims_take_what_is_due_the_longest_due_first_and_once(bench: Bench) -> None:
    await bench.add(
        due("late", ago(minutes=5)),
        due("later", ago(minutes=9)),
        due("now", NOW),
        due("soon", NOW + MINUTE),
        due("unwatched", ago(minutes=9), watched=False),
        Target("never-scheduled"),
    )

    def claim(tx: LedgerTransaction) -> list[Target]:
        return list(tx.targets.claim_due(NOW, limit=2, interval=MINUTE))

    first = await bench.do(claim)
    assert [(t.model_id, t.next_check_at) for t in first] == [
        ("later", ago(minutes=9)),
        ("late", ago(minutes=5)),
    ]
    assert [t.model_id for t in await bench.do(claim)] == ["now"]
    assert await bench.do(claim) == []


async def test_what_is_planned_further_ahead_than_any_plan_is_due_now(bench: Bench) -> None:
    interval = timedelta(minutes=7)
    await bench.add(due("ahead", NOW + timedelta(hours=5)), due("planned", NOW + 2 * interval))
    claimed = await bench.do(lambda tx: tx.targets.claim_due(NOW, limit=9, interval=interval))
    assert [(t.model_id, t.next_check_at) for t in claimed] == [("ahead", NOW)]


async def test_claims_spread_the_next_check_and_leave_the_version_alone(bench: Bench) -> None:
    await bench.add(*(due(f"m{number}", NOW) for number in range(40)))
    await bench.do(lambda tx: tx.targets.claim_due(NOW, limit=100, interval=MINUTE))
    targets = await bench.do(lambda tx: tx.targets.all())
    nexts = [target.next_check_at - NOW for target in targets if target.next_check_at]
    assert all(0.95 * MINUTE <= span <= 1.05 * MINUTE for span in nexts)
    assert max(nexts) - min(nexts) > timedelta(seconds=3)
    assert {target.version for target in targets} == {0}


async def test_a_claimed_target_brings_its_episode(bench: Bench) -> None:
    target = failing(next_check_at=NOW)
    await bench.add(target)
    assert await bench.do(lambda tx: list(tx.targets.claim_due(NOW, limit=9, interval=MINUTE))) == [
        target
    ]


async def test_a_change_made_meanwhile_is_a_conflict(bench: Bench) -> None:
    await bench.add(healthy())
    saved = await bench.do(lambda tx: tx.targets.save(replace(healthy(), name="new")))
    assert (saved.name, saved.version) == ("new", 1)
    with pytest.raises(VersionConflict):
        await bench.do(lambda tx: tx.targets.save(healthy()))
    assert await bench.do(lambda tx: tx.targets.get("m1")) == saved


async def test_saving_a_target_writes_its_episode(bench: Bench) -> None:
    await bench.add(healthy())
    opened = await bench.do(lambda tx: tx.targets.save(failing()))
    ended = an_episode(result=EpisodeResult.RECOVERED, ended_at=NOW)
    await bench.do(lambda tx: tx.targets.save(replace(opened, episode=ended)))
    assert await bench.do(lambda tx: tx.episodes.newest("m1", limit=9)) == [ended]
    superseded = replace(ended, result=EpisodeResult.SUPERSEDED)
    await bench.do(lambda tx: tx.episodes.save(superseded))
    assert await bench.do(lambda tx: tx.episodes.newest(None, limit=9)) == [superseded]
    assert await bench.do(lambda tx: tx.episodes.newest("another", limit=9)) == []


async def test_a_target_has_one_pending_attempt_at_most(bench: Bench) -> None:
    await bench.add(failing())
    pending = an_attempt(Outcome.PENDING)
    await bench.attempts(pending)
    with pytest.raises(VersionConflict):
        await bench.attempts(replace(pending, id="a2"))
    assert await bench.do(lambda tx: list(tx.attempts.pending())) == [pending]
    await bench.do(lambda tx: tx.attempts.record_answer(replace(pending, outcome=Outcome.UNKNOWN)))
    await bench.attempts(replace(pending, id="a2"))


async def test_an_answer_replaces_what_was_not_known_and_nothing_else(bench: Bench) -> None:
    await bench.add(failing())
    pending = an_attempt(Outcome.PENDING)
    await bench.attempts(pending)
    unknown = replace(pending, outcome=Outcome.UNKNOWN, sent_at=NOW)
    accepted = replace(unknown, outcome=Outcome.ACCEPTED, answered_at=NOW, reason="because")
    refused = replace(accepted, outcome=Outcome.REFUSED)
    assert await bench.do(lambda tx: tx.attempts.record_answer(unknown))
    assert await bench.do(lambda tx: tx.attempts.record_answer(accepted))
    assert not await bench.do(lambda tx: tx.attempts.record_answer(refused))
    assert await bench.do(lambda tx: tx.attempts.of(failing(), since=NOW)) == (accepted,)


async def test_a_late_answer_does_not_reopen_what_looking_has_resolved(bench: Bench) -> None:
    await bench.add(failing())
    unknown = an_attempt(Outcome.UNKNOWN)
    await bench.attempts(unknown)
    resolved = replace(unknown, resolution=Resolution.REFAILED, resolved_at=NOW)
    await bench.do(lambda tx: tx.attempts.resolve([resolved]))
    await bench.do(lambda tx: tx.attempts.record_answer(replace(unknown, outcome=Outcome.ACCEPTED)))
    (found,) = await bench.do(lambda tx: tx.attempts.of(failing(), since=NOW))
    assert found == replace(resolved, outcome=Outcome.ACCEPTED)


async def test_attempts_are_those_of_the_episode_and_of_the_window(bench: Bench) -> None:
    await bench.add(failing())
    await bench.do(lambda tx: tx.episodes.save(an_episode(id="e0")))
    await bench.do(lambda tx: tx.episodes.save(an_episode(id="x", model_id="m2")))
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
    await bench.attempts(
        *wanted,
        an_attempt(id="before", episode_id="e0", reserved_at=early, sent_at=early),
        an_attempt(id="anothers", model_id="m2", episode_id="x"),
    )
    found = await bench.do(lambda tx: tx.attempts.of(failing(), since=since))
    assert [attempt.id for attempt in found] == [attempt.id for attempt in wanted]


async def test_the_fleets_usage(bench: Bench) -> None:
    await bench.add(failing(), healthy(model_id="m2"))
    minute, day = NOW - MINUTE, ago(hours=24)
    closed: Any = {"resolution": Resolution.REFAILED, "resolved_at": NOW}
    await bench.attempts(
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
    usage = await bench.do(lambda tx: tx.usage.of_fleet(date=None, most=9))
    assert usage.in_flight == 1
    assert usage.sent == (minute, ago(seconds=9), NOW)
    assert usage.charged == (day, minute - timedelta(microseconds=1), ago(seconds=9), NOW)
    newest = await bench.do(lambda tx: tx.usage.of_fleet(date=None, most=2))
    assert newest.sent == newest.charged == (ago(seconds=9), NOW)


async def test_what_the_apis_clock_still_counts_is_used(bench: Bench) -> None:
    """The server's clock went 25 h on, and then back behind what was sent at another time."""
    await bench.add(failing())
    date, day, ended = NOW + timedelta(days=400), timedelta(hours=24), ago(hours=1)
    closed: Any = {"resolution": Resolution.REFAILED, "resolved_at": ended}
    long_ago: Any = {"reserved_at": ago(hours=25), "sent_at": ago(hours=25)} | closed
    ahead: Any = {"reserved_at": ago(hours=-3), "sent_at": ago(hours=-3)} | closed
    await bench.do(lambda tx: tx.episodes.save(an_episode(id="e0")))
    await bench.attempts(
        an_attempt(id="over", episode_id="e0", api_date=date - day - MINUTE, **long_ago),
        an_attempt(id="hours", episode_id="e0", api_date=date - timedelta(hours=5), **long_ago),
        an_attempt(id="seconds", episode_id="e0", api_date=date - MINUTE / 2, **long_ago),
        an_attempt(id="undated", episode_id="e0", **long_ago),
        an_attempt(id="known", ahead_since=ago(hours=2), **ahead),
        an_attempt(id="news", **ahead),
    )
    usage = await bench.do(lambda tx: tx.usage.of_fleet(date=date, most=9))
    assert usage.sent == (NOW - MINUTE / 2, NOW)
    assert usage.charged == (ago(hours=5), ago(hours=2), NOW - MINUTE / 2, NOW)
    ledgers = await bench.do(lambda tx: tx.usage.of_fleet(date=None, most=9))
    assert ledgers.charged == (ago(hours=2), NOW)
    found = await bench.do(lambda tx: tx.attempts.of(failing(), since=NOW - day, dated=date - day))
    assert {attempt.id for attempt in found} == {"hours", "seconds", "known", "news"}
    every = await bench.do(lambda tx: tx.attempts.of_all(since=NOW - day, dated=date - day))
    assert {attempt.id for attempt in every["m1"]} == {"hours", "seconds", "known", "news"}


async def test_since_when_an_attempt_is_known_to_lie_ahead(bench: Bench) -> None:
    await bench.add(failing())

    def at(moment: datetime, **values: Any) -> Attempt:
        return an_attempt(reserved_at=moment, sent_at=moment, **values)

    await bench.attempts(
        at(ago(hours=-2), id="news"),
        at(ago(hours=-2), id="known", ahead_since=ago(hours=3)),
        at(ago(hours=-2), id="back-once-more", ahead_since=ago(hours=-1)),
        at(ago(hours=2), id="over", ahead_since=ago(hours=3)),
        at(ago(hours=2), id="never"),
        an_attempt(id="sent-ahead", reserved_at=ago(seconds=5), sent_at=ago(seconds=-5)),
    )
    await bench.do(lambda tx: tx.clamp_future())
    found = await bench.do(lambda tx: tx.attempts.newest("m1", limit=9))
    assert {attempt.id: attempt.ahead_since for attempt in found} == {
        "news": NOW,
        "known": ago(hours=3),
        "back-once-more": NOW,
        "over": None,
        "never": None,
        "sent-ahead": NOW,
    }


async def test_a_dry_run_counts_only_in_observe_mode(observing: Bench) -> None:
    await observing.add(failing())
    dry = an_attempt(Outcome.DRY_RUN)
    await observing.attempts(dry)
    usage = await observing.do(lambda tx: tx.usage.of_fleet(date=None, most=9))
    assert usage.in_flight == len(usage.sent) == len(usage.charged) == 1
    assert await observing.do(lambda tx: tx.attempts.of(failing(), since=NOW)) == (dry,)


async def test_history_is_newest_first_and_has_the_dry_runs(bench: Bench) -> None:
    await bench.add(failing())
    old = an_attempt(Outcome.DRY_RUN, id="old", reserved_at=ago(hours=2))
    new = an_attempt(id="new")
    await bench.attempts(old, new)
    assert await bench.do(lambda tx: tx.attempts.of(failing(), since=ago(days=1))) == (new,)
    assert await bench.do(lambda tx: list(tx.attempts.newest("m1", limit=9))) == [new, old]
    assert await bench.do(lambda tx: list(tx.attempts.newest(None, limit=1))) == [new]
    assert await bench.do(lambda tx: list(tx.attempts.newest("m2", limit=9))) == []


async def test_every_ledger_gives_a_target_the_same_moment(bench: Bench) -> None:
    span = timedelta(minutes=7, microseconds=3)
    await bench.add(due("m1", NOW + MINUTE * 99), due("m2", NOW))
    await bench.do(lambda tx: tx.targets.claim_due(NOW, limit=9, interval=span))
    await bench.do(lambda tx: tx.targets.spread_checks(span))
    moments = {t.model_id: t.next_check_at for t in await bench.do(lambda tx: tx.targets.all())}
    assert moments == {
        "m1": NOW + timedelta(seconds=331.495_643),
        "m2": NOW + timedelta(seconds=68.506_972),
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
async def test_what_contradicts_other_rows_is_a_bug_and_neither_a_conflict_nor_an_outage(
    contradicts: Callable[[LedgerTransaction], None], bench: Bench
) -> None:
    await bench.add(failing())
    await bench.attempts(an_attempt())
    with pytest.raises(Exception, match=r".") as told:
        await bench.do(contradicts)
    assert not isinstance(told.value, (VersionConflict, LedgerUnavailable))
    assert await bench.do(lambda tx: tx.targets.all()) == [failing()]
    assert await bench.do(lambda tx: list(tx.attempts.newest(None, limit=9))) == [an_attempt()]


async def test_another_target_may_have_a_pending_attempt_too(bench: Bench) -> None:
    other = an_episode(id="e2", model_id="m2")
    await bench.add(failing(), failing(model_id="m2", episode=other))
    one = an_attempt(Outcome.PENDING)
    two = replace(one, id="a2", model_id="m2", episode_id="e2")
    await bench.attempts(one, two)
    assert len(await bench.do(lambda tx: tx.attempts.pending())) == 2


async def test_what_is_not_there_is_left_alone(bench: Bench) -> None:
    def work(tx: LedgerTransaction) -> bool:
        tx.targets.make_due("gone", NOW)
        tx.attempts.resolve([an_attempt()])
        return tx.attempts.record_answer(an_attempt())

    assert not await bench.do(work)
    assert await bench.do(lambda tx: (tx.targets.all(), tx.attempts.newest(None, limit=9))) == (
        [],
        [],
    )


async def test_an_answer_says_nothing_of_the_reservation(bench: Bench) -> None:
    await bench.add(failing())
    pending = an_attempt(Outcome.PENDING)
    await bench.attempts(pending)
    otherwise: Any = {"number": 9, "owner": "another", "reserved_at": ago(days=3)}
    await bench.do(
        lambda tx: tx.attempts.record_answer(replace(pending, outcome=Outcome.REFUSED, **otherwise))
    )
    assert await bench.do(lambda tx: tx.attempts.get("a1")) == replace(
        pending, outcome=Outcome.REFUSED
    )


async def test_attempts_of_one_moment_come_in_their_order(bench: Bench) -> None:
    await bench.add(failing())
    first, second = an_attempt(id="b", number=1), an_attempt(id="a", number=2)
    await bench.attempts(second, first)
    assert await bench.do(lambda tx: tx.attempts.of(failing(), since=NOW)) == (first, second)


async def test_a_fleet_of_any_size_is_read_claimed_and_pruned(bench: Bench) -> None:
    def fill(tx: LedgerTransaction) -> None:
        for number in range(1_100):
            episode = an_episode(id=f"e{number}", model_id=f"m{number:04}")
            tx.targets.add(failing(model_id=f"m{number:04}", episode=episode, next_check_at=NOW))

    await bench.do(fill)
    read = await bench.do(lambda tx: tx.targets.all())
    claimed = await bench.do(lambda tx: tx.targets.claim_due(NOW, limit=2_000, interval=MINUTE))
    assert list(claimed) == list(read)
    assert [target.episode and target.episode.id for target in read] == [
        f"e{number}" for number in range(1_100)
    ]
    assert await bench.do(lambda tx: tx.prune(NOW)) == 0


async def test_pruning_takes_old_closed_episodes_with_their_attempts(bench: Bench) -> None:
    old = an_episode(id="old", result=EpisodeResult.RECOVERED, ended_at=ago(days=91))
    current = an_episode(result=EpisodeResult.REMOVED, ended_at=ago(days=91))
    await bench.add(failing(episode=current))
    await bench.do(lambda tx: tx.episodes.save(old))
    await bench.do(lambda tx: tx.episodes.save(an_episode(id="open")))
    await bench.attempts(an_attempt(id="gone", episode_id="old"), an_attempt(id="kept"))
    assert await bench.do(lambda tx: tx.prune(ago(days=90))) == 2
    assert await bench.do(lambda tx: tx.prune(ago(days=90))) == 0
    left = await bench.do(lambda tx: {e.id for e in tx.episodes.newest(None, limit=9)})
    assert left == {"e1", "open"}
    assert [a.id for a in await bench.do(lambda tx: tx.attempts.newest(None, limit=9))] == ["kept"]


async def test_pruning_leaves_what_is_recent_by_the_apis_clock(bench: Bench) -> None:
    """The ledger's clock went a year ahead."""
    await bench.add(healthy())
    date, ended = NOW - timedelta(days=365), ago(days=364)
    for episode_id, days in (("old", 91), ("recent", 89)):
        episode = an_episode(id=episode_id, result=EpisodeResult.RECOVERED, ended_at=ended)
        await bench.do(lambda tx, episode=episode: tx.episodes.save(episode))  # type: ignore[misc]
        said = date - timedelta(days=days)
        await bench.attempts(an_attempt(id=episode_id, episode_id=episode_id, api_date=said))
    dated = date - timedelta(days=90)
    assert await bench.do(lambda tx: tx.prune(ago(days=90), dated=dated)) == 2
    assert [a.id for a in await bench.do(lambda tx: tx.attempts.newest(None, limit=9))] == [
        "recent"
    ]


async def test_the_dead_are_known_and_one_is_not_among_them(bench: Bench) -> None:
    nobody = "nobody:that-we-know"
    assert not await bench.do(lambda tx: tx.knows_dead(nobody, timedelta(seconds=29)))


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
async def test_sqlite_gives_back_whatever_it_is_given(
    target: Target, attempt: Attempt, tmp_path_factory: pytest.TempPathFactory
) -> None:
    async with opened("sqlite", tmp_path_factory.mktemp("ledger")) as bench:
        await bench.add(replace(target, episode=an_episode(deployment=target.deployment or REF)))
        await bench.attempts(attempt)
        found = await bench.do(lambda tx: tx.targets.get("m1"))
        assert found == replace(target, episode=an_episode(deployment=target.deployment or REF))
        assert await bench.do(lambda tx: list(tx.attempts.newest(None, limit=1))) == [attempt]
