"""A process of the watchdog: the daemon, and the command beside it."""

import asyncio
import itertools
import math
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from tests.simulation import configuring
from tests.simulation.api import SimulatedApi
from tests.simulation.loop import Process
from tests.simulation.network import Wire
from tests.simulation.worker import Worker
from watchdog.clock import SystemClock
from watchdog.engine.events import ApiRecovered, BreakerSeen, Event, InternalError, RetryReserved
from watchdog.engine.lifecycle.one_pass import check_all
from watchdog.engine.lifecycle.sweep import TICK
from watchdog.engine.lifecycle.wiring import Engine, Fanout
from watchdog.engine.ports import LedgerUnavailable
from watchdog.ledger import Role

if TYPE_CHECKING:
    from tests.simulation.simulation import Simulation

GRACE = timedelta(seconds=10)

_LATE_TICKS = 4
"""While the breaker is open each tick has work to do. A tick may be late: these are."""

_LONGEST_IDLE = 60
"""Ticks: what another clock planned may be due sooner than this process's clock says."""


class Watchdog(Process):
    """One process, from its start until it ends, stops or is killed."""

    def __init__(
        self,
        simulation: "Simulation",
        name: str,
        role: Role,
        *,
        observe: bool,
        only: tuple[str, ...] = (),
    ) -> None:
        """`only`: its configuration has these models alone, unless none is named."""
        super().__init__(name)
        self._only = only
        self.at_reservation: int | None = None
        self.steps_then = 0
        self._simulation = simulation
        self.role = role
        self._observe = observe
        self._worker = Worker(simulation)
        self._stopping = False
        self._breaker_open = True  # until the ledger has been asked
        self._hastens = False
        self._waker: asyncio.Future[None] | None = None
        self.clock = SystemClock(wall=simulation.wall, steady=simulation.loop.time)
        self.ledger = simulation.file.open(
            role, self.clock, self._worker, owner=f"{role}:{name}", observe=observe
        )
        if self.ledger.wall is not None:
            self.clock.follow(self.ledger.wall)
        self._wire()

    def _wire(self) -> None:
        simulation, scenario = self._simulation, self._simulation.scenario
        settings = configuring.make_settings(scenario, self.ledger.owner, observe=self._observe)
        if self._only:
            models = {model_id: settings.models[model_id] for model_id in self._only}
            settings = replace(settings, models=models)
        listener = _WhileAlive(self)
        api = SimulatedApi(
            Wire(simulation.network, self, self.read_clock),
            timeout=scenario.timeout,
            max_rate=scenario.max_rate,
            concurrency=scenario.concurrency,
            clock=self.clock,
            listener=listener,
        )
        self._numbers = itertools.count(1)
        self._engine = Engine(api, self.ledger, self.clock, listener, settings, new_id=self._new_id)
        listener.add(self._listen)

    def _new_id(self) -> str:
        attempt_id = f"{self.name}/{next(self._numbers)}"
        self._simulation.log.begun[attempt_id] = self._simulation.true_time()
        return attempt_id

    def read_clock(self) -> float:
        """Seconds since the start, as the process takes it."""
        return (self.clock.now() - self._simulation.started_at).total_seconds()

    # The daemon

    async def watch(self) -> None:
        """As `Daemon.run` does."""
        self._worker.quiet = asyncio.current_task()
        try:
            sweep = await self._engine.begin_sweep()
        except LedgerUnavailable:
            self._simulation.ended(self)  # Its supervisor starts it again.
            return
        sweep.start()
        origin = asyncio.get_running_loop().time()
        while not self._stopping:
            self._hastens = False
            await self._engine.breaker.tick()
            await sweep.tick()
            await self._next_tick(origin)
        self._engine.retrier.send_nothing_more()
        await sweep.stop(GRACE)
        await self._engine.retrier.finish()
        self._simulation.ended(self)

    def stop(self) -> None:
        self._stopping = True
        self.wake()

    def wake(self) -> None:
        """Something happened that the next tick may find of interest."""
        if self._waker is not None:
            self._wake(self._waker)

    @staticmethod
    def _wake(waker: "asyncio.Future[None]") -> None:
        if not waker.done():
            waker.set_result(None)

    async def _next_tick(self, origin: float) -> None:
        """Wait for the next tick, one a second, that has something to do. One that would find no
        check due reads the ledger and changes nothing: those are left out."""
        loop, tick = asyncio.get_running_loop(), TICK.total_seconds()
        last = math.floor((loop.time() - origin) / tick + 1e-6)
        nth = last + 1
        while not self._stopping:
            on_time = await self._sleep_until(origin + nth * tick)
            if not on_time:  # Woken: perhaps there is something to do sooner.
                nth = max(last + 1, math.ceil((loop.time() - origin) / tick - 1e-6))
            elif not self._simulation.idles or self._has_work(nth - last):
                return
            else:
                nth = max(nth + 1, last + self._ticks_without_work(nth - last))

    def _has_work(self, ticks: int) -> bool:
        """Whether the tick that comes so many after the last one has any."""
        if self._breaker_open:
            return ticks > _LATE_TICKS
        due = self._simulation.next_check_in(self.clock)
        return self._hastens or ticks >= _LONGEST_IDLE or due <= TICK.total_seconds()

    def _ticks_without_work(self, ticks: int) -> int:
        """How many ticks after the last one are sure to have none, when this one has none."""
        if self._breaker_open:
            return _LATE_TICKS
        due = self._simulation.next_check_in(self.clock) / TICK.total_seconds()
        # Claims look a tick ahead; the clock may run a hundredth fast.
        return ticks + math.floor(min(due, _LONGEST_IDLE) * 0.98) - 1

    async def _sleep_until(self, when: float) -> bool:
        """Sleep; False when woken earlier."""
        loop = asyncio.get_running_loop()
        waker = self._waker = loop.create_future()
        timer = loop.call_at(when, self._wake, waker)
        await waker
        timer.cancel()
        return loop.time() >= when

    # The command

    async def check_once(self) -> None:
        """As `check_once` of `app.commands` does."""
        try:
            await check_all(self._engine)
        except LedgerUnavailable:
            pass
        finally:
            self._engine.retrier.send_nothing_more()
            await self._engine.retrier.finish()
        self._simulation.ended(self)

    # What the loop and the simulation want of it

    def out_of_steps(self) -> None:
        self._simulation.kill(self)

    def die(self) -> None:
        """What the kernel does."""
        self.ledger.release()

    def _listen(self, event: Event) -> None:
        if isinstance(event, BreakerSeen):
            self._breaker_open = event.open
        if isinstance(event, ApiRecovered):
            self._hastens = True
        if isinstance(event, InternalError):
            self._simulation.problems.append(f"{self.name}: {event!r}")
        if not isinstance(event, RetryReserved):
            return
        self._simulation.reserved(event.target.model_id)
        if self.at_reservation is not None:
            self.at_reservation -= 1
            if self.at_reservation == 0:
                self.steps_left = max(1, self.steps_then)


class _WhileAlive(Fanout):
    """Nobody hears what a killed process says while its tasks are cancelled."""

    def __init__(self, process: Process) -> None:
        super().__init__()
        self._process = process

    def __call__(self, event: Event) -> None:
        if self._process.alive:
            super().__call__(event)
