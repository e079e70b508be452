"""The emulated workspace: what its models are doing at a given moment. No input or output."""

from collections import deque
from dataclasses import replace
from datetime import datetime, timedelta

from watchdog.emulator.scenario import (
    Act,
    ActKind,
    Deploy,
    LogLine,
    Scenario,
    Step,
)
from watchdog.emulator.slot import Running, Slot
from watchdog.emulator.values import (
    Audited,
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
        self._slots = {model.id: Slot(model) for model in scenario.models}
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
        """Raises NotFound also when the model has no development deployment."""
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
        """Request a retry. It is executed if the deployment failed and the scenario does not refuse
        it. The slot keeps its deployment's identity unless an argument says otherwise. Raises
        NotFound also when the model has no development deployment."""
        deployment = self.development(model_id, now)
        slot = self._slot(model_id, now)
        reason = slot.scenario.refuses
        if deployment.status not in RETRYABLE_STATUSES:
            reason = f"Only a failed deployment can be retried; this one is {deployment.status}."
        slot.audit.append(Audited(now, now, deployment.id, retried=reason is None))
        if reason is not None:
            return RetryResult(retried=False, reason=reason, deployment=deployment)
        deploy, created_at = slot.next_deploy(), now if new_created_at else deployment.created_at
        if new_id:
            slot.take_away(now)
        slot.put(deploy, now, created_at=created_at)
        return RetryResult(retried=True, reason=None, deployment=self.development(model_id, now))

    def push(self, model_id: str, now: datetime, *, new_id: bool = False) -> None:
        """Deploy again, as an operator's push does. The slot keeps its deployment's id unless an
        argument says otherwise. Raises NotFound also when the scenario gives the model no
        deploys."""
        slot = self._slot(model_id, now)
        deploy = slot.next_deploy()
        if new_id:
            slot.take_away(now)
        slot.put(deploy, now, created_at=now)

    def set_status(self, model_id: str, status: str | None, now: datetime) -> None:
        """Set the deployment's status until the next push or retry; None removes the deployment. If
        there was no deployment, a new one is made. Raises NotFound also when the scenario gives the
        model no deploys."""
        slot = self._slot(model_id, now)
        if status is None:
            slot.take_away(now)
            return
        if not slot.scenario.deploys:
            raise NotFound(f"the scenario gives model {model_id} no deploys")
        slot.put(Deploy(steps=(Step(status),)), now)

    def logs(self, model_id: str, deployment_id: str, now: datetime) -> list[Logged]:
        """The lines that this deployment has logged until now, oldest first, a millisecond apart if
        the build took long enough. Raises NotFound also when the model never had such a
        deployment."""
        slot = self._slot(model_id, now)
        found: list[Logged] = []
        for running, until in slot.deploys_of(deployment_id, now):
            ended_at = self._ended_at(running)
            lines = running.deploy.log
            if running.deploy.steps[-1].status in RETRYABLE_STATUSES:
                lines += tuple(LogLine(message=text, level="ERROR") for text in slot.scenario.logs)
            times = (
                max(running.began_at, ended_at - _MILLISECOND * (len(lines) - at))
                for at in range(len(lines))
            )
            if ended_at <= until:
                found += (Logged(at, line) for at, line in zip(times, lines, strict=True))
        return found

    def startups(self, model_id: str, deployment_id: str, now: datetime) -> list[Startup]:
        """The starts of this deployment that have ended, oldest first. Raises NotFound also when
        the model never had such a deployment."""
        slot = self._slot(model_id, now)
        return [
            Startup(
                running.began_at,
                self._ended_at(running),
                running.deploy.fails_in or running.deploy.stalls_in,
                stalled=running.deploy.stalls_in is not None,
            )
            for running, until in slot.deploys_of(deployment_id, now)
            if self._ended_at(running) <= until and running.deploy.steps[-1].status in _STARTED
        ]

    def _ended_at(self, running: Running) -> datetime:
        """When it reached, or will reach, its last status."""
        lasted = sum((step.lasts or timedelta(0) for step in running.deploy.steps), timedelta(0))
        return running.began_at + lasted / self._time_scale

    def audit(self, model_id: str, now: datetime) -> list[Audited]:
        """The entries of the audit log about the model so far, oldest first."""
        return [each for each in self._slot(model_id, now).audit if each.logged_at <= now]

    def elapsed(self, now: datetime) -> timedelta:
        """Scenario time since the start."""
        return (now - self._started_at) * self._time_scale

    def _slot(self, model_id: str, now: datetime) -> Slot:
        try:
            slot = self._slots[model_id]
        except KeyError:
            raise NotFound(f"no model {model_id}") from None
        for act in slot.scenario.acts[slot.acts :]:
            at = self._started_at + act.at / self._time_scale
            if at > now:
                break
            slot.acts += 1
            self._act(slot, act, at)
        return slot

    def _act(self, slot: Slot, act: Act, at: datetime) -> None:
        """Apply an act of an operator or of the platform, and note it in the audit log. On an empty
        slot only a push has an effect."""
        held = slot.running
        if act.act in (ActKind.PUSH, ActKind.PUSH_NEW_ID):
            deploy = slot.next_deploy()
            if act.act is ActKind.PUSH_NEW_ID:
                slot.take_away(at)
            slot.put(deploy, at, created_at=at)
            held = slot.running
        elif held is None:
            return
        elif act.act in (ActKind.DELETE, ActKind.PROMOTE):
            slot.take_away(at)
        elif act.act is ActKind.ACTIVATE:
            slot.put(slot.next_deploy(), at)
        else:
            slot.put(Deploy(steps=(Step(_STOPPED[act.act]),)), at)
        if held is not None and act.logged is not None:
            slot.audit.append(Audited(at, at + act.logged / self._time_scale, held.id, act))

    def _deployment(self, slot: Slot, now: datetime) -> Deployment | None:
        if slot.running is None:
            return None
        return Deployment(
            id=slot.running.id,
            created_at=slot.running.created_at,
            model_id=slot.scenario.id,
            status=self._status(slot.running, now),
            labels=slot.scenario.labels,
        )

    def _status(self, running: Running, now: datetime) -> str:
        elapsed = (now - running.began_at) * self._time_scale
        for step in running.deploy.steps:
            if step.lasts is None or elapsed < step.lasts:
                break
            elapsed -= step.lasts
        return step.status
