"""Baseten's management API: its answers, its errors, and what the engine asks of it."""

from collections.abc import Awaitable, Callable, Collection, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from watchdog.domain.discovery import Listing
from watchdog.domain.records import Actor, DeploymentRef, Hold, Observation


@dataclass(frozen=True, slots=True)
class Deployment:
    """What the API says about a development deployment. `opted_out` as in an observation. `date` is
    the answer's `Date`, if it had one."""

    ref: DeploymentRef
    status: str
    opted_out: bool = False
    date: datetime | None = None

    def observed(self, at: datetime) -> Observation:
        return Observation(self.status, self.ref, at, self.opted_out)


@dataclass(frozen=True, slots=True)
class Act:
    """An entry of the audit log about something that was done. `event` is the API's own word;
    `own`: with the key in use. `deployment_id` is which deployment of the model it is about, where
    it says so. `by` is None where the log does not say whether it was a person."""

    at: datetime
    event: str
    actor: str
    own: bool
    deployment_id: str | None = None
    by: Actor | None = Actor.PERSON


@dataclass(frozen=True, slots=True)
class RetryAnswer:
    """A strictly valid 2xx answer to the retry POST. `reason` is free text: untrusted."""

    retried: bool
    reason: str | None
    deployment: Deployment


class ApiError(Exception):
    """The API did not give a usable answer.

    `code` is a label of few values: the HTTP status, or `timeout`, `connect`, `invalid_body`,
    `held`. The text is one line for people, free of the key and of control characters.
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
    """401 or 403: the key is refused, and the request was not executed. A person must fix the key
    or its role."""


class Forbidden(ApiError):
    """403 while the key is accepted for other requests: it may not do this one, which was not
    executed."""


class NotFound(ApiError):
    """404: there is no such model, or it has no development deployment. One answer alone proves
    neither, because a load balancer in front of the API may answer every request so."""


class Throttled(ApiError):
    """429: not executed. The gate now holds the operation until `hold.until`."""

    def __init__(self, message: str, *, hold: Hold) -> None:
        super().__init__(message, code="429")
        self.hold = hold


class Rejected(ApiError):
    """Any other 4xx: the request was rejected, and would be again."""


class AnswerLost(ApiError):
    """5xx, a time-out, a broken connection or an unusable body: the request may have been
    executed."""


Post = Callable[[], Awaitable[RetryAnswer]]
"""Sends a retry, once. Raises `ApiError` and nothing else."""


class BasetenApi(Protocol):
    """The management API. A method without an answer raises `ApiError` and nothing else."""

    @property
    def key_mark(self) -> str:
        """A short text that differs between keys and reveals nothing of them."""

    async def get_deployment(self, model_id: str, *, urgent: bool = False) -> Deployment:
        """Read the development deployment. `urgent` goes before the waiting checks."""

    async def error_lines(
        self, model_id: str, deployment_id: str, *, since: datetime, until: datetime
    ) -> Sequence[str]:
        """The last lines of errors in a deployment's logs, or its last ones of any kind where none
        is marked as such. Without control characters and the key; untrusted all the same."""

    async def acts(
        self, model_id: str, deployment_ids: Collection[str], *, since: datetime
    ) -> Sequence[Act]:
        """What was done to these deployments of a model since then, by its audit log: what deploys,
        retries, activates, deactivates, promotes or deletes. A retry that was refused did nothing.
        """

    async def list_models(self) -> Listing:
        """Every model that the key may see."""

    def retry_turn(self, model_id: str) -> AbstractAsyncContextManager[Post]:
        """Wait for a turn to retry the model, and hold it. The caller does its last checks inside,
        and then calls what this returns to send the POST. The POST opens a new connection and is
        never repeated. If it is not called, nothing is sent. Raises Held when the API holds the
        operation."""

    def retry_hold(self, model_id: str) -> Hold | None:
        """Why a retry of the model could not be sent now, if so. One that was answered 429 waits
        `GIVE_WAY` longer than the others."""


@dataclass(frozen=True, slots=True)
class Access:
    """What the API says of retrying a model now: the hold, if there is one, and which key is in
    use."""

    hold: Hold | None
    key_mark: str
