"""Baseten's management API: its answers, its errors, and the requests that the engine makes."""

from collections.abc import Awaitable, Callable, Collection, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from watchdog.domain.causes import Startup
from watchdog.domain.discovery import Listing
from watchdog.domain.records import Actor, DeploymentRef, Hold, Observation


@dataclass(frozen=True, slots=True)
class Deployment:
    """What the API says about a development deployment. `opted_out` is as in an observation. `date`
    is the answer's `Date` header, if it had one."""

    ref: DeploymentRef
    status: str
    opted_out: bool = False
    date: datetime | None = None

    def observed(self, at: datetime) -> Observation:
        return Observation(self.status, self.ref, at, self.opted_out)


class ActEvent(StrEnum):
    """What may be done to a deployment, in the words of the API's audit log."""

    PUSHED = "MODEL_DEPLOYED"
    PROMOTED = "MODEL_DEPLOYMENT_PROMOTED"
    RETRIED = "MODEL_DEPLOYMENT_RETRIED"
    ACTIVATED = "MODEL_DEPLOYMENT_ACTIVATED"
    DEACTIVATED = "MODEL_DEPLOYMENT_DEACTIVATED"
    DELETED = "MODEL_DEPLOYMENT_DELETED"


@dataclass(frozen=True, slots=True)
class Act:
    """An entry of the audit log about something that was done. `event` is the API's word for it,
    which may be none of `ActEvent`.
    `own`: it was done with the key in use. `deployment_id` is the deployment of the model that the
    entry is about, if it says so. `by` is None if the log does not say whether it was a person."""

    at: datetime
    event: str
    actor: str
    own: bool
    deployment_id: str | None = None
    by: Actor | None = Actor.PERSON


@dataclass(frozen=True, slots=True)
class RetryAnswer:
    """A 2xx answer to the retry POST whose body is strictly valid. `reason` is free text, which is
    untrusted."""

    retried: bool
    reason: str | None
    deployment: Deployment


class ApiError(Exception):
    """The API did not give a usable answer.

    `code` is a label with few values: the HTTP status, or `timeout`, `connect`, `invalid_body`,
    `held`. The message is one line for operators, without the key and without control characters.
    """

    def __init__(self, message: str, *, code: str) -> None:
        super().__init__(message)
        self.code = code


class NotSent(ApiError):
    """Not executed: no connection was made. Try again later."""


class Held(NotSent):
    """Not sent: the API holds the operation. Try again after `hold.until`."""

    def __init__(self, message: str, *, hold: Hold) -> None:
        super().__init__(message, code="held")
        self.hold = hold


class Denied(ApiError):
    """401 or 403: the key is refused, and the request was not executed. An operator must fix the
    key or its role."""


class Forbidden(ApiError):
    """403 while the key is accepted for other requests: it may not do this one, which was not
    executed."""


class NotFound(ApiError):
    """404: there is no such model, or it has no development deployment. One answer alone proves
    neither, because a load balancer in front of the API may give this answer to every request."""


class Throttled(ApiError):
    """429: not executed. The gate now holds the operation until `hold.until`."""

    def __init__(self, message: str, *, hold: Hold) -> None:
        super().__init__(message, code="429")
        self.hold = hold


class Rejected(ApiError):
    """Any other 4xx: the request was rejected, and would be rejected again."""


class AnswerLost(ApiError):
    """No usable answer: 3xx, 5xx, a time-out, a broken connection, an unusable body, or a 404 that
    no listing confirmed. The request may have been executed."""


Post = Callable[[], Awaitable[RetryAnswer]]
"""Sends a retry, once. Raises `ApiError` and nothing else."""


class BasetenApi(Protocol):
    """The management API. A method that gets no usable answer raises `ApiError` and nothing
    else."""

    @property
    def key_mark(self) -> str:
        """A short text that is different for each key and reveals nothing about the key."""

    async def get_deployment(self, model_id: str, *, urgent: bool = False) -> Deployment:
        """Read the development deployment. An `urgent` request is sent before the checks that
        wait."""

    async def log_lines(
        self, model_id: str, deployment_id: str, *, since: datetime, until: datetime
    ) -> tuple[str, ...]:
        """The last lines of a deployment's log, oldest first. They contain neither control
        characters nor the key; they are still untrusted."""

    async def startups(
        self, model_id: str, deployment_id: str, *, since: datetime, until: datetime
    ) -> Sequence[Startup]:
        """The phases of a deployment's starts, oldest first."""

    async def acts(
        self, model_id: str, deployment_ids: Collection[str], *, since: datetime
    ) -> Sequence[Act]:
        """The entries of a model's audit log since then about these deployments: pushes, retries,
        activations, deactivations, promotions and deletions. A refused retry is left out, because
        it did nothing."""

    async def list_models(self) -> Listing:
        """Every model that the key may see."""

    def retry_turn(self, model_id: str) -> AbstractAsyncContextManager[Post]:
        """Wait for a turn to retry the model, and keep it during the `with` block. In the block the
        caller makes its last checks, and then calls the returned function to send the POST. The
        POST opens a new connection and is never repeated. If the function is not called, nothing is
        sent. Raises Held when the API holds the operation."""

    def retry_hold(self, model_id: str) -> Hold | None:
        """The hold that prevents a retry of the model now, if there is one. The model that got the
        429 waits `GIVE_WAY` longer than the others."""


@dataclass(frozen=True, slots=True)
class Access:
    """Whether the API can be called to retry a model now: the hold, if there is one, and the mark
    of the key in use."""

    hold: Hold | None
    key_mark: str
