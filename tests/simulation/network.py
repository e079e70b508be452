"""The network between a simulated process and the emulated workspace, with everything that goes
wrong in it."""

import asyncio
import contextvars
import random
from collections.abc import Callable
from datetime import datetime
from email.utils import format_datetime
from typing import Any, Protocol

import httpx

from tests.simulation.log import Log, Operation, Request
from tests.simulation.loop import VirtualLoop
from tests.simulation.scenario import Fault, ModelPlan, Scenario
from tests.simulation.slots import Slots
from tests.simulation.strangers import about_another
from watchdog.baseten_api.answers import Answer
from watchdog.emulator import faults as emulated
from watchdog.emulator.faults import FaultKind, InjectedFaults
from watchdog.emulator.operations import Call
from watchdog.emulator.replies import Ending, Reply, reply

_KEY = "key"

_NOBODY = contextvars.Context()
"""The owner of requests that are under way. It is no process: they arrive even if the sender has
died."""


class Client(Protocol):
    """A process that sends requests."""

    name: str
    alive: bool

    def wake(self) -> None: ...


class Network:
    """Delivers requests to the emulated workspace in virtual time, and writes the log."""

    def __init__(
        self,
        loop: VirtualLoop,
        slots: Slots,
        scenario: Scenario,
        log: Log,
        true_time: Callable[[], float],
        moment: Callable[[], datetime],
    ) -> None:
        self._loop = loop
        self._slots = slots
        self._scenario = scenario
        self._log = log
        self._plan = {model.id: model for model in scenario.models}
        self._true_time = true_time
        self._moment = moment
        self._retried: set[str] = set()
        self._rng = random.Random(f"network/{scenario.seed}")

    def send(self, client: Client, clock: float, method: str, path: str) -> asyncio.Future[Answer]:
        operation, model_id = _operation(method, path)
        entry = Request(
            number=len(self._log.requests),
            client=client.name,
            operation=operation,
            model_id=model_id,
            departed=self._true_time(),
            clock=clock,
        )
        self._log.requests.append(entry)
        answer: asyncio.Future[Answer] = self._loop.create_future()
        fault = self._fault(entry)
        entry.fault = fault.kind if fault is not None else None
        latency = self._scenario.latency * self._rng.uniform(0.2, 1.0)
        if fault is not None and fault.kind == "slow":
            # docs/semantics.md, section 20: no request is executed later than the time-out.
            latency += min(fault.amount, 0.9 * self._scenario.timeout) * self._rng.random()
        _NOBODY.copy().run(
            self._loop.call_later, latency, self._arrive, client, entry, fault, answer
        )
        return answer

    def _fault(self, entry: Request) -> Fault | None:
        """The first fault of the scenario that applies to a request, except lags, which `Slots`
        handles."""
        for fault in self._scenario.faults:
            if (
                fault.kind not in ("lag", "lag_status", "ledger_locked")
                and fault.since <= entry.departed < fault.until
                and fault.model_id in (None, entry.model_id)
                and fault.operation in (None, entry.operation)
                and (fault.kind != "blind" or entry.model_id in self._retried)
                and self._rng.random() < fault.share
            ):
                return fault
        return None

    def _arrive(self, client: Client, entry: Request, fault: Fault | None, answer: Any) -> None:
        kind = fault.kind if fault is not None else None
        if kind == "refuse":
            self._fail(answer, httpx.ConnectError("refused"))
            return
        said = self._answer(entry, fault)
        if said.ending is Ending.HANG:
            return
        entry.code = said.code if said.ending is Ending.ANSWERED else None
        latency = self._scenario.latency * self._rng.uniform(0.2, 1.0)
        if fault is not None and kind == "slow":
            latency += fault.amount * self._rng.random()
        date = format_datetime(self._moment(), usegmt=True).encode()
        response = Answer(said.code or 500, ((b"date", date),), said.body, _KEY)
        broken = said.ending is Ending.RESET
        self._loop.call_later(latency, self._deliver, client, entry, answer, response, broken)

    def _answer(self, entry: Request, fault: Fault | None) -> Reply:
        """Execute a request and make its answer, at one moment."""
        entry.arrived, now = self._true_time(), self._moment()
        entry.before = self._slots.status(entry.model_id, now)
        self._slots.true_time = entry.arrived
        injected = inject(fault, self._plan.get(entry.model_id))
        call = Call(_OPERATIONS[entry.operation], entry.model_id or None, _KEY)
        if fault is not None and fault.kind == "404" and entry.operation != "list":
            said = Reply(404, b"{}")
        elif fault is not None and fault.kind == "404_all":
            said = Reply(404, b"<html><body>Not Found</body></html>")
        elif fault is not None and fault.kind in ("other_model", "not_development"):
            said, entry.about = about_another(
                fault.kind, self._slots.workspace, entry.model_id, now
            )
        else:
            said = reply(self._slots.workspace, call, injected, now)
        entry.after = self._slots.status(entry.model_id, now)
        if injected.main is not None and injected.main.fault is FaultKind.THROTTLED:
            entry.retry_after = injected.main.retry_after
        if entry.operation == "retry":
            entry.retried = said.retried
            entry.executed = said.executed and said.retried is True
            if entry.executed:
                self._retried.add(entry.model_id)
                self._slots.retried(entry.model_id, entry.arrived)
                entry.settles_at = self._slots.settles_at(entry.model_id)
        elif entry.operation == "look" and said.code == 200 and entry.about is None:
            shown = self._slots.workspace.shown
            entry.served, entry.ref = shown.status, f"{shown.id}@{shown.created_at.isoformat()}"
            entry.stale = self._slots.workspace.development(entry.model_id, now) != shown
        return said

    def _deliver(
        self,
        client: Client,
        entry: Request,
        answer: asyncio.Future[Answer],
        response: Answer,
        broken: bool,
    ) -> None:
        if answer.done() or not client.alive:
            return
        client.wake()
        if broken:
            answer.set_exception(httpx.ReadError("reset"))
            return
        entry.delivered = self._true_time()
        answer.set_result(response)

    def _fail(self, answer: asyncio.Future[Answer], error: Exception) -> None:
        if not answer.done():
            answer.set_exception(error)


class Wire:
    """The process's side of the network, in place of a `Connection`."""

    is_used = False
    is_silent = False

    def __init__(self, network: Network, client: Client, clock: Callable[[], float]) -> None:
        self._network = network
        self._client = client
        self._clock = clock

    async def exchange(self, method: str, path: str, key: str, most_bytes: int) -> Answer:
        return await self._network.send(self._client, self._clock(), method, path)


def _operation(method: str, path: str) -> tuple[Operation, str]:
    """Raises ValueError for a request that the judge does not know, so that none is taken for
    another one."""
    match [method, *path.partition("?")[0].strip("/").split("/")]:
        case ["GET", "v1", "models"]:
            return "list", ""
        case ["GET", "v1", "models", model_id, "audit_logs"]:
            return "audit", model_id
        case ["GET", "v1", "models", model_id, "deployments", _, "logs"]:
            return "logs", model_id
        case ["GET", "v1", "models", model_id, "deployments", _, "startups"]:
            return "startups", model_id
        case ["GET", "v1", "models", model_id, "deployments", "development"]:
            return "look", model_id
        case ["POST", "v1", "models", model_id, "deployments", "development", "retry"]:
            return "retry", model_id
    raise ValueError(f"the judge does not know {method} {path}")


_OPERATIONS = {
    "look": emulated.Operation.GET_DEPLOYMENT,
    "retry": emulated.Operation.RETRY,
    "list": emulated.Operation.LIST_MODELS,
    "audit": emulated.Operation.LIST_AUDIT_LOGS,
    "logs": emulated.Operation.GET_LOGS,
    "startups": emulated.Operation.LIST_STARTUPS,
}

_KINDS: dict[str, FaultKind] = {
    "hang_before": FaultKind.HANG,
    "reset_before": FaultKind.RESET,
    "429": FaultKind.THROTTLED,
    "429_blind": FaultKind.THROTTLED,
    "429_garbage": FaultKind.THROTTLED,
    "401": FaultKind.UNAUTHORIZED,
    "403": FaultKind.FORBIDDEN,
    "503": FaultKind.UNAVAILABLE,
    "blind": FaultKind.UNAVAILABLE,
    "hang_after": FaultKind.LOST_ANSWER,
    "reset_after": FaultKind.RESET_AFTER,
    "504_after": FaultKind.GATEWAY_TIMEOUT,
    "truncated": FaultKind.TRUNCATED,
    "ill_typed": FaultKind.ILL_TYPED,
    "retried_yes": FaultKind.RETRIED_TEXT,
    "other_deployment": FaultKind.OTHER_DEPLOYMENT,
    "hostile_reason": FaultKind.HOSTILE_REASON,
}


def inject(fault: Fault | None, plan: ModelPlan | None) -> InjectedFaults:
    """The emulator's name of the fault."""
    beside = []
    if plan is not None and plan.new_id_on_retry:
        beside.append(emulated.Fault(fault=FaultKind.NEW_ID))
    if plan is not None and (plan.new_id_on_retry or plan.new_created_at_on_retry):
        beside.append(emulated.Fault(fault=FaultKind.NEW_CREATED_AT))
    if fault is None or fault.kind == "lag_reads":
        if fault is not None:
            beside.append(emulated.Fault(fault=FaultKind.LAGGING, reads=int(fault.amount)))
        return InjectedFaults(None, tuple(beside))
    if (kind := _KINDS.get(fault.kind)) is None:
        return InjectedFaults(None, tuple(beside))
    if kind is not FaultKind.THROTTLED:
        return InjectedFaults(emulated.Fault(fault=kind), tuple(beside))
    seconds = {"429": fault.amount, "429_garbage": "soon"}.get(fault.kind)
    return InjectedFaults(emulated.Fault(fault=kind, retry_after=seconds), tuple(beside))
