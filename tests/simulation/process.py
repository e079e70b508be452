"""A process of the watchdog: the daemon, or a command that runs at the same time."""

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
from watchdog.engine.lifecycle.term import Term
from watchdog.engine.lifecycle.wiring import Engine, Fanout
from watchdog.engine.ports import LedgerUnavailable
from watchdog.engine.settings import TICK
from watchdog.ledger import Role

if TYPE_CHECKING:
    from tests.simulation.simulation import Simulation
    from watchdog.engine.lifecycle.sweep import Sweep

GRACE = timedelta(seconds=10)

_LATE_TICKS = 4
"""Ticks that are left out between two while the breaker is open. Every tick has work to do then,
but a tick may be late."""

_LONGEST_IDLE = 60
"""The most ticks that are left out: a check that another clock planned may be due earlier than this
process's clock says."""


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
        """`only`: its configuration has only these models; if it is empty, all of them."""
        super().__init__(name)
        self._only = only
        self.at_reservation: int | None = None
        self.steps_then = 0
        self._simulation = simulation
        self.role = role
        self._observe = observe
        self._worker = Worker(simulation)
        self._stopping = False
        self._breaker_open = True  # until the ledger has answered
        self._hastens = False
        self._waker: asyncio.Future[None] | None = None
        self._sweep: Sweep | None = None
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
        """Seconds since the start, by the process's clock."""
        return (self.clock.now() - self._simulation.started_at).total_seconds()

    # The daemon

    async def watch(self) -> None:
        """Does the same as `Daemon.run`."""
        self._worker.quiet = asyncio.current_task()
        term = Term(self._engine)
        try:
            await term.take_up(self._engine.settings, {}, {}, lambda: None)
        except LedgerUnavailable:
            self._simulation.ended(self)  # Its supervisor starts it again.
            return
        sweep = self._sweep = term.sweep
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
        """Something happened that may give the next tick work to do."""
        if self._waker is not None:
            self._wake(self._waker)

    @staticmethod
    def _wake(waker: "asyncio.Future[None]") -> None:
        if not waker.done():
            waker.set_result(None)

    async def _next_tick(self, origin: float) -> None:
        """Wait for the next tick that has something to do. There is one tick a second; a tick that
        finds no due check reads the ledger and changes nothing, and is left out."""
        loop, tick = asyncio.get_running_loop(), TICK.total_seconds()
        last = math.floor((loop.time() - origin) / tick + 1e-6)
        nth = last + 1
        while not self._stopping:
            on_time = await self._sleep_until(origin + nth * tick)
            if not on_time:  # Woken: perhaps there is something to do earlier.
                nth = max(last + 1, math.ceil((loop.time() - origin) / tick - 1e-6))
            elif not self._simulation.idles or self._has_work(nth - last):
                return
            else:
                nth = max(nth + 1, last + self._ticks_without_work(nth - last))

    def _has_work(self, ticks: int) -> bool:
        """Whether the tick with this distance from the last one has something to do."""
        if self._breaker_open:
            return ticks > _LATE_TICKS
        due = self._next_check_in()
        return self._hastens or ticks >= _LONGEST_IDLE or due <= TICK.total_seconds()

    def _ticks_without_work(self, ticks: int) -> int:
        """How many ticks after the last one certainly have nothing to do, if this one has nothing
        to do."""
        if self._breaker_open:
            return _LATE_TICKS
        due = self._next_check_in() / TICK.total_seconds()
        # Claims include the next tick; the clock may be a hundredth too fast.
        return ticks + math.floor(min(due, _LONGEST_IDLE) * 0.98) - 1

    def _next_check_in(self) -> float:
        assert self._sweep is not None
        return self._simulation.next_check_in(self.clock, self._sweep.claims.open)

    async def _sleep_until(self, when: float) -> bool:
        """Sleep. Returns False if it was woken earlier."""
        loop = asyncio.get_running_loop()
        waker = self._waker = loop.create_future()
        timer = loop.call_at(when, self._wake, waker)
        await waker
        timer.cancel()
        return loop.time() >= when

    # The command

    async def check_once(self) -> None:
        """Does the same as `check_once` of `app.commands`."""
        try:
            await check_all(self._engine)
        except LedgerUnavailable:
            pass
        finally:
            self._engine.retrier.send_nothing_more()
            await self._engine.retrier.finish()
        self._simulation.ended(self)

    # What the loop and the simulation call

    def out_of_steps(self) -> None:
        self._simulation.kill(self)

    def die(self) -> None:
        """Does what the kernel does when a process ends."""
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
    """Drop the events that a killed process reports while its tasks are cancelled."""

    def __init__(self, process: Process) -> None:
        super().__init__()
        self._process = process

    def __call__(self, event: Event) -> None:
        if self._process.alive:
            super().__call__(event)
