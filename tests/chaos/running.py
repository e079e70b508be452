"""One run: everything starts, is disturbed, is repaired, comes to rest and is judged."""

import asyncio
import random
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

from tests.chaos import configuring, fleet, ledger, plan
from tests.chaos.driver import Driver
from tests.chaos.heard import Listening, twice
from tests.chaos.judge import Evidence, judge
from tests.chaos.replica import Replica
from tests.chaos.tap import KEY, Tap
from tests.fakes.servers import Servers
from tests.simulation.checker import report
from watchdog.clock import SystemClock
from watchdog.emulator import Emulator
from watchdog.emulator.server import system_now
from watchdog.ledger import Role, SqlLedger

_PORTS = range(15_000, 30_000)
"""Ports below those that the system gives to outgoing connections: one of these could take the
database's port while the database is down."""

_DELAY_SECONDS = 0.001
"""How far away the database is, in each direction."""

_BUILDING = ("BUILDING", "DEPLOYING")


@dataclass(frozen=True, slots=True)
class _Rested:
    """`due` is what may be retried and was not."""

    at: float
    statuses: dict[str, str | None]
    due: dict[str, str]


class Run:
    """`broken` is a text that says which rules were broken; None if none was. `summary` is one
    line. The replicas' logs are in `folder`, which is gone when nothing was broken."""

    def __init__(self, seed: int, seconds: float) -> None:
        self.seed = seed
        self.seconds = seconds
        self.folder = Path(tempfile.mkdtemp(prefix="watchdog-chaos-"))
        self.broken: str | None = None
        self.summary = ""
        self._scenario = fleet.make(seed, seconds)
        self._began_at, self._began, self._moment = time.time(), time.monotonic(), system_now()
        self._replicas = [
            Replica(number, self.folder, self._clock) for number in range(plan.REPLICAS)
        ]

    def _clock(self) -> float:
        return time.monotonic() - self._began

    async def run(self) -> None:
        port = random.choice(_PORTS)
        database = await asyncio.to_thread(Servers, port, delay=_DELAY_SECONDS)
        try:
            evidence, counts = await self._watch(database)
        finally:
            await asyncio.to_thread(database.remove)
        self._judge(evidence, counts)

    async def _watch(self, database: Servers) -> tuple[Evidence, Counter[str]]:
        self._began_at, self._began, self._moment = time.time(), time.monotonic(), system_now()
        between = Tap(self._clock)
        emulator = Emulator(
            configuring.emulated(self._scenario), api_key=KEY, now=self._moment, wrap=between.around
        )
        ids = tuple(model.id for model in self._scenario.models)
        listening = Listening(self._clock, self._began_at)
        async with emulator, listening.serve() as webhook:
            schema = await asyncio.to_thread(_new_ledger, database, emulator.url)
            driver = Driver(
                self._scenario,
                self._replicas,
                database,
                schema,
                self._began_at,
                emulator.url,
                webhook.url,
                between,
                self._clock,
                lambda model_id: emulator.workspace.push(model_id, self._moment()),
            )
            for replica in self._replicas:
                driver.write(replica)
            async with self._supervised():
                await driver.do(plan.make(self.seed, self.seconds, ids))
                await driver.heal()
                rested = await self._rest(emulator, database.primary.url(schema))
            url = database.primary.url(schema)
            rows, _ = await asyncio.to_thread(ledger.read, url, self._began_at)
            outbox = await asyncio.to_thread(ledger.read_outbox, url)
        evidence = self._evidence(emulator, between, driver, rows, rested)
        return replace(evidence, heard=listening.heard, outbox=outbox), driver.counts

    @asynccontextmanager
    async def _supervised(self) -> AsyncIterator[None]:
        """The replicas run, and end in order."""
        tasks = [asyncio.create_task(replica.supervise()) for replica in self._replicas]
        try:
            yield
            await asyncio.gather(*(replica.finish() for replica in self._replicas))
        except BaseException:
            for task in tasks:
                task.cancel()
            raise
        finally:
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _rest(self, emulator: Emulator, url: str) -> "_Rested":
        """Wait until nothing builds, nothing may be retried and no notice is about to be sent, and
        tell how things stood then.
        What is well stays so from now on."""
        deadline = self._clock() + self._scenario.bound
        while True:
            await asyncio.sleep(1)
            now, statuses = self._clock(), self._statuses(emulator)
            for model_id, status in statuses.items():
                if status == "ACTIVE":
                    emulator.workspace.set_status(model_id, status, self._moment())
            rows, episodes = await asyncio.to_thread(ledger.read, url, self._began_at)
            builds = any(status in _BUILDING for status in statuses.values())
            due = ledger.still_due(self._scenario, rows, episodes, statuses, now)
            outbox = await asyncio.to_thread(ledger.read_outbox, url)
            due |= dict.fromkeys(outbox.soon, "a notice about it waits")
            if now > deadline or not (builds or due):
                return _Rested(now, statuses, due)

    def _statuses(self, emulator: Emulator) -> dict[str, str | None]:
        now = self._moment()
        return {
            model.id: emulator.workspace.development(model.id, now).status
            for model in self._scenario.models
        }

    def _evidence(
        self,
        emulator: Emulator,
        between: Tap,
        driver: Driver,
        rows: list[ledger.Row],
        rested: "_Rested",
    ) -> Evidence:
        lives = [life for replica in self._replicas for life in replica.lives]
        return Evidence(
            scenario=self._scenario,
            notes=between.notes,
            records=list(emulator.workspace.requests),
            lives=lives,
            happened=driver.happened,
            rows=rows,
            put_backs=driver.put_backs,
            began_at=self._began_at,
            statuses=rested.statuses,
            due=rested.due,
            ended_at=rested.at,
            problems=[problem for life in lives for problem in life.problems()],
        )

    def _judge(self, evidence: Evidence, counts: Counter[str]) -> None:
        log, violations = judge(evidence)
        posts = sum(request.operation == "retry" for request in log.requests)
        takeovers = sum(len(life.said("replica_active")) for life in evidence.lives)
        told = ", ".join(f"{kind} {count}" for kind, count in sorted(counts.items()))
        self.summary = (
            f"{evidence.ended_at:.0f} s, seed {self.seed}: {len(log.requests)} requests, "
            f"{posts} POSTs, {len(evidence.rows)} attempts, {len(evidence.lives)} lives, "
            f"{takeovers} take-overs, {len(evidence.heard)} notices ({twice(evidence.heard)} "
            f"twice); {told}"
        )
        if violations:
            replay = f"make chaos SECONDS={self.seconds:g}"
            text = report(log, violations, self.seed, replay=replay)
            self.broken = f"{text}\n{self.summary}\nlogs: {self.folder}"
            (self.folder / "log.txt").write_text(log.lines())
            rows = "\n".join(map(str, evidence.rows))
            (self.folder / "attempts.txt").write_text(rows)
            lost = "\n".join(map(str, evidence.put_backs))
            (self.folder / "put-backs.txt").write_text(lost)
        else:
            self.summary += "; nothing broken"
            shutil.rmtree(self.folder)


def _new_ledger(database: Servers, api: str) -> str:
    """The schema of one whose clock may be stepped: whoever opens it must know that before. It has
    its tables, because on a busy machine no replica may live long enough to make them."""
    url = database.primary.new_schema()
    database.primary.step_clock(url, timedelta(0))
    ledger = SqlLedger.open(
        url, clock=SystemClock(), base_url=api, role=Role.DAEMON, observe=False, make=True
    )
    asyncio.run(ledger.close())
    return database.primary.schema_of(url)
