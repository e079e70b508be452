"""What each operation of the API does in the workspace, and the body of its answer. No I/O."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from watchdog.emulator import bodies
from watchdog.emulator.faults import FaultKind, InjectedFaults, Operation
from watchdog.emulator.queries import Query, audit_query, log_query, startups_query
from watchdog.emulator.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Call:
    """One request. `key` is the one that the client sent, `query` the part of the URL after `?`."""

    operation: Operation
    model_id: str | None
    key: str
    deployment_id: str | None = None
    query: Query = field(default_factory=dict)


def execute(workspace: Workspace, call: Call, faults: InjectedFaults, now: datetime) -> bodies.Body:
    """Raises NotFound and InvalidQuery."""
    return _OPERATIONS[call.operation](workspace, call, faults, now)


def _list_models(workspace: Workspace, call: Call, _: InjectedFaults, now: datetime) -> bodies.Body:
    names = call.query.get("name")
    return bodies.models([m for m in workspace.models(now) if names is None or m.name in names])


def _get_model(workspace: Workspace, call: Call, _: InjectedFaults, now: datetime) -> bodies.Body:
    return bodies.model(workspace.model(call.model_id or "", now))


def _list_deployments(
    workspace: Workspace, call: Call, _: InjectedFaults, now: datetime
) -> bodies.Body:
    return bodies.deployments(workspace.model(call.model_id or "", now))


def _get_deployment(
    workspace: Workspace, call: Call, faults: InjectedFaults, now: datetime
) -> bodies.Body:
    lagging = faults.beside_of(FaultKind.LAGGING)
    lag = 0 if lagging is None else lagging.reads
    return bodies.deployment(workspace.get_deployment(call.model_id or "", now, lag=lag))


def _retry(workspace: Workspace, call: Call, faults: InjectedFaults, now: datetime) -> bodies.Body:
    result = workspace.retry(
        call.model_id or "",
        now,
        new_id=faults.beside_of(FaultKind.NEW_ID) is not None,
        new_created_at=faults.beside_of(FaultKind.NEW_CREATED_AT) is not None,
    )
    return bodies.retry(result)


def _get_logs(workspace: Workspace, call: Call, _: InjectedFaults, now: datetime) -> bodies.Body:
    wanted = log_query(call.query, now)
    lines = workspace.logs(call.model_id or "", call.deployment_id or "", now)
    return bodies.logs(wanted.select(lines))


def _list_startups(
    workspace: Workspace, call: Call, _: InjectedFaults, now: datetime
) -> bodies.Body:
    wanted = startups_query(call.query)
    model_id, deployment_id = call.model_id or "", call.deployment_id or ""
    found = workspace.startups(model_id, deployment_id, now)
    return bodies.startups(model_id, deployment_id, wanted.select(found), len(found))


def _list_audit_logs(
    workspace: Workspace, call: Call, _: InjectedFaults, now: datetime
) -> bodies.Body:
    model, wanted = workspace.model(call.model_id or "", now), audit_query(call.query)
    page, cursor = wanted.select(workspace.audit(model.id, now))
    return bodies.audit_logs(model, page, call.key, cursor)


_OPERATIONS: dict[Operation, Callable[[Workspace, Call, InjectedFaults, datetime], bodies.Body]] = {
    Operation.LIST_MODELS: _list_models,
    Operation.GET_MODEL: _get_model,
    Operation.LIST_DEPLOYMENTS: _list_deployments,
    Operation.GET_DEPLOYMENT: _get_deployment,
    Operation.RETRY: _retry,
    Operation.GET_LOGS: _get_logs,
    Operation.LIST_AUDIT_LOGS: _list_audit_logs,
    Operation.LIST_STARTUPS: _list_startups,
}
