"""The emulated workspace: what its models are doing at a given moment. No input or output."""

import hashlib
from collections import deque
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from watchdog.emulator.scenario import (
    Act,
    ActKind,
    Deploy,
    LogLine,
    ModelScenario,
    Scenario,
    Step,
)
from watchdog.emulator.values import (
    Deployment,
    Logged,
    Model,
    NotFound,
    RequestRecord,
    RetryResult,
    Startup,
)

MAX_TIME_SCALE = 10_000
"""At this scale a build of ten minutes takes 60 ms, which is shorter than any interval."""

MAX_REQUESTS = 100_000
"""How many requests are remembered: hours of a large fleet, and some tens of megabytes."""

_MILLISECOND = timedelta(milliseconds=1)

_STARTED = frozenset({"ACTIVE", "DEPLOY_FAILED"})
"""A deploy that ends in one of these has started containers, with or without success."""

_STOPPED = {ActKind.STOP: "BUILD_STOPPED", ActKind.DEACTIVATE: "INACTIVE"}

RETRYABLE_STATUSES = frozenset({"BUILD_FAILED", "DEPLOY_FAILED", "FAILED", "BUILD_STOPPED"})
"""The statuses in which a retry is accepted. BUILD_STOPPED is one: the emulator must not hide a
client's mistake of undoing an operator's act."""


@dataclass(slots=True)
class _Running:
    """A deployment under way: what the latest push or retry began at `began_at`."""

    id: str
    created_at: datetime
    deploy: Deploy
    began_at: datetime


@dataclass(slots=True)
class _Slot:
    """The one development slot of a model: how many deploys, ids and acts of its scenario it has
    used, what it holds and held until when, and which status a lagging read shows for how many
    reads already."""

    scenario: ModelScenario
    deploys: int = 0
    ids: int = 0
    acts: int = 0
    running: _Running | None = None
    past: list[tuple[_Running, datetime]] = field(default_factory=list)
    shown: str | None = None
    stale_reads: int = 0

    def next_deploy(self) -> Deploy:
        if not self.scenario.deploys:
            raise NotFound(f"the scenario gives model {self.scenario.id} no deploys")
        self.deploys += 1
        return self.scenario.deploys[min(self.deploys, len(self.scenario.deploys)) - 1]

    def next_id(self) -> str:
        self.ids += 1
        return hashlib.sha256(f"{self.scenario.id}/{self.ids}".encode()).hexdigest()[:8]


class Workspace:
    """Models that follow a scenario. Every `now` is an aware datetime that never goes back.

    `time_scale` is how many scenario seconds pass in one second of `now`.
    Methods that take a model id raise NotFound when there is no such model.
    """

    def __init__(
        self, scenario: Scenario, *, started_at: datetime, time_scale: float = 1.0
    ) -> None:
        if not 0 < time_scale <= MAX_TIME_SCALE:
            raise ValueError(f"the time scale must be above 0 and at most {MAX_TIME_SCALE}")
        self.requests: deque[RequestRecord] = deque(maxlen=MAX_REQUESTS)
        self._started_at = started_at
        self._time_scale = time_scale
        self._slots = {model.id: _Slot(model) for model in scenario.models}
        for slot in self._slots.values():
            if slot.scenario.deploys:
                self.push(slot.scenario.id, started_at)

    def models(self, now: datetime) -> list[Model]:
        """Every model, in the order of the scenario."""
        return [self.model(model_id, now) for model_id in self._slots]

    def model(self, model_id: str, now: datetime) -> Model:
        slot = self._slot(model_id, now)
        return Model(
            id=model_id,
            created_at=self._started_at,
            name=slot.scenario.name,
            team=slot.scenario.team,
            development=self._deployment(slot, now),
        )

    def development(self, model_id: str, now: datetime) -> Deployment:
        """Raises NotFound too when the model has no development deployment."""
        deployment = self._deployment(self._slot(model_id, now), now)
        if deployment is None:
            raise NotFound(f"model {model_id} has no development deployment")
        return deployment

    def get_deployment(self, model_id: str, now: datetime, *, lag: int = 0) -> Deployment:
        """The deployment as a read shows it: its status up to `lag` reads behind the truth."""
        truth, slot = self.development(model_id, now), self._slot(model_id, now)
        if slot.shown not in (None, truth.status) and slot.stale_reads < lag:
            slot.stale_reads += 1
            return replace(truth, status=slot.shown or truth.status)
        slot.shown, slot.stale_reads = truth.status, 0
        return truth

    def retry(
        self, model_id: str, now: datetime, *, new_id: bool = False, new_created_at: bool = False
    ) -> RetryResult:
        """Ask for a retry: it goes ahead when the deployment failed and the scenario refuses none.

        The slot keeps its deployment's identity unless told otherwise. Raises NotFound too when
        the model has no development deployment.
        """
        deployment = self.development(model_id, now)
        slot = self._slot(model_id, now)
        if deployment.status not in RETRYABLE_STATUSES:
            reason = f"Only a failed deployment can be retried; this one is {deployment.status}."
            return RetryResult(retried=False, reason=reason, deployment=deployment)
        if slot.scenario.refuses is not None:
            return RetryResult(retried=False, reason=slot.scenario.refuses, deployment=deployment)
        deploy, created_at = slot.next_deploy(), now if new_created_at else deployment.created_at
        if new_id:
            self._take_away(slot, now)
        self._put(slot, deploy, now, created_at=created_at)
        return RetryResult(retried=True, reason=None, deployment=self.development(model_id, now))

    def push(self, model_id: str, now: datetime, *, new_id: bool = False) -> None:
        """Deploy anew, as a person does. The slot keeps its deployment's id unless told otherwise.

        Raises NotFound too when the scenario gives the model no deploys.
        """
        slot = self._slot(model_id, now)
        deploy = slot.next_deploy()
        if new_id:
            self._take_away(slot, now)
        self._put(slot, deploy, now, created_at=now)

    def set_status(self, model_id: str, status: str | None, now: datetime) -> None:
        """Put the deployment in a status until the next push or retry; None takes it away.

        A deployment that was not there is a new one. Raises NotFound too when the scenario gives
        the model no deploys.
        """
        slot = self._slot(model_id, now)
        if status is None:
            self._take_away(slot, now)
            return
        if not slot.scenario.deploys:
            raise NotFound(f"the scenario gives model {model_id} no deploys")
        self._put(slot, Deploy(steps=(Step(status),)), now)

    def logs(self, model_id: str, deployment_id: str, now: datetime) -> list[Logged]:
        """What that deployment has logged until now, oldest first, a millisecond apart. Raises
        NotFound too when the model never had such a deployment."""
        slot = self._slot(model_id, now)
        found: list[Logged] = []
        for running, until in self._deploys(slot, deployment_id, now):
            ended_at = self._ended_at(running)
            lines = running.deploy.log
            if running.deploy.steps[-1].status in RETRYABLE_STATUSES:
                lines += tuple(LogLine(message=text, level="ERROR") for text in slot.scenario.logs)
            times = (ended_at - _MILLISECOND * (len(lines) - at) for at in range(len(lines)))
            if ended_at <= until:
                found += (Logged(at, line) for at, line in zip(times, lines, strict=True))
        return found

    def startups(self, model_id: str, deployment_id: str, now: datetime) -> list[Startup]:
        """The starts of that deployment that have ended, oldest first. Raises NotFound too when the
        model never had such a deployment."""
        slot = self._slot(model_id, now)
        return [
            Startup(
                running.began_at,
                self._ended_at(running),
                running.deploy.fails_in or running.deploy.stalls_in,
                stalled=running.deploy.stalls_in is not None,
            )
            for running, until in self._deploys(slot, deployment_id, now)
            if self._ended_at(running) <= until and running.deploy.steps[-1].status in _STARTED
        ]

    @staticmethod
    def _deploys(slot: _Slot, deployment_id: str, now: datetime) -> list[tuple[_Running, datetime]]:
        """The deploys under that id, each with the time until which it was in the slot."""
        present = [] if slot.running is None else [(slot.running, now)]
        found = [each for each in [*slot.past, *present] if each[0].id == deployment_id]
        if not found:
            raise NotFound(f"model {slot.scenario.id} has no deployment {deployment_id}")
        return found

    def _ended_at(self, running: _Running) -> datetime:
        """When it reached, or will reach, its last status."""
        lasted = sum((step.lasts or timedelta(0) for step in running.deploy.steps), timedelta(0))
        return running.began_at + lasted / self._time_scale

    def acts(self, model_id: str, now: datetime) -> list[tuple[datetime, Act]]:
        """What the audit log has of what was done to the model so far, newest first."""
        slot, elapsed = self._slot(model_id, now), self.elapsed(now)
        done = slot.scenario.acts[: slot.acts]
        return [
            (self._started_at + act.at / self._time_scale, act)
            for act in reversed(done)
            if act.logged is not None and act.at + act.logged <= elapsed
        ]

    def elapsed(self, now: datetime) -> timedelta:
        """Scenario time since the start."""
        return (now - self._started_at) * self._time_scale

    def _slot(self, model_id: str, now: datetime) -> _Slot:
        try:
            slot = self._slots[model_id]
        except KeyError:
            raise NotFound(f"no model {model_id}") from None
        for act in slot.scenario.acts[slot.acts :]:
            at = self._started_at + act.at / self._time_scale
            if at > now:
                break
            slot.acts += 1
            self._act(slot, act.act, at)
        return slot

    def _act(self, slot: _Slot, act: ActKind, at: datetime) -> None:
        """Apply an operator's act; without effect if there was nothing to stop."""
        if act in (ActKind.PUSH, ActKind.PUSH_NEW_ID):
            deploy = slot.next_deploy()
            if act is ActKind.PUSH_NEW_ID:
                self._take_away(slot, at)
            self._put(slot, deploy, at, created_at=at)
        elif act in (ActKind.DELETE, ActKind.PROMOTE):
            self._take_away(slot, at)
        elif act is ActKind.ACTIVATE:
            if slot.running is not None:
                self._put(slot, slot.next_deploy(), at)
        elif slot.running is not None:
            self._put(slot, Deploy(steps=(Step(_STOPPED[act]),)), at)

    @staticmethod
    def _take_away(slot: _Slot, now: datetime) -> None:
        if slot.running is not None:
            slot.past.append((slot.running, now))
        slot.running = None

    @classmethod
    def _put(
        cls, slot: _Slot, deploy: Deploy, now: datetime, *, created_at: datetime | None = None
    ) -> None:
        kept = slot.running
        cls._take_away(slot, now)
        slot.running = _Running(
            id=slot.next_id() if kept is None else kept.id,
            created_at=created_at or (now if kept is None else kept.created_at),
            deploy=deploy,
            began_at=now,
        )

    def _deployment(self, slot: _Slot, now: datetime) -> Deployment | None:
        if slot.running is None:
            return None
        return Deployment(
            id=slot.running.id,
            created_at=slot.running.created_at,
            model_id=slot.scenario.id,
            status=self._status(slot.running, now),
            labels=slot.scenario.labels,
        )

    def _status(self, running: _Running, now: datetime) -> str:
        elapsed = (now - running.began_at) * self._time_scale
        for step in running.deploy.steps:
            if step.lasts is None or elapsed < step.lasts:
                break
            elapsed -= step.lasts
        return step.status
