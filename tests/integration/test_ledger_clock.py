"""One clock for all processes that use a SQLite ledger: the daemon's, while one is alive."""

import asyncio
import os
import sys
from asyncio.subprocess import PIPE, Process
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.fakes.processes import cli, config_file
from tests.fakes.records import NOW, failing
from watchdog.clock import SystemClock
from watchdog.domain.replica import Replica
from watchdog.engine.ports import LedgerTransaction
from watchdog.ledger import Role, SqlLedger, shared_clock

HOUR = timedelta(hours=1)
BASE_URL = "https://api.example.com"


class Machine:
    """Two clocks that a test moves, the same for all processes, as a machine's are."""

    def __init__(self) -> None:
        self.wall, self.seconds = NOW, 1000.0

    def passes(self, span: timedelta) -> None:
        self.wall += span
        self.seconds += span.total_seconds()

    def opened(self, folder: Path, role: Role) -> tuple[SqlLedger, SystemClock]:
        """As `app.ledger.open_ledger` does it."""
        clock = SystemClock(wall=lambda: self.wall, steady=lambda: self.seconds)
        url = f"sqlite:///{folder}/ledger.db"
        ledger = SqlLedger.open(url, role=role, clock=clock, base_url=BASE_URL)
        if ledger.wall is not None:
            clock.follow(ledger.wall)
        return ledger, clock


async def time_of(ledger: SqlLedger) -> datetime:
    return await ledger.transact(lambda tx: tx.now())


@pytest.mark.parametrize("role", [Role.COMMAND, Role.OPERATOR, Role.READER])
@pytest.mark.parametrize("step", [HOUR, -HOUR], ids=["ahead", "behind"])
async def test_others_go_by_the_daemons_clock_while_it_lives(
    role: Role, step: timedelta, tmp_path: Path
) -> None:
    machine = Machine()
    daemon, _ = machine.opened(tmp_path, Role.DAEMON)
    machine.wall -= step  # Now the ledger's time is that far from the wall clock.
    other, clock = machine.opened(tmp_path, role)
    assert await time_of(daemon) == await time_of(other) == clock.now() == NOW
    machine.passes(timedelta(minutes=5))
    # The daemon's next transaction writes what it adopted of the difference since then.
    assert abs(await time_of(other) - await time_of(daemon)) <= timedelta(seconds=3)
    assert await time_of(other) == await time_of(daemon) == clock.now()
    await daemon.close()
    assert abs(await time_of(other) - machine.wall) < HOUR / 2
    await other.close()


async def test_the_next_daemon_believes_the_wall_clock_and_all_others_it(tmp_path: Path) -> None:
    machine = Machine()
    daemon, _ = machine.opened(tmp_path, Role.DAEMON)
    other, _ = machine.opened(tmp_path, Role.OPERATOR)
    await daemon.close()
    machine.wall += HOUR
    daemon, _ = machine.opened(tmp_path, Role.DAEMON)
    assert await time_of(other) == NOW + HOUR
    await daemon.close()
    await other.close()


@pytest.mark.parametrize(
    "note",
    ["", "\n", "what is this", "{boot}", "{boot} soon", "{boot} " + "9" * 20, "another-boot +1"],
)
async def test_a_daemon_that_does_not_say_what_time_it_is_is_no_clock(
    note: str, tmp_path: Path
) -> None:
    machine = Machine()
    daemon, _ = machine.opened(tmp_path, Role.DAEMON)
    boot = shared_clock._boot()  # noqa: SLF001 - what only the machine knows
    path = tmp_path / "ledger.db.daemon.lock"
    path.write_text(f"{os.getpid()}\n" + note.format(boot=boot))
    machine.wall += HOUR
    other, _ = machine.opened(tmp_path, Role.READER)
    assert await time_of(other) == NOW + HOUR
    await other.close()
    await daemon.close()


@pytest.mark.parametrize(
    ("ahead", "order", "says"),
    [
        (HOUR, "pause --all --for 30m", "not paused: by the clock of a running daemon"),
        (HOUR, "pause --all --for 2h", None),
        (-HOUR, "pause --all --for 30m", None),
        (HOUR, "reset m1 --yes", "not reset: the clock of a running daemon"),
        (-HOUR, "reset m1 --yes", "not reset: the clock of a running daemon"),
        (timedelta(0), "reset m1 --yes", None),
    ],
)
async def test_what_would_not_be_in_force_by_the_clock_of_a_daemon_that_does_not_tell_it_is_refused(
    ahead: timedelta, order: str, says: str | None, tmp_path: Path
) -> None:
    """Such a daemon tells by its heartbeat alone what time it thinks it is."""
    machine = Machine()
    machine.wall = datetime.now(UTC) + ahead
    daemon, _ = machine.opened(tmp_path, Role.DAEMON)

    def live(tx: LedgerTransaction) -> None:
        now = tx.now()
        tx.replicas.save(Replica(daemon.owner, "0.9", now, now, now, active=True))
        tx.targets.add(failing(model_id="m1"))

    await daemon.transact(live)
    (tmp_path / "ledger.db.daemon.lock").write_text(f"{os.getpid()}\n")
    config = config_file(tmp_path, BASE_URL, ["m1"])
    done = await asyncio.to_thread(cli, *order.split(), "--config", config)
    assert done.exit_code == (2 if says else 0), done.stderr
    assert (says or "") in done.stderr
    recent = await daemon.transact(lambda tx: tx.actions.newest(None, limit=9))
    assert len(recent) == (0 if says else 1)
    await daemon.close()


async def running(program: str, *arguments: object) -> Process:
    """A Python program that has said its first line, and ends when its input does."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, *map(str, arguments), stdin=PIPE, stdout=PIPE
    )
    assert process.stdout is not None
    await process.stdout.readline()
    return process


ASKS = """
import fcntl, sys
file = open(sys.argv[1])
fcntl.flock(file, fcntl.LOCK_SH)
print(flush=True)
sys.stdin.read()
"""


async def test_two_processes_that_ask_at_once_do_not_take_each_other_for_the_daemon(
    tmp_path: Path,
) -> None:
    machine = Machine()
    daemon, _ = machine.opened(tmp_path, Role.DAEMON)
    await daemon.close()
    machine.wall += HOUR
    other, _ = machine.opened(tmp_path, Role.READER)
    asking = await running(ASKS, tmp_path / "ledger.db.daemon.lock")
    assert await time_of(other) == NOW + HOUR
    await asking.communicate(b"")
    await other.close()


DAEMON = """
import datetime, sys
from watchdog.clock import SystemClock
from watchdog.ledger import Role, SqlLedger
clock = SystemClock(wall=lambda: datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=5))
ledger = SqlLedger.open(sys.argv[1], role=Role.DAEMON, clock=clock, base_url=sys.argv[2])
print(flush=True)
sys.stdin.read()
"""


async def test_a_daemon_that_is_killed_leaves_its_clock_to_nobody(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/ledger.db"
    daemon = await running(DAEMON, url, BASE_URL)
    other = SqlLedger.open(url, role=Role.OPERATOR, clock=SystemClock(), base_url=BASE_URL)
    ahead = await time_of(other) - datetime.now(UTC)
    daemon.kill()
    await daemon.wait()
    then = await time_of(other) - datetime.now(UTC)
    assert [round(each / HOUR) for each in (ahead, then)] == [5, 0]
    await other.close()
