"""The JSON bodies of the API. They contain every documented field, used here or not."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from watchdog.emulator.scenario import ActBy, ActKind, Phase
from watchdog.emulator.values import (
    Audited,
    Deployment,
    Logged,
    Model,
    RequestRecord,
    RetryResult,
    Startup,
)

Body = dict[str, Any]

_INSTANCE_TYPE = "L4:4x16"

_DEPLOYED = frozenset({"ACTIVE", "SCALED_TO_ZERO", "UNHEALTHY", "UPDATING", "WAKING_UP"})
"""Only a deployment that has finished deploying has autoscaling settings."""

_SERVING = frozenset({"ACTIVE", "UNHEALTHY", "UPDATING"})


def models(items: list[Model]) -> Body:
    return {"models": [model(item) for item in items]}


def model(item: Model) -> Body:
    return {
        "id": item.id,
        "created_at": _time(item.created_at),
        "name": item.name,
        "deployments_count": 0 if item.development is None else 1,
        "production_deployment_id": None,
        "development_deployment_id": None if item.development is None else item.development.id,
        "instance_type_name": _INSTANCE_TYPE,
        "team_name": item.team,
    }


def deployments(item: Model) -> Body:
    found = [] if item.development is None else [item.development]
    return {"deployments": [deployment(each) for each in found]}


def deployment(item: Deployment) -> Body:
    return {
        "id": item.id,
        "created_at": _time(item.created_at),
        "name": "development",
        "model_id": item.model_id,
        "is_production": False,
        "is_development": True,
        "status": item.status,
        "active_replica_count": 1 if item.status in _SERVING else 0,
        "autoscaling_settings": _AUTOSCALING if item.status in _DEPLOYED else None,
        "instance_type_name": _INSTANCE_TYPE,
        "environment": None,
        "labels": item.labels,
        "region": None,
        "request_backpressure_settings": {"policy": None},
    }


def retry(item: RetryResult) -> Body:
    return {
        "retried": item.retried,
        "reason": item.reason,
        "deployment": deployment(item.deployment),
    }


def logs(lines: Sequence[Logged]) -> Body:
    return {
        "logs": [
            {
                "timestamp": str(int(each.at.timestamp() * 1e9)),
                "message": each.line.message,
                "replica": None,
                "request_id": None,
                "level": each.line.level,
            }
            for each in lines
        ]
    }


def startups(model_id: str, deployment_id: str, found: Sequence[Startup], total: int) -> Body:
    items = [
        {
            "model_id": model_id,
            "deployment_id": deployment_id,
            "deployment_name": "development",
            "environment_name": None,
            "replica_id": "r0001",
            "started_at_epoch_millis": _millis(each.started_at),
            "ready_at_epoch_millis": None if each.phase else _millis(each.ended_at),
            "duration_ms": _millis(each.ended_at) - _millis(each.started_at),
            "outcome": "STALLED" if each.stalled else "FAILED" if each.phase else "SUCCESS",
            "phase_summary": _phases(each),
        }
        for each in found
    ]
    return {
        "items": items,
        "pagination": {"has_more": len(items) < total, "cursor": None},
        "total_count": total,
    }


def _phases(startup: Startup) -> list[Body]:
    """The phases up to the one that failed. A phase that stalled has no end."""
    phases = list(Phase)
    last = startup.phase or phases[-1]
    reached = phases[: phases.index(last) + 1]
    each = (_millis(startup.ended_at) - _millis(startup.started_at)) // len(reached)
    return [
        {
            "phase": phase.value,
            "status": "FAILED" if phase is startup.phase else "COMPLETED",
            "offset_ms": number * each,
            "duration_ms": None if startup.stalled and phase is startup.phase else each,
        }
        for number, phase in enumerate(reached)
    ]


def audit_logs(item: Model, entries: Sequence[Audited], key: str, cursor: str | None) -> Body:
    """`key` is the key of the workspace, with which every retry is requested."""
    return {
        "items": [_audit_entry(item, each, key) for each in entries],
        "pagination": {"has_more": cursor is not None, "cursor": cursor},
    }


def _audit_entry(item: Model, entry: Audited, key: str) -> Body:
    act = entry.act
    event = "MODEL_DEPLOYMENT_RETRIED" if act is None else _EVENTS[act.act]
    if act is None:
        source, actor = "API", {"type": "API_KEY", "email": None, **_key_of_actor(key)}
    elif act.by is ActBy.PLATFORM:
        source, actor = "SYSTEM", {"type": "BASETEN_SYSTEM", "email": None, **_key_of_actor(None)}
    else:
        source, actor = "UI", {"type": "USER", "email": act.who, **_key_of_actor(None)}
    return {
        "id": f"{item.id}-{_millis(entry.at)}-{event}",
        "created": _time(entry.at),
        "event_type": event,
        "event_data": {
            "event_type": event,
            "model_id": item.id,
            "model_name": item.name,
            "deployment_id": entry.deployment_id,
            "deployment_name": "development",
            **({"retried": entry.retried} if act is None else _EVENT_DATA.get(event, {})),
        },
        "source": source,
        "client_name": None,
        "client_version": None,
        "client_session_id": None,
        "actor": actor,
    }


def _key_of_actor(key: str | None) -> Body:
    """The API shows the first characters of a key, and the name that it was given."""
    if key is None:
        return {"api_key_prefix": None, "api_key_name": None}
    return {"api_key_prefix": key[: min(_PREFIX, len(key) // 2)], "api_key_name": "watchdog"}


_PREFIX = 8


def error(code: str, message: str) -> Body:
    return {"code": code, "message": message}


def request(item: RequestRecord) -> Body:
    """A line of the emulator's own request log."""
    return {
        "at": _time(item.at),
        "method": item.method,
        "path": item.path,
        "operation": item.operation,
        "model_id": item.model_id,
        "code": item.code,
        "status": item.status,
        "status_after": item.status_after,
        "deployment_id": item.deployment and item.deployment.id,
        "deployment_created_at": item.deployment and _time(item.deployment.created_at),
        "executed": item.executed,
        "retried": item.retried,
        "faults": item.faults,
        "client": item.client,
    }


_EVENTS = {
    ActKind.PUSH: "MODEL_DEPLOYED",
    ActKind.PUSH_NEW_ID: "MODEL_DEPLOYED",
    ActKind.STOP: "MODEL_DEPLOYMENT_DEACTIVATED",
    ActKind.DEACTIVATE: "MODEL_DEPLOYMENT_DEACTIVATED",
    ActKind.ACTIVATE: "MODEL_DEPLOYMENT_ACTIVATED",
    ActKind.PROMOTE: "MODEL_DEPLOYMENT_PROMOTED",
    ActKind.DELETE: "MODEL_DEPLOYMENT_DELETED",
}

_EVENT_DATA: dict[str, Body] = {
    "MODEL_DEPLOYED": {
        "scale_previous_to_zero": False,
        "trusted": False,
        "publish": False,
        "environment_name": None,
    },
    "MODEL_DEPLOYMENT_PROMOTED": {"environment_name": "production", "environment_id": None},
}
"""The fields that only entries of this type have."""

_AUTOSCALING = {
    "min_replica": 0,
    "max_replica": 1,
    "autoscaling_window": 60,
    "scale_down_delay": 900,
    "concurrency_target": 1,
    "target_utilization_percentage": 70,
    "target_in_flight_tokens": None,
    "max_scale_down_rate": None,
}


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _millis(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
