"""What can happen to a ledger's file: one clear line at opening, an outage while running, and
recovery by itself when the cause goes."""

import asyncio
import ctypes
import gc
import shutil
import sqlite3
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.records import NOW, ago, an_attempt, an_episode, failing
from tests.fakes.sqlite import listening
from tests.integration.test_ledger_sqlite import opened, use
from watchdog.engine.ports import LedgerTransaction, LedgerUnavailable
from watchdog.ledger import LedgerSetupError, Role, SqlLedger
from watchdog.ledger.errors import LedgerBroken


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[SqlLedger]:
    made = opened(tmp_path)
    await made.transact(lambda tx: tx.meta.set("a", "before"))
    yield made
    await made.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state/ledger.db"


@contextmanager
def another_process(path: Path) -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(path, isolation_level=None, timeout=0)
    try:
        yield connection
    finally:
        connection.close()


def told_before_each(*pragmas: str) -> AbstractContextManager[None]:
    """What SQLite is told before each transaction."""

    def checkout(connection: Any, *_: Any) -> None:
        for pragma in pragmas:
            connection.execute(f"PRAGMA {pragma}")

    return listening("checkout", checkout)


async def unavailable(ledger: SqlLedger, says: str) -> None:
    with pytest.raises(LedgerUnavailable, match=says) as told:
        await ledger.transact(lambda tx: tx.meta.set("a", "meanwhile"))
    assert "\n" not in str(told.value)
    assert "/state/ledger.db" in str(told.value)


async def works(ledger: SqlLedger, expected: str = "before") -> None:
    assert await ledger.transact(lambda tx: tx.meta.get("a")) == expected
    await ledger.transact(lambda tx: tx.meta.set("a", "after"))
    assert await ledger.transact(lambda tx: tx.meta.get("a")) == "after"


# Opening


async def test_a_process_that_is_just_making_the_ledger_is_waited_for(
    tmp_path: Path, path: Path
) -> None:
    path.parent.mkdir()
    with another_process(path) as other:
        other.execute("BEGIN IMMEDIATE")
        opening = asyncio.ensure_future(asyncio.to_thread(opened, tmp_path))
        await asyncio.wait((opening,), timeout=0.1)
        assert not opening.done()
        other.execute("ROLLBACK")
        await use(await opening)


async def test_a_new_ledger_may_be_opened_by_all_at_once(tmp_path: Path) -> None:
    roles = [Role.DAEMON, Role.COMMAND, *[Role.READER] * 4]
    together = threading.Barrier(len(roles))

    def start(role: Role) -> SqlLedger | LedgerSetupError:
        together.wait()
        try:
            return opened(tmp_path, role=role)
        except LedgerSetupError as error:
            return error

    with ThreadPoolExecutor(len(roles)) as pool:
        found = list(pool.map(start, roles))
    for role, ledger in zip(roles, found, strict=True):
        if isinstance(ledger, SqlLedger):
            await use(ledger, lambda tx: tx.targets.all())
        else:
            assert role is Role.READER
            assert "start the daemon first" in str(ledger)


async def test_a_locked_ledger_is_refused_in_one_line(
    tmp_path: Path, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await use(opened(tmp_path))
    with another_process(path) as other, monkeypatch.context() as patch:
        patch.setattr("watchdog.ledger.sqlite_file.BUSY_SECONDS", 0.1)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(LedgerBroken, match=r"database is locked: another program holds it: "):
            opened(tmp_path)
    await use(opened(tmp_path))


def without_roots_powers(work: Callable[[], Any]) -> None:
    """Do it held to file modes, even as root: powers belong to a thread, and end with it."""
    errors: list[BaseException] = []

    def run() -> None:
        header = (ctypes.c_uint32 * 2)(0x20080522, 0)
        ctypes.CDLL(None).capset(header, (ctypes.c_uint32 * 6)())
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - raised again by the caller's thread
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if errors:
        raise errors[0]


@pytest.mark.parametrize("what", ["file", "folder", "parent"])
def test_a_ledger_that_may_not_be_written_is_refused_in_one_line(
    what: str, tmp_path: Path, path: Path
) -> None:
    if what == "parent":
        tmp_path.chmod(0o555)
    else:
        asyncio.run(use(opened(tmp_path)))
        (path if what == "file" else path.parent).chmod(0o555)
    with pytest.raises(LedgerBroken, match=r"(denied|readonly database): let this user write") as e:
        without_roots_powers(lambda: opened(tmp_path))
    assert "\n" not in str(e.value)
    for each in (tmp_path, path.parent, path):
        if each.exists():
            each.chmod(0o700)
    asyncio.run(use(opened(tmp_path)))


async def test_no_room_for_a_new_ledger_is_reported_in_one_line(tmp_path: Path) -> None:
    full = pytest.raises(LedgerBroken, match=r"database or disk is full: make room")
    with told_before_each("max_page_count = 1"), full:
        opened(tmp_path)
    ledger = opened(tmp_path)
    assert ledger.created
    await use(ledger)


async def test_a_daemon_finds_damage_anywhere_in_the_file_before_it_starts(
    tmp_path: Path, path: Path
) -> None:
    await use(opened(tmp_path), fill)
    damage(path)
    with pytest.raises(LedgerBroken, match=r"damaged|malformed") as told:
        opened(tmp_path)
    assert "put a good copy in its place" in str(told.value)


def fill(tx: LedgerTransaction) -> None:
    tx.meta.set("a", "before")
    tx.targets.add(failing())
    for number in range(400):
        tx.attempts.add(an_attempt(id=f"a{number}", number=number, reason="r" * 300))


def damage(path: Path) -> bytes:
    """Overwrite the pages of the attempts, and nothing else; what was there before."""
    before = path.read_bytes()
    with path.open("r+b") as file:
        for page in range(len(before) // 4096):
            if before[page * 4096 :][:4096].count(b"r") > 2_000:
                file.seek(page * 4096)
                file.write(b"\xa5" * 4096)
    return before


# While running


async def test_a_caller_that_is_cancelled_while_it_waits_its_turn_loses_no_record(
    tmp_path: Path,
) -> None:
    ledger, go_on = opened(tmp_path), threading.Event()
    first = asyncio.ensure_future(ledger.transact(lambda _: go_on.wait()))
    queued = asyncio.ensure_future(ledger.transact(lambda tx: tx.meta.set("a", "recorded")))
    await asyncio.sleep(0)
    queued.cancel()
    with pytest.raises(asyncio.CancelledError):
        await queued
    go_on.set()
    assert await first
    assert await use(ledger, lambda tx: tx.meta.get("a")) == "recorded"


async def test_an_error_whose_caller_was_cancelled_causes_no_warning(ledger: SqlLedger) -> None:
    told: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
    go_on = threading.Event()

    def fails(_: LedgerTransaction) -> None:
        go_on.wait()
        raise ValueError("no")

    gone = asyncio.ensure_future(ledger.transact(fails))
    await asyncio.sleep(0)
    gone.cancel()
    await asyncio.wait((gone,))
    go_on.set()
    await works(ledger)
    gc.collect()
    assert told == []


async def test_all_that_wait_for_a_locked_ledger_wait_together(
    ledger: SqlLedger, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that nothing piles up behind a lock, and the daemon can be stopped."""
    busy_seconds, number = 0.2, 300
    monkeypatch.setattr("watchdog.ledger.sqlite.SqliteDatabase.busy_seconds", busy_seconds)
    with another_process(path) as other:
        other.execute("BEGIN IMMEDIATE")
        started = time.monotonic()
        told = [unavailable(ledger, "database is locked: another program") for _ in range(number)]
        await asyncio.gather(*told)
        one_after_the_other = number * busy_seconds
        assert time.monotonic() - started < one_after_the_other / 2
        other.execute("ROLLBACK")
    await works(ledger)


async def test_a_full_disk_is_an_outage_until_there_is_room(ledger: SqlLedger) -> None:
    full = pytest.raises(LedgerUnavailable, match="database or disk is full: make room")
    with told_before_each("max_page_count = 1"), full:
        await ledger.transact(lambda tx: tx.meta.set("a", "x" * 100_000))
    with told_before_each("max_page_count = 100000"):
        await works(ledger)


async def test_a_connection_that_was_made_while_nothing_could_be_written_is_made_again(
    ledger: SqlLedger,
) -> None:
    with told_before_each("query_only = ON"):
        await unavailable(ledger, "readonly database: let this user write")
    await works(ledger)


async def test_nothing_is_written_to_a_damaged_ledger_until_it_is_good_again(
    ledger: SqlLedger, path: Path, tmp_path: Path
) -> None:
    await ledger.transact(fill)
    with another_process(path) as other:
        other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        before = damage(path)
        # Another process wrote last: nothing in this process's memory is valid.
        other.execute("INSERT INTO meta VALUES ('b', 'new')")
    with pytest.raises(LedgerUnavailable, match="malformed: put a good copy in its place"):
        await ledger.transact(lambda tx: tx.attempts.newest(None, limit=1_000))
    written = path.with_name("ledger.db-wal").read_bytes()
    await unavailable(ledger, "damaged: put a good copy in its place")
    assert path.with_name("ledger.db-wal").read_bytes() == written
    with path.open("r+b") as file:
        file.write(before)
    await works(ledger)


async def test_a_good_copy_in_place_of_a_damaged_ledger_is_used(
    ledger: SqlLedger, path: Path, tmp_path: Path
) -> None:
    await ledger.transact(fill)
    with another_process(path) as other:
        other.execute("VACUUM INTO ?", (str(tmp_path / "copy.db"),))
        other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        damage(path)
        # In the log of the damaged file, and no part of the copy.
        other.execute("UPDATE meta SET value = 'too late' WHERE key = 'a'")
    with pytest.raises(LedgerUnavailable, match="malformed: put a good copy in its place"):
        await ledger.transact(lambda tx: tx.attempts.newest(None, limit=1_000))
    (tmp_path / "copy.db").rename(path)
    await unavailable(ledger, "was replaced")
    await works(ledger)
    assert len(await ledger.transact(lambda tx: tx.attempts.newest(None, limit=1_000))) == 400


async def test_overwritten_files_that_are_put_back_are_used_again(
    ledger: SqlLedger, path: Path
) -> None:
    files = [path, path.with_name("ledger.db-wal")]
    with another_process(path) as other:
        other.execute("INSERT INTO meta VALUES ('b', 'new')")
        good = {file: file.read_bytes() for file in files}
        for file, content in good.items():
            with file.open("r+b") as opened_file:
                opened_file.write(b"\xa5" * len(content))
        await unavailable(ledger, "put a good copy in its place")
        await unavailable(ledger, "put a good copy in its place")
        for file, content in good.items():
            with file.open("r+b") as opened_file:
                opened_file.write(content)
        await works(ledger)


@pytest.mark.parametrize(
    ("change", "back"),
    [
        pytest.param(
            "UPDATE alembic_version SET version_num = '9999'",
            "UPDATE alembic_version SET version_num = '0002'",
            id="newer-schema",
        ),
        pytest.param(
            "UPDATE meta SET value = 'x:' || value WHERE key = 'base_url'",
            "UPDATE meta SET value = substr(value, 3) WHERE key = 'base_url'",
            id="another-api",
        ),
    ],
)
async def test_a_ledger_that_becomes_another_is_not_used(
    change: str, back: str, ledger: SqlLedger, path: Path
) -> None:
    with another_process(path) as other:
        version = other.execute("SELECT version_num FROM alembic_version").fetchone()[0]
        other.execute(change)
        await unavailable(ledger, "is not the one that was opened: put that one back, or restart")
        other.execute(back.replace("0002", version))
    await works(ledger)


@pytest.mark.parametrize("what", ["state/ledger.db", "state"])
async def test_what_was_moved_away_is_used_again_when_it_is_back(
    what: str, ledger: SqlLedger, tmp_path: Path
) -> None:
    (tmp_path / what).rename(tmp_path / "elsewhere")
    await unavailable(ledger, "is gone: No such file or directory: put it back")
    await unavailable(ledger, "is gone: No such file or directory: put it back")
    assert not (tmp_path / what).exists()
    (tmp_path / "elsewhere").rename(tmp_path / what)
    await works(ledger)


async def test_a_deleted_ledger_is_an_outage_until_a_restart_makes_a_new_one(
    ledger: SqlLedger, tmp_path: Path
) -> None:
    shutil.rmtree(tmp_path / "state")
    await unavailable(ledger, "is gone: .* or restart to make a new one")
    await ledger.close()
    again = opened(tmp_path)
    assert again.created
    assert await use(again, lambda tx: tx.meta.get("a")) is None


async def test_a_copy_put_in_its_place_is_used_and_another_ledger_is_not(
    ledger: SqlLedger, path: Path, tmp_path: Path
) -> None:
    with another_process(path) as other:
        other.execute("VACUUM INTO ?", (str(tmp_path / "copy.db"),))
    await use(opened(tmp_path / "b", clock=Later()), lambda tx: tx.meta.set("a", "another's"))
    (tmp_path / "b/state/ledger.db").rename(path)
    await unavailable(ledger, "was replaced")
    await unavailable(ledger, "is not the one that was opened")
    (tmp_path / "copy.db").rename(path)
    await unavailable(ledger, "was replaced")
    await works(ledger)
    await ledger.close()
    await use(opened(tmp_path), lambda tx: tx.meta.get("a"))


class Later:
    def now(self) -> Any:
        return NOW + (NOW - ago(hours=1))

    def monotonic(self) -> float:
        return 0.0


async def test_any_number_of_rows_is_read_and_pruned(ledger: SqlLedger) -> None:
    def fill(tx: LedgerTransaction) -> None:
        for number in range(1_100):
            tx.episodes.save(an_episode(id=f"old{number}", ended_at=ago(days=91)))
            episode = an_episode(id=f"e{number}", model_id=f"m{number}")
            tx.targets.add(failing(model_id=f"m{number}", episode=episode, next_check_at=NOW))

    def few(connection: Any, *_: Any) -> None:
        connection.setlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER, 999)

    with listening("checkout", few):
        await ledger.transact(fill)
        assert len(await ledger.transact(lambda tx: tx.targets.all())) == 1_100
        assert await ledger.transact(lambda tx: tx.prune(ago(days=90))) == 1_100
        assert await ledger.transact(lambda tx: tx.prune(ago(days=90))) == 0
