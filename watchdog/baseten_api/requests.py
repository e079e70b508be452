"""The requests to the API, each with the type of the body of its 2xx answer."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Generic
from urllib.parse import quote, urlencode

from watchdog.baseten_api.answers import Body
from watchdog.baseten_api.bodies import (
    AnyBody,
    AuditBody,
    DeploymentBody,
    LogsBody,
    ModelsBody,
    RetryBody,
    StartupsBody,
)
from watchdog.text.log import LAST_LINES

GET_DEPLOYMENT = "get_deployment"
RETRY = "retry"
LIST_MODELS = "list_models"
GET_LOGS = "get_logs"
LIST_STARTUPS = "list_startups"
LIST_AUDIT_LOGS = "list_audit_logs"

_OPTIONAL = frozenset({GET_LOGS, LIST_STARTUPS, LIST_AUDIT_LOGS})
"""Requests whose answers the engine can do without. They take no place of a check, each has a
connection of its own, and their answers decide nothing about the key."""

_STARTUPS = 10
"""The last start says why; the earlier ones show that it was tried again."""

_AUDIT_ENTRIES = 200
"""The most that the API returns in one answer; without a limit it returns 20."""

_AUDIT_GROUPS = ("DEPLOYED", "PROMOTED", "ACTIVATED_DEACTIVATED", "DELETED")
"""The audited operations that may change which deployment is in the slot, or whether it runs."""

_BODY_MOST_BYTES = 1_000_000
"""In bytes. A deployment has a few kilobytes. A larger body is not read to its end and does not
parse."""

_LOGS_MOST_BYTES = 5_000_000
"""In bytes, for `LAST_LINES` lines: some tools write ten kilobytes in a line."""

_LIST_MOST_BYTES = 20_000_000
"""In bytes, for the list of all models: some hundred bytes for each of ten thousand, with a
reserve."""


@dataclass(frozen=True, slots=True)
class ApiRequest(Generic[Body]):
    operation: str
    method: str
    path: str
    body: type[Body]
    model_id: str | None = None
    most_bytes: int = _BODY_MOST_BYTES

    @property
    def optional(self) -> bool:
        return self.operation in _OPTIONAL

    @property
    def decides_about_key(self) -> bool:
        """Whether a refusal of this request means that the key is refused. For a list of models it
        does not: the list is requested after another request, and that one decides."""
        return self.operation != LIST_MODELS and not self.optional


def get_deployment(model_id: str) -> ApiRequest[DeploymentBody]:
    return ApiRequest(GET_DEPLOYMENT, "GET", _development(model_id), DeploymentBody, model_id)


def retry(model_id: str) -> ApiRequest[RetryBody]:
    return ApiRequest(RETRY, "POST", f"{_development(model_id)}/retry", RetryBody, model_id)


def list_models() -> ApiRequest[ModelsBody]:
    return ApiRequest(LIST_MODELS, "GET", "/v1/models", ModelsBody, most_bytes=_LIST_MOST_BYTES)


def try_to_list_models() -> ApiRequest[AnyBody]:
    """A request that only tests whether the key may list the models."""
    return ApiRequest(LIST_MODELS, "GET", "/v1/models", AnyBody)


def get_logs(
    model_id: str, deployment_id: str, *, since: datetime, until: datetime
) -> ApiRequest[LogsBody]:
    """The last lines of any level: a filter by level drops the lines that have none, and many lines
    of a build have none."""
    query = _span(since, until) | {"direction": "desc", "limit": LAST_LINES}
    path = f"{_model(model_id)}/deployments/{_quoted(deployment_id)}/logs?{urlencode(query)}"
    return ApiRequest(GET_LOGS, "GET", path, LogsBody, model_id, _LOGS_MOST_BYTES)


def list_startups(
    model_id: str, deployment_id: str, *, since: datetime, until: datetime
) -> ApiRequest[StartupsBody]:
    query = _span(since, until) | {"direction": "desc", "limit": _STARTUPS}
    path = f"{_model(model_id)}/deployments/{_quoted(deployment_id)}/startups?{urlencode(query)}"
    return ApiRequest(LIST_STARTUPS, "GET", path, StartupsBody, model_id)


def list_audit_logs(
    model_id: str, deployment_ids: Collection[str], *, since: datetime
) -> ApiRequest[AuditBody]:
    """The newest first. It sets no end, because the API's clock may be ahead of ours."""
    query = {
        "start_epoch_millis": _millis(since),
        "limit": _AUDIT_ENTRIES,
        "deployment_ids": list(deployment_ids),
        "event_type_groups": _AUDIT_GROUPS,
    }
    path = f"{_model(model_id)}/audit_logs?{urlencode(query, doseq=True)}"
    return ApiRequest(LIST_AUDIT_LOGS, "GET", path, AuditBody, model_id)


def _model(model_id: str) -> str:
    return f"/v1/models/{_quoted(model_id)}"


def _development(model_id: str) -> str:
    return f"{_model(model_id)}/deployments/development"


def _quoted(part: str) -> str:
    """The id as one part of a path: no id, not even `..`, can lead out of it."""
    return quote(part, safe="").replace(".", "%2E")


def _span(since: datetime, until: datetime) -> dict[str, object]:
    return {"start_epoch_millis": _millis(since), "end_epoch_millis": _millis(until)}


def _millis(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
