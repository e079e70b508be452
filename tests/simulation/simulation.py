"""One run of a scenario."""

import contextvars
import heapq
import itertools
import math
import random
from collections import deque
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial

from tests.simulation.log import Happened, Kind, Log
from tests.simulation.loop import VirtualLoop
from tests.simulation.network import Network
from tests.simulation.process import Watchdog
from tests.simulation.result import Result
from tests.simulation.scenario import Act, Command, Life, Scenario
from tests.simulation.slots import Slots
from tests.simulation.store import LedgerFile
from watchdog.domain.plan import Claim
from watchdog.engine.ports import Clock
from watchdog.ledger import Role

START = datetime(2026, 3, 1, tzinfo=UTC)

_SLICE = 60.0


class Simulation:
    """With `idles` False every tick is made, even if it has nothing to do."""

    def __init__(self, scenario: Scenario, *, idles: bool = True) -> None:
        self.scenario = scenario
        self.idles = idles
        self.started_at = START
        self.problems: list[str] = []
        self.loop = VirtualLoop()  # type: ignore[abstract]
        self.log = Log()
        self.slots = Slots(scenario, START)
        self.file = LedgerFile(START)
        self.network = Network(
            self.loop, self.slots, scenario, self.log, self.true_time, self._moment
        )
        self._rng = random.Random(f"simulation/{scenario.seed}")
        self._suspended = 0.0
        self._wall_ahead = 0.0
        self._order = itertools.count()
        self._agenda: list[tuple[float, int, Callable[[], None]]] = []
        self._lives = deque(scenario.lives)
        self._life = scenario.lives[0]
        self._calm = False
        self._reservations = 0
        self._running: list[Watchdog] = []

    # Time

    def true_time(self) -> float:
        """Seconds since the start, including the time for which the machine slept."""
        return self.loop.time() + self._suspended

    def wall(self) -> datetime:
        """The machine's wall clock."""
        return self._moment() + timedelta(seconds=self._wall_ahead)

    def _moment(self) -> datetime:
        return START + timedelta(seconds=self.true_time())

    def next_check_in(self, clock: Clock, claims: Mapping[str, Claim]) -> float:
        """Seconds until a check is due by that clock, for a process with these claims."""
        now = clock.now()
        due = [
            claims[model_id].next_at
            if model_id in claims and claims[model_id].counts_for(version, planned)
            else planned
            for model_id, version, planned in self.file.plans()
        ]
        return min(((at - now).total_seconds() for at in due), default=math.inf)

    # The run

    def run(self, settled: Callable[[Result], bool] = lambda _: True) -> Result:
        """Run the trouble, and then the calm until nothing is left to wait for, at most for
        `bound`."""
        scenario = self.scenario
        try:
            self._plan()
            while not self._calm:
                self.loop.run_until(self.loop.time() + _SLICE)
            end = self.true_time() + scenario.bound
            while True:
                self.loop.run_until(self.loop.time() + _SLICE)
                result = self._result()
                if result.ended_at >= end or settled(result):
                    return result
        finally:
            for process in self._running:
                self.loop.bury(process)
                process.die()
            self.file.close()

    def _plan(self) -> None:
        scenario = self.scenario
        for act in scenario.acts:
            self._at(act.at, partial(self._act, act))
        for at, step in scenario.steps:
            self._at(at, partial(self._step, step))
        for at, span in scenario.suspends:
            self._at(at, partial(self._suspend, span))
        for command in scenario.commands:
            self._at(command.at, partial(self._command, command))
        self._at(scenario.calm_at, self._become_calm)
        start = self._start_next if scenario.cron is None else partial(self._cron, scenario.cron)
        self._at(scenario.starts_at, start)
        self._pump()

    def _at(self, moment: float, do: Callable[[], None]) -> None:
        """Do something at a moment of true time."""
        heapq.heappush(self._agenda, (moment, next(self._order), do))
        self.loop.call_at(moment - self._suspended, self._pump, context=contextvars.Context())

    def _pump(self) -> None:
        """Do everything that is due by now, including what became due while the machine slept."""
        while self._agenda and self._agenda[0][0] <= self.true_time() + 1e-6:
            heapq.heappop(self._agenda)[2]()

    def _result(self) -> Result:
        now = self._moment()
        return Result(
            self.scenario,
            self.log,
            self.file.rows("attempts"),
            {model.id: self.slots.status(model.id, now) for model in self.scenario.models},
            self.slots.building(self.true_time()),
            self.true_time(),
            (*self.problems, *self.loop.errors),
            tuple(self.file.rows("targets")),
            tuple(self.file.rows("breakages")),
        )

    def _note(self, kind: Kind, who: str, detail: str = "") -> None:
        self.log.happened.append(Happened(self.true_time(), kind, who, self._wall_ahead, detail))

    # Events of the machine and the models

    def _act(self, act: Act) -> None:
        self.slots.act(act, START + timedelta(seconds=act.at))
        self.log.happened.append(Happened(act.at, "act", act.model_id, self._wall_ahead, act.what))

    def _step(self, seconds: float) -> None:
        self._wall_ahead += seconds
        self._note("step", "", f"{seconds:+g}")

    def _suspend(self, seconds: float) -> None:
        self._note("suspend", "", f"{seconds:g}")
        self._suspended += seconds
        for moment, _, _ in self._agenda:
            self.loop.call_at(moment - self._suspended, self._pump, context=contextvars.Context())

    def _become_calm(self) -> None:
        self._note("calm", "")
        self._calm = True
        for process in self._running:
            process.at_reservation = process.steps_left = None
        last = self.scenario.lives[-1]
        if self._life is not last:
            self._lives = deque([last])
            for process in self._running:
                process.stop()

    # Processes

    def _start_next(self) -> None:
        self._life = life = self._lives.popleft() if self._lives else self.scenario.lives[-1]
        unwatched = self.scenario.unwatched
        watched = tuple(model.id for model in self.scenario.models if model.id not in unwatched)
        only = watched if unwatched else ()
        daemon = self._start(Role.DAEMON, observe=life.observe, only=only)
        daemon.at_reservation, daemon.steps_then = life.at_reservation, life.steps
        self.loop.spawn(daemon, daemon.watch())
        if life.ends_at is not None:
            self._at(max(life.ends_at, self.true_time() + 1), partial(self._end, daemon, life))

    def _start(self, role: Role, *, observe: bool, only: tuple[str, ...] = ()) -> Watchdog:
        name = f"{role}-{next(self._order)}"
        mode = "observe" if observe else "retry"
        self._note("start", name, f"{mode} {','.join(only)}".strip())
        process = Watchdog(self, name, role, observe=observe, only=only)
        self._running.append(process)
        return process

    def _command(self, command: Command) -> None:
        if any(process.role is Role.COMMAND for process in self._running):
            return  # The command would only wait for the lock.
        observe = self._life.observe or command.observe
        process = self._start(Role.COMMAND, observe=observe, only=command.models)
        process.steps_left = command.killed_after
        self.loop.spawn(process, process.check_once())

    def _cron(self, period: float) -> None:
        self._command(Command(self.true_time()))
        self._at(self.true_time() + period, partial(self._cron, period))

    def _end(self, daemon: Watchdog, life: Life) -> None:
        if self._calm or not daemon.alive:
            return
        if life.gracefully:
            daemon.stop()
        else:
            daemon.steps_left = life.steps + 1

    def kill(self, process: Watchdog) -> None:
        """Kill a process as `kill -9` does: it takes no further step."""
        self._gone("kill", process)

    def ended(self, process: Watchdog) -> None:
        """A process ended by itself."""
        self._gone("stop", process)

    def _gone(self, kind: Kind, process: Watchdog) -> None:
        self._note(kind, process.name)
        self.loop.bury(process)
        process.die()
        self._running.remove(process)
        if process.role is not Role.DAEMON:
            return
        at = self.true_time() + 1
        if not self._calm:
            if self._life.step:
                self._step(self._life.step)
            at = min(at + self._life.downtime, self.scenario.calm_at)
        self._at(max(at, self.true_time()), self._start_next)

    # What the processes call

    def reserved(self, model_id: str) -> None:
        """After a reservation, an operator may act before the POST is sent."""
        self._reservations += 1
        for number, delay in self.scenario.races:
            if number == self._reservations and not self._calm:
                at = self.true_time() + delay * 4 * self.scenario.latency
                self._at(at, partial(self._act, Act(at, model_id, "push")))

    def committed(self) -> None:
        """The ledger changed."""
        for process in self._running:
            process.wake()

    def ledger_delay(self) -> float:
        return self.scenario.ledger_latency * self._rng.random()

    def ledger_locked(self) -> bool:
        now = self.true_time()
        faults = self.scenario.faults
        return any(f.kind == "ledger_locked" and f.since <= now < f.until for f in faults)
