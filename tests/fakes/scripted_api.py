"""A Baseten API whose models do what a test sets, in the running loop's time."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial

from watchdog.domain.causes import Startup
from watchdog.domain.discovery import ListedModel, Listing
from watchdog.domain.limits import GIVE_WAY
from watchdog.domain.records import DeploymentRef, Hold
from watchdog.engine.ports import (
    Act,
    AnswerLost,
    ApiError,
    Clock,
    Deployment,
    Held,
    NotFound,
    Post,
    RetryAnswer,
    Throttled,
)

CREATED = datetime.fromisoformat("2026-02-01T00:00:00+00:00")


@dataclass
class _Model:
    deployment: Deployment
    get_error: ApiError | None = None
    retry_error: ApiError | None = None
    refusal: str | None = None
    reason: str | None = None
    refuses_as: DeploymentRef | None = None
    on_retry: Callable[[], object] = lambda: None
    before_urgent: Callable[[], object] = lambda: None
    hangs_for: timedelta | None = None
    before_get: asyncio.Event | None = None
    before_answer: asyncio.Event | None = None


class ScriptedApi:
    """Models are ACTIVE at first. `posts` are the executed retries, `gets` the numbers of looks at
    each model. `date` is the API's own clock; if it is set, looks return its time."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._models: dict[str, _Model] = {}
        self.posts: list[tuple[str, datetime]] = []
        self.gets: Counter[str] = Counter()
        self.date: Callable[[], datetime] | None = None
        self.listing: Sequence[ListedModel] = ()
        self.unreadable = 0
        self.listings = 0
        self.before_listing: asyncio.Event | None = None
        self.list_error: ApiError | None = None
        self.logs: dict[str, Sequence[str]] = {}
        self.log_reads: list[tuple[datetime, datetime]] = []
        self.before_log: asyncio.Event | None = None
        self.starts: dict[str, Sequence[Startup]] = {}
        self.audit: dict[str, Sequence[Act]] = {}
        self.audits: Counter[str] = Counter()
        self.log_error: ApiError | None = None
        self.key_mark = "the-first-key"
        self.hold: Hold | None = None
        self.throttled_model: str | None = None
        self.hanging = 0
        self.most_hanging = 0

    def model(self, model_id: str) -> _Model:
        return self._models.setdefault(
            model_id, _Model(Deployment(DeploymentRef(f"d-{model_id}-1", CREATED), "ACTIVE"))
        )

    def set_status(self, model_id: str, status: str) -> None:
        model = self.model(model_id)
        model.deployment = replace(model.deployment, status=status)

    def opt_out(self, model_id: str, *, opted_out: bool = True) -> None:
        model = self.model(model_id)
        model.deployment = replace(model.deployment, opted_out=opted_out)

    def push(self, model_id: str, status: str) -> None:
        """An operator pushes: the deployment keeps its id, but is a new one."""
        model = self.model(model_id)
        ref = model.deployment.ref
        newer = replace(ref, created_at=ref.created_at + timedelta(days=1))
        model.deployment = Deployment(newer, status)

    def lists(self, *model_ids: str) -> None:
        """Set the models that are listed from now on, each with a development deployment."""
        self.listing = [ListedModel(each, each, "team", True) for each in model_ids]

    def delete(self, model_id: str) -> None:
        """Delete a model: neither a look nor the listing finds it any more."""
        self.model(model_id).get_error = NotFound("HTTP 404: no such model", code="404")
        self.lists("another")

    async def log_lines(
        self, model_id: str, deployment_id: str, *, since: datetime, until: datetime
    ) -> tuple[str, ...]:
        self.log_reads.append((since, until))
        if self.before_log is not None:
            await self.before_log.wait()
        if (error := self.log_error) is not None:
            raise error
        return tuple(self.logs.get(deployment_id, ()))

    async def startups(
        self, model_id: str, deployment_id: str, *, since: datetime, until: datetime
    ) -> Sequence[Startup]:
        if (error := self.log_error) is not None:
            raise error
        return self.starts.get(deployment_id, ())

    async def acts(
        self, model_id: str, deployment_ids: Collection[str], *, since: datetime
    ) -> Sequence[Act]:
        self.audits[model_id] += 1
        if (error := self.log_error) is not None:
            raise error
        return [
            act
            for act in self.audit.get(model_id, ())
            if since <= act.at and act.deployment_id in (None, *deployment_ids)
        ]

    async def list_models(self) -> Listing:
        self.listings += 1
        if self.before_listing is not None:
            await self.before_listing.wait()
        if self.list_error is not None:
            raise self.list_error
        return Listing(tuple(self.listing), self.unreadable)

    async def get_deployment(self, model_id: str, *, urgent: bool = False) -> Deployment:
        model = self.model(model_id)
        self.gets[model_id] += 1
        if urgent:
            waiting = model.before_urgent()
            if isinstance(waiting, Awaitable):
                await waiting
        if model.before_get is not None:
            await model.before_get.wait()
        if model.hangs_for is not None:
            self.hanging += 1
            self.most_hanging = max(self.hanging, self.most_hanging)
            await asyncio.sleep(model.hangs_for.total_seconds())
            self.hanging -= 1
            raise AnswerLost("no answer", code="timeout")
        if model.get_error is not None:
            raise model.get_error
        return replace(model.deployment, date=self.date and self.date())

    @asynccontextmanager
    async def retry_turn(self, model_id: str) -> AsyncIterator[Post]:
        if hold := self.retry_hold(model_id):
            raise Held("held", hold=hold)
        if isinstance(error := self.model(model_id).retry_error, Held):
            raise error
        yield partial(self._retry, model_id)

    async def _retry(self, model_id: str) -> RetryAnswer:
        model = self.model(model_id)
        self.posts.append((model_id, self._clock.now()))
        if isinstance(model.retry_error, Throttled):
            error, model.retry_error = model.retry_error, None
            self.hold, self.throttled_model = error.hold, model_id
            raise error
        if model.retry_error is not None:
            raise model.retry_error
        if model.refusal is not None:
            named = replace(model.deployment, ref=model.refuses_as or model.deployment.ref)
            return RetryAnswer(retried=False, reason=model.refusal, deployment=named)
        model.on_retry()
        if model.before_answer is not None:
            await model.before_answer.wait()
        return RetryAnswer(retried=True, reason=model.reason, deployment=model.deployment)

    def retry_hold(self, model_id: str) -> Hold | None:
        hold = self.hold
        if hold is not None and model_id == self.throttled_model:
            hold = replace(hold, until=hold.until + GIVE_WAY)
        return hold if hold is not None and hold.until > self._clock.now() else None
