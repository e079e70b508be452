"""Applies the plan to the real parts, and records what happened."""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

from tests.chaos import ledger
from tests.chaos.configuring import write_config
from tests.chaos.fleet import VISITORS
from tests.chaos.plan import Action
from tests.chaos.put_backs import ACTIVE_SECONDS, SOON_SECONDS, PutBack
from tests.chaos.replica import Replica
from tests.chaos.tap import Tap
from tests.fakes.processes import put_faults
from tests.fakes.servers import Servers
from tests.simulation.log import Happened
from tests.simulation.scenario import Scenario

_WAIT_SECONDS = 0.1


class Driver:
    """`happened` is what it did, `counts` how often of each kind, `put_backs` what each of those
    did to the ledger."""

    def __init__(
        self,
        scenario: Scenario,
        replicas: Sequence[Replica],
        database: Servers,
        schema: str,
        began_at: float,
        api: str,
        webhook: str,
        tap: Tap,
        clock: Callable[[], float],
        push: Callable[[str], None],
    ) -> None:
        self._scenario = scenario
        self._replicas = replicas
        self._database = database
        self._schema = schema
        self._began_at = began_at
        self._api = api
        self._webhook = webhook
        self._tap = tap
        self._clock = clock
        self._push_model = push
        self.happened: list[Happened] = []
        self.counts: Counter[str] = Counter()
        self.put_backs: list[PutBack] = []
        # Held while the primary is written to, stopped, cut off or demoted.
        self._primary = asyncio.Lock()
        # Held while a process is ended or frozen, and while none may be.
        self._processes = asyncio.Lock()
        self._doings = {
            "kill": self._end,
            "terminate": self._end,
            "freeze": self._freeze,
            "database stop": self._stop_database,
            "cut": self._cut,
            "fail over": self._fail_over,
            "storm": self._storm,
            "change": self._change,
            "push": self._push,
            "put back": self._put_back,
            "step": self._step,
        }

    async def do(self, lanes: Sequence[Sequence[Action]]) -> None:
        async with asyncio.TaskGroup() as group:
            for lane in lanes:
                group.create_task(self._one_after_the_other(lane))

    async def heal(self) -> None:
        """From now on nothing is wrong, and every replica watches everything."""
        self.happened.append(Happened(self._clock(), "calm", ""))
        await self._put_faults(())
        for replica in self._replicas:
            self.write(replica)
            replica.reload()

    def write(
        self,
        replica: Replica,
        *,
        interval: int = 1,
        visitors: Sequence[str] = VISITORS,
    ) -> None:
        """A replica's configuration."""
        write_config(
            replica.config,
            self._scenario,
            api=self._api,
            webhook=self._webhook,
            ledger=self._database.url(schema=self._schema),
            interval=interval,
            visitors=visitors,
        )

    async def _one_after_the_other(self, lane: Sequence[Action]) -> None:
        for action in lane:
            await asyncio.sleep(max(0.0, action.at - self._clock()))
            await self._doings[action.kind](action)

    def _note(self, kind: str, what: str) -> None:
        self.happened.append(Happened(self._clock(), "chaos", kind, detail=what))

    def _count(self, kind: str, what: str = "") -> None:
        self.counts[kind] += 1
        self._note(kind, what)

    def _victim(self, number: int | None) -> Replica | None:
        """A running replica: the one that the plan names, if it runs."""
        if number is None:
            last = self._tap.last_client or ""
            number = next((r.number for r in self._replicas if r.life.name == last), 0)
        turn = [*self._replicas[number:], *self._replicas[:number]]
        return next((replica for replica in turn if replica.running), None)

    async def _end(self, action: Action) -> None:
        async with self._processes:
            self._end_now(action)

    def _end_now(self, action: Action) -> None:
        replica = self._victim(action.replica)
        if replica is None:
            return
        self._count(action.kind, replica.life.name)
        if action.kind == "kill":
            replica.kill(action.lasts)
        else:
            replica.terminate(action.lasts)

    async def _freeze(self, action: Action) -> None:
        async with self._processes:
            while (replica := self._victim(action.replica)) is None:  # noqa: ASYNC110
                await asyncio.sleep(_WAIT_SECONDS)
            self._count("freeze", replica.life.name)
            replica.freeze()
        await asyncio.sleep(action.lasts)
        self._note("thaw", replica.life.name)
        replica.thaw()

    async def _stop_database(self, action: Action) -> None:
        async with self._primary:
            self._count("database stop")
            await asyncio.to_thread(self._database.primary.stop)
            await asyncio.sleep(action.lasts)
            await asyncio.to_thread(self._database.primary.start)
            self._note("database start", "")

    async def _fail_over(self, action: Action) -> None:
        """For a while the name leads to the old server, which is then read-only."""
        async with self._primary:
            self._count("fail over")
            await asyncio.to_thread(self._database.switch)
            self._note("demoted", "")
        await asyncio.sleep(action.lasts)
        self._database.lead_to_the_primary()
        self._note("found", "")

    async def _cut(self, _: Action) -> None:
        async with self._primary:
            self._count("cut")
            await asyncio.to_thread(self._database.primary.cut)

    async def _storm(self, action: Action) -> None:
        kinds = "+".join(fault["fault"] for fault in action.faults)
        self._count("storm", f"{kinds} for {action.lasts:.1f} s")
        await self._put_faults(action.faults)
        await asyncio.sleep(action.lasts)

    async def _put_faults(self, faults: Sequence[dict[str, Any]]) -> None:
        await asyncio.to_thread(put_faults, self._api, faults)

    async def _change(self, action: Action) -> None:
        self._count("change", f"every {action.interval} s, {', '.join(action.visitors) or 'none'}")
        for replica, gap in zip(self._replicas, action.gaps, strict=True):
            self.write(replica, interval=action.interval, visitors=action.visitors)
            replica.reload()
            await asyncio.sleep(gap)

    async def _push(self, action: Action) -> None:
        self.counts["push"] += 1
        self.happened.append(Happened(self._clock(), "act", action.model_id, detail="push"))
        self._push_model(action.model_id)

    async def _put_back(self, action: Action) -> None:
        """Copy the ledger, and replace it by that copy `lasts` seconds later."""
        if action.alone:
            async with self._processes, self._primary:
                await asyncio.to_thread(ledger.copy, self._url)
                await asyncio.sleep(action.lasts)
                await self._go_back()
                await asyncio.sleep(SOON_SECONDS + ACTIVE_SECONDS)
            return
        async with self._primary:
            await asyncio.to_thread(ledger.copy, self._url)
        await asyncio.sleep(action.lasts)
        async with self._primary:
            await self._go_back()

    async def _go_back(self) -> None:
        self._count("put back")
        since = self._clock()
        changed = await asyncio.to_thread(ledger.put_back, self._url, self._began_at)
        put_back = PutBack.of(since, self._clock(), *changed)
        self.put_backs.append(put_back)
        lost = ", ".join(f"{row.id} of {row.model_id}" for row in put_back.lost)
        self.happened.append(Happened(put_back.until, "put back", "ledger", detail=lost))

    async def _step(self, action: Action) -> None:
        self.counts["step"] += 1
        await self._set_ahead(action.ahead)
        await asyncio.sleep(action.lasts)
        await self._set_ahead(0.0)

    async def _set_ahead(self, seconds: float) -> None:
        async with self._primary:
            ahead = timedelta(seconds=seconds)
            self.happened.append(Happened(self._clock(), "jump", "ledger", wall=seconds))
            await asyncio.to_thread(self._database.primary.step_clock, self._url, ahead)

    @property
    def _url(self) -> str:
        """Of the server that can be written; not by the name."""
        return self._database.primary.url(self._schema)
