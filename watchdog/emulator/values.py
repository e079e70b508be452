"""What the emulated workspace returns: values of one moment."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from watchdog.emulator.scenario import Act, LogLine, Phase


class NotFound(LookupError):
    """No such model, or it has no development deployment."""


@dataclass(frozen=True, slots=True)
class Deployment:
    """The development deployment of a model, as it stands at one moment."""

    id: str
    created_at: datetime
    model_id: str
    status: str
    labels: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Model:
    """A model, as it stands at one moment."""

    id: str
    created_at: datetime
    name: str
    team: str
    development: Deployment | None


@dataclass(frozen=True, slots=True)
class RetryResult:
    """The result of a request for a retry. `reason` is set when it was refused."""

    retried: bool
    reason: str | None
    deployment: Deployment


@dataclass(frozen=True, slots=True)
class RequestRecord:
    """A request that was answered with `code`; None: it got no answer.

    `operation` is None when there is no such operation. `status` and `status_after` are the true
    ones of the model's development deployment before and after the request, whatever the answer
    said; `deployment` is that deployment afterwards. `executed`: it got as far as the workspace.
    `retried` is the word of an answer to a retry. `client` is who asked, as `host:port`.
    """

    at: datetime
    method: str
    path: str
    operation: str | None
    model_id: str | None
    code: int | None
    status: str | None = None
    status_after: str | None = None
    deployment: Deployment | None = None
    executed: bool = False
    retried: bool | None = None
    faults: tuple[str, ...] = ()
    client: str | None = None


@dataclass(frozen=True, slots=True)
class Audited:
    """An entry of the audit log: what was done to a deployment, and since when the log has it.
    `act` None: a retry was requested over the API, and `retried` or not."""

    at: datetime
    logged_at: datetime
    deployment_id: str
    act: Act | None = None
    retried: bool = False


@dataclass(frozen=True, slots=True)
class Logged:
    """A line of a deployment's log."""

    at: datetime
    line: LogLine


@dataclass(frozen=True, slots=True)
class Startup:
    """A start of a deployment that ended, and in which phase if it did not succeed."""

    started_at: datetime
    ended_at: datetime
    phase: Phase | None
    stalled: bool
