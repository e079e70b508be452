"""What `policy.causes` saves, and what it costs: `python -m tests.bench.causes`.

The engine, the client and the catalogue are the daemon's own, and the API is the emulator. The
ledger is in memory, and the network and the time are simulated. Nine hours of the same fleet are
played twice: with `policy.causes` at its defaults, and with every cause retried. A third of the
fleet can never build, a third fails by the network once or twice, and a third finds no machine for
an hour.
"""

import asyncio
import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import looptime

from tests.fakes.engine import START
from tests.fakes.ledger import InMemoryLedger
from tests.simulation.api import SimulatedApi
from watchdog.app.parts import make_settings
from watchdog.baseten_api.answers import Answer
from watchdog.cli.layout import Column
from watchdog.cli.output import print_table
from watchdog.clock import SystemClock
from watchdog.config import Config
from watchdog.domain.causes import Cause
from watchdog.domain.records import CauseAction
from watchdog.emulator.faults import InjectedFaults, Operation
from watchdog.emulator.operations import Call
from watchdog.emulator.replies import reply
from watchdog.emulator.scenario import Deploy, LogLine, ModelScenario, Phase, Scenario, Step
from watchdog.emulator.values import RetryResult
from watchdog.emulator.workspace import Workspace
from watchdog.engine.events import Event, GaveUp, Recovered, RetryAnswered
from watchdog.engine.lifecycle.term import Term
from watchdog.engine.lifecycle.wiring import Engine, Fanout

LOGS = Path(__file__).parent.parent / "causes" / "logs"

PERMANENT = "cannot ever build"
NETWORK = "network, once or twice"
CAPACITY = "capacity, for an hour"
THIRDS = (PERMANENT, NETWORK, CAPACITY)

EACH = 6
"""Models in a third. The attempts that are not needless fit into the fleet's limit of a
day."""

_SPAN = timedelta(hours=9)
_ONE_FAILS_EVERY = timedelta(minutes=20)
"""So seldom that the breaker stays closed: it opens if three fail within ten minutes."""

_STEP = timedelta(seconds=5)
"""Between two ticks. They are rarer than the daemon's, so that nine hours are played in seconds."""

_NO_MACHINE_FOR = timedelta(hours=1)
_BUILD = timedelta(minutes=4)
_START = timedelta(minutes=2)
_WITHOUT = {
    "causes": dict.fromkeys((cause.value for cause in Cause), CauseAction.RETRY.value),
}


@dataclass
class Outcome:
    """What became of the models of one third."""

    models: int = 0
    retries: Counter[str] = field(default_factory=Counter)
    recovered: dict[str, timedelta] = field(default_factory=dict)
    gave_up: set[str] = field(default_factory=set)

    @property
    def most_retries(self) -> int:
        return max(self.retries.values(), default=0)


class Fleet(Workspace):
    """The emulated workspace. A retry of a model that lacks a machine succeeds once there is one
    again, however many retries were sent before."""

    def __init__(self, thirds: Mapping[str, str]) -> None:
        """`thirds` is the third that each model belongs to, in the order in which they fail."""
        self._thirds = dict(thirds)
        self._machine_from = {
            model_id: START + _fails_at(number) + _NO_MACHINE_FOR
            for number, model_id in enumerate(thirds)
        }
        models = tuple(
            _model(model_id, number, third)
            for number, (model_id, third) in enumerate(thirds.items())
        )
        super().__init__(Scenario(models=models), started_at=START)

    def retry(self, model_id: str, now: datetime, **options: Any) -> RetryResult:
        if self._thirds[model_id] == CAPACITY:
            self._slots[model_id].deploys = 2 if now >= self._machine_from[model_id] else 1
        return super().retry(model_id, now, **options)


class EmulatorWire:
    """In place of a `Connection`: every request is answered by the emulator at once."""

    is_used = False
    is_silent = False

    def __init__(self, workspace: Workspace, clock: SystemClock) -> None:
        self._workspace = workspace
        self._clock = clock

    async def exchange(self, method: str, path: str, key: str, most_bytes: int) -> Answer:
        now = self._clock.now()
        said = reply(self._workspace, _call(method, path), InjectedFaults(), now)
        date = format_datetime(now, usegmt=True).encode()
        return Answer(said.code, ((b"date", date),), said.body, "key")


def _call(method: str, path: str) -> Call:
    """Raises KeyError for a request that the emulator does not have."""
    place, _, query = path.partition("?")
    model_id, *rest = place.removeprefix("/v1/models/").split("/")
    operation = _OPERATIONS[method, rest[-1]]
    deployment_id = rest[1] if len(rest) > 1 else None
    return Call(operation, model_id, "key", deployment_id, parse_qs(query))


_OPERATIONS = {
    ("GET", "development"): Operation.GET_DEPLOYMENT,
    ("POST", "retry"): Operation.RETRY,
    ("GET", "logs"): Operation.GET_LOGS,
    ("GET", "startups"): Operation.LIST_STARTUPS,
    ("GET", "audit_logs"): Operation.LIST_AUDIT_LOGS,
}
"""By the method and the end of the path."""


def _fails_at(number: int) -> timedelta:
    return (number + 1) * _ONE_FAILS_EVERY


def _model(model_id: str, number: int, third: str) -> ModelScenario:
    """A model that is ACTIVE until somebody pushes what fails."""
    works = Deploy(steps=(Step("BUILDING", _BUILD), Step("DEPLOYING", _START), Step("ACTIVE")))
    folder = {PERMANENT: "dependency", NETWORK: "network", CAPACITY: "capacity"}[third]
    again = _failure(third, _log(folder, number))
    pushed = (Step("ACTIVE", _fails_at(number) - _lasts(again)), *again.steps)
    first = again.model_copy(update={"steps": pushed})
    then = {
        PERMANENT: (again,),
        NETWORK: (again,) * (number % 2) + (works,),
        CAPACITY: (again, works),
    }
    return ModelScenario(id=model_id, name=model_id, deploys=(first, *then[third]))


def _failure(third: str, log: tuple[LogLine, ...]) -> Deploy:
    if third == CAPACITY:
        steps = (Step("DEPLOYING", _START), Step("DEPLOY_FAILED"))
        return Deploy(steps=steps, log=log, stalls_in=Phase.SCHEDULING)
    return Deploy(steps=(Step("BUILDING", _BUILD), Step("BUILD_FAILED")), log=log)


def _lasts(deploy: Deploy) -> timedelta:
    return sum((step.lasts or timedelta(0) for step in deploy.steps), timedelta(0))


def _log(cause: str, number: int) -> tuple[LogLine, ...]:
    """One of the logs of the corpus."""
    logs = sorted((LOGS / cause).glob("*.log"))
    text = logs[number % len(logs)].read_text("utf-8")
    return tuple(LogLine(message=line) for line in text.splitlines())


async def play(policy: Mapping[str, Any]) -> dict[str, Outcome]:
    """Nine hours of the fleet under this policy. To be run in a loop of virtual time."""
    loop = asyncio.get_running_loop()
    clock = SystemClock(wall=lambda: START + timedelta(seconds=loop.time()), steady=loop.time)
    thirds = {f"model-{number:02}": THIRDS[number % 3] for number in range(3 * EACH)}
    config = Config.model_validate({"models": [{"id": each} for each in thirds], "policy": policy})
    outcomes = {third: Outcome(EACH) for third in THIRDS}
    listener = Fanout()
    api = SimulatedApi(
        EmulatorWire(Fleet(thirds), clock),  # type: ignore[arg-type]
        timeout=config.baseten.timeout.total_seconds(),
        max_rate=config.baseten.max_requests_per_second,
        concurrency=config.watch.concurrency,
        clock=clock,
        listener=listener,
    )
    settings = make_settings(config, "daemon:1")
    engine = Engine(api, InMemoryLedger(clock), clock, listener, settings)
    listener.add(lambda event: _count(outcomes, thirds, event))
    term = Term(engine)
    diagnosis = asyncio.create_task(engine.diagnosis.run(term.sweep.check_now))
    await term.take_up(engine.settings, {}, {}, lambda: None)
    term.sweep.start()
    while clock.now() < START + _SPAN:
        await engine.breaker.tick()
        await term.sweep.tick()
        await asyncio.sleep(_STEP.total_seconds())
    await term.sweep.stop(timedelta(seconds=1))
    diagnosis.cancel()
    with suppress(asyncio.CancelledError):
        await diagnosis
    return outcomes


def _count(outcomes: Mapping[str, Outcome], thirds: Mapping[str, str], event: Event) -> None:
    if not isinstance(event, RetryAnswered | Recovered | GaveUp):
        return
    model_id = event.target.model_id
    outcome = outcomes[thirds[model_id]]
    if isinstance(event, RetryAnswered):
        outcome.retries[model_id] += event.attempt.sent_at is not None
    elif isinstance(event, Recovered):
        outcome.recovered[model_id] = event.after
    else:
        outcome.gave_up.add(model_id)


def measure() -> dict[str, dict[str, Outcome]]:
    """Both runs, by name."""
    return {
        name: _in_virtual_time(policy)
        for name, policy in (("with policy.causes", {}), ("all retry", _WITHOUT))
    }


def _in_virtual_time(policy: Mapping[str, Any]) -> dict[str, Outcome]:
    loop = looptime.new_event_loop(noop_cycles=0)
    try:
        outcomes: dict[str, Outcome] = loop.run_until_complete(play(policy))
    finally:
        loop.close()
    return outcomes


_COLUMNS = ("a third of the fleet", "policy", "models", "retries", "recovered", "median", "longest")


def main() -> None:
    measured = measure()
    print_table(
        [Column(name) for name in _COLUMNS],
        [
            _row(third, name, outcomes[third])
            for third in THIRDS
            for name, outcomes in measured.items()
        ],
        empty="Nothing was measured.",
        wide=True,
    )


def _row(third: str, name: str, outcome: Outcome) -> Sequence[str]:
    minutes = [each.total_seconds() / 60 for each in outcome.recovered.values()]
    times = (statistics.median(minutes), max(minutes)) if minutes else ()
    counts = (outcome.models, outcome.retries.total(), len(outcome.recovered))
    shown = [f"{each:.0f} min" for each in times] or ["", ""]
    return third, name, *map(str, counts), *shown


if __name__ == "__main__":
    main()
