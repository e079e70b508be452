"""The emulated workspace as the simulation uses it: deploys, operators' acts, and reads that
lag."""

from collections.abc import Callable, Mapping
from copy import copy
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from tests.simulation.scenario import Act, Fault, ModelPlan, Scenario
from watchdog.emulator.scenario import Act as EmulatorAct
from watchdog.emulator.scenario import ActBy, Deploy, ModelScenario, Step
from watchdog.emulator.scenario import ActKind as EmulatorActKind
from watchdog.emulator.scenario import Scenario as EmulatorScenario
from watchdog.emulator.values import Deployment, NotFound, RetryResult
from watchdog.emulator.workspace import Workspace


class LaggingWorkspace(Workspace):
    """Reads that show what was true some seconds ago. `shown` is what the last read showed."""

    shown: Deployment

    def __init__(
        self,
        scenario: EmulatorScenario,
        started_at: datetime,
        lag: Callable[[str], tuple[float, bool]],
        made_later: Mapping[str, timedelta],
    ) -> None:
        """`lag` returns by how many seconds a model's reads lag, and whether only the status lags.
        `made_later` returns by how many seconds the `created_at` of a retry's deployment is
        wrong."""
        self._lag = lag
        self._made_later = made_later
        self._history: dict[str, list[tuple[datetime, Any]]] = {}
        self._audit: dict[str, list[tuple[datetime, datetime, EmulatorAct]]] = {}
        super().__init__(scenario, started_at=started_at)
        self._history.clear()  # The first deployment has been in the slot from the beginning.

    def get_deployment(self, model_id: str, now: datetime, *, lag: int = 0) -> Deployment:
        truth = super().get_deployment(model_id, now, lag=lag)
        seconds, of_status_alone = self._lag(model_id)
        then = now - timedelta(seconds=seconds)
        past = [running for at, running in self._history.get(model_id, ()) if at > then]
        slot = self._slots[model_id]
        running = past[0] if past else slot.running
        self.shown = self._deployment(replace(slot, running=running), then) or truth
        if of_status_alone:
            self.shown = replace(truth, status=self.shown.status)
        return self.shown

    def retry(
        self, model_id: str, now: datetime, *, new_id: bool = False, new_created_at: bool = False
    ) -> RetryResult:
        self._remember(model_id, now)
        result = super().retry(model_id, now, new_id=new_id, new_created_at=new_created_at)
        running = self._slots[model_id].running
        if not result.retried or not new_created_at or running is None:
            return result
        running.created_at += self._made_later[model_id]
        made = replace(result.deployment, created_at=running.created_at)
        return replace(result, deployment=made)

    def push(self, model_id: str, now: datetime, *, new_id: bool = False) -> None:
        self._remember(model_id, now)
        super().push(model_id, now, new_id=new_id)

    def set_status(self, model_id: str, status: str | None, now: datetime) -> None:
        self._remember(model_id, now)
        super().set_status(model_id, status, now)

    def log(self, act: Act, now: datetime) -> None:
        """Make the audit log show a deactivation from the time at which it is logged."""
        entry = EmulatorAct.model_construct(
            at=timedelta(0), act=EmulatorActKind.DEACTIVATE, by=_DEACTIVATES[act.what]
        )
        shown = now + timedelta(seconds=act.logged or 0.0)
        self._audit.setdefault(act.model_id, []).insert(0, (now, shown, entry))

    def acts(self, model_id: str, now: datetime) -> list[tuple[datetime, EmulatorAct]]:
        entries = self._audit.get(model_id, ())
        return [(at, entry) for at, shown, entry in entries if shown <= now]

    def _remember(self, model_id: str, now: datetime) -> None:
        """Record the present state of a model before it may change."""
        running = copy(self._slots[model_id].running)
        self._history.setdefault(model_id, []).append((now, running))


_STATUSES = {
    "stop": "BUILD_STOPPED",
    "deactivate": "INACTIVE",
    "platform_deactivates": "INACTIVE",
    "fail": "BUILD_FAILED",
}
_DEACTIVATES = {"deactivate": ActBy.PERSON, "platform_deactivates": ActBy.PLATFORM}


class Slots:
    """`true_time` is the time of the present request; `deploys` counts the deploys of each model so
    far."""

    def __init__(self, scenario: Scenario, started_at: datetime) -> None:
        self.true_time = 0.0
        self.deploys = {model.id: 1 for model in scenario.models}
        self._plans = {model.id: model for model in scenario.models}
        self._lags = [f for f in scenario.faults if f.kind in ("lag", "lag_status")]
        self._deployed_at = {model.id: 0.0 for model in scenario.models}
        self.workspace = LaggingWorkspace(
            EmulatorScenario.model_construct(models=tuple(map(_model, scenario.models))),
            started_at,
            self._lag,
            {model.id: timedelta(seconds=model.made_later) for model in scenario.models},
        )

    def status(self, model_id: str, now: datetime) -> str | None:
        try:
            return self.workspace.development(model_id, now).status
        except NotFound:
            return None

    def retried(self, model_id: str, at: float) -> None:
        """A retry of the model was executed."""
        self._deployed(model_id, at)

    def act(self, act: Act, now: datetime) -> None:
        """An operator's act. An act that is impossible, such as stopping a deleted model, is left
        out."""
        if act.what in ("push", "push_new_id"):
            self.workspace.push(act.model_id, now, new_id=act.what == "push_new_id")
            self._deployed(act.model_id, act.at)
        elif self.status(act.model_id, now) is not None:
            self.workspace.set_status(act.model_id, _STATUSES.get(act.what), now)
            if act.what in _DEACTIVATES and act.logged is not None:
                self.workspace.log(act, now)
            self._deployed_at[act.model_id] = float("inf")

    def settles_at(self, model_id: str) -> float:
        """When the present deploy leaves the statuses of an attempt under way; never if an operator
        set its status."""
        at = self._deployed_at[model_id]
        deploys = self._plans[model_id].deploys
        steps = deploys[min(self.deploys[model_id], len(deploys)) - 1]
        for status, lasts in steps:
            if status not in ("BUILDING", "DEPLOYING") and not _goes_on(status, lasts):
                return at
            at += float("inf") if lasts is None else lasts
        return at

    def building(self, at: float) -> tuple[str, ...]:
        """The models whose present build will end and has not ended yet."""
        ends = {model_id: self.settles_at(model_id) for model_id in self._plans}
        return tuple(model_id for model_id, end in ends.items() if at <= end < float("inf"))

    def _deployed(self, model_id: str, at: float) -> None:
        self.deploys[model_id] += 1
        self._deployed_at[model_id] = at

    def _lag(self, model_id: str) -> tuple[float, bool]:
        lags = [
            (f.amount, f.kind == "lag_status")
            for f in self._lags
            if _applies(f, model_id, self.true_time)
        ]
        return max(lags, default=(0.0, False))


def _goes_on(status: str, lasts: float | None) -> bool:
    """Whether it is scaled to zero or is waking up before it was loaded."""
    return status in ("SCALED_TO_ZERO", "WAKING_UP") and lasts is not None


def _applies(fault: Fault, model_id: str, at: float) -> bool:
    return fault.since <= at < fault.until and fault.model_id in (None, model_id)


def _model(plan: ModelPlan) -> ModelScenario:
    deploys = tuple(
        Deploy(
            steps=tuple(
                Step(status, None if lasts is None else timedelta(seconds=lasts))
                for status, lasts in deploy
            )
        )
        for deploy in plan.deploys
    )
    return ModelScenario.model_construct(
        id=plan.id, name=plan.id, team="default", deploys=deploys, refuses=plan.refuses
    )
