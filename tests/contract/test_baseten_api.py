"""The contract of the management API's port, which the real client and the fake of the tests
keep."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from tests.fakes.baseten_http import ManualClock, Setup, running
from tests.fakes.http_server import Reply, Request
from tests.fakes.retrying import retry
from tests.fakes.scripted_api import ScriptedApi
from watchdog.baseten_api import KeySource
from watchdog.domain.discovery import ListedModel, Listing
from watchdog.domain.limits import GIVE_WAY
from watchdog.domain.records import DecisionReason, DeploymentRef, Hold
from watchdog.engine.ports import (
    AnswerLost,
    ApiError,
    BasetenApi,
    Deployment,
    Forbidden,
    Held,
    NotFound,
    Rejected,
    Throttled,
)

CREATED = datetime(2026, 2, 1, tzinfo=UTC)

ERRORS = [
    pytest.param(NotFound, 404, id="not_found"),
    pytest.param(Forbidden, 403, id="forbidden"),
    pytest.param(Rejected, 409, id="rejected"),
    pytest.param(AnswerLost, 503, id="answer_lost"),
]


class Subject(ABC):
    """An implementation of the port, and control of the API behind it. Models are ACTIVE at
    first."""

    api: BasetenApi
    clock: ManualClock

    @abstractmethod
    def set_status(self, model_id: str, status: str) -> None: ...

    @abstractmethod
    def refuse(self, model_id: str, reason: str) -> None: ...

    @abstractmethod
    def fail_get(self, model_id: str, kind: type[ApiError], status: int) -> None: ...

    @abstractmethod
    def fail_retry(self, model_id: str, kind: type[ApiError], status: int) -> None: ...

    @abstractmethod
    def throttle_retry(self, model_id: str, span: timedelta) -> None:
        """Answer the next retry with a 429."""

    @abstractmethod
    def block_get(self, model_id: str) -> asyncio.Event:
        """Answer looks at the model only after the event is set."""

    @abstractmethod
    async def looked(self) -> None:
        """Wait until the first look has arrived."""

    @abstractmethod
    def list_models(self, *models: ListedModel) -> None:
        """Set the models that exist from now on."""

    @abstractmethod
    async def change_key(self) -> None: ...

    @abstractmethod
    def tell_date(self, model_id: str, date: datetime) -> None:
        """Set the `Date` of the looks at the model from now on."""

    @abstractmethod
    def posts(self) -> list[str]:
        """The models of the retries that arrived."""


class Scripted(Subject):
    def __init__(self) -> None:
        self.clock = ManualClock()
        self.api = self._api = ScriptedApi(self.clock)

    def set_status(self, model_id: str, status: str) -> None:
        self._api.set_status(model_id, status)

    def refuse(self, model_id: str, reason: str) -> None:
        self._api.model(model_id).refusal = reason

    def fail_get(self, model_id: str, kind: type[ApiError], status: int) -> None:
        self._api.model(model_id).get_error = kind("scripted", code=str(status))

    def fail_retry(self, model_id: str, kind: type[ApiError], status: int) -> None:
        self._api.model(model_id).retry_error = kind("scripted", code=str(status))

    def throttle_retry(self, model_id: str, span: timedelta) -> None:
        hold = Hold(DecisionReason.API_HELD, self.clock.now() + span)
        self._api.model(model_id).retry_error = Throttled("scripted", hold=hold)

    def block_get(self, model_id: str) -> asyncio.Event:
        event = self._api.model(model_id).before_get = asyncio.Event()
        return event

    async def looked(self) -> None:
        await asyncio.sleep(0)  # the wait only needs to have begun
        assert self._api.gets.total() == 1

    def list_models(self, *models: ListedModel) -> None:
        self._api.listing = models

    async def change_key(self) -> None:
        self._api.key_mark = "the-second-key"

    def tell_date(self, model_id: str, date: datetime) -> None:
        self._api.date = lambda: date

    def posts(self) -> list[str]:
        return [model_id for model_id, _ in self._api.posts]


class Http(Subject):
    def __init__(self, setup: Setup) -> None:
        self.api, self.clock, self._setup = setup.api, setup.clock, setup
        for model_id in ("m1", "m2"):
            self.set_status(model_id, "ACTIVE")

    def set_status(self, model_id: str, status: str) -> None:
        deployment = self._body(model_id, status)
        self._setup.baseten.always(self._get(model_id), Reply(body=deployment))
        answer = {"retried": True, "reason": None, "deployment": deployment}
        self._setup.baseten.always(self._post(model_id), Reply(body=answer))

    def refuse(self, model_id: str, reason: str) -> None:
        deployment = self._body(model_id, "ACTIVE")
        answer = {"retried": False, "reason": reason, "deployment": deployment}
        self._setup.baseten.always(self._post(model_id), Reply(body=answer))

    def fail_get(self, model_id: str, kind: type[ApiError], status: int) -> None:
        self._setup.baseten.always(self._get(model_id), Reply(status))

    def fail_retry(self, model_id: str, kind: type[ApiError], status: int) -> None:
        self._setup.baseten.always(self._post(model_id), Reply(status))

    def throttle_retry(self, model_id: str, span: timedelta) -> None:
        body = {"error": "slow down", "retry_after": span.total_seconds()}
        self._setup.baseten.once(self._post(model_id), Reply(429, body))

    def block_get(self, model_id: str) -> asyncio.Event:
        event = asyncio.Event()

        async def wait(request: Request) -> None:
            if f"{request.method} {request.target}" == self._get(model_id):
                await event.wait()

        self._setup.baseten.before_reply = wait
        return event

    async def looked(self) -> None:
        await self._setup.server.arrived(1)

    def list_models(self, *models: ListedModel) -> None:
        bodies = [
            {
                "id": model.id,
                "name": model.name,
                "team_name": model.team,
                "development_deployment_id": "d1" if model.has_development else None,
                "created_at": "2026-02-01T00:00:00Z",
            }
            for model in models
        ]
        self._setup.baseten.always("GET /v1/models", Reply(body={"models": bodies}))

    async def change_key(self) -> None:
        take_up = self._setup.api.prepare(
            KeySource(value="another-key"),
            request_timeout=timedelta(seconds=10),
            max_requests_per_second=1e6,
            concurrency=20,
        )
        await take_up()

    def tell_date(self, model_id: str, date: datetime) -> None:
        headers = {"date": format_datetime(date, usegmt=True)}
        reply = Reply(body=self._body(model_id, "ACTIVE"), headers=headers)
        self._setup.baseten.always(self._get(model_id), reply)

    def posts(self) -> list[str]:
        requests = self._setup.server.requests
        return [each.target.split("/")[3] for each in requests if each.method == "POST"]

    @staticmethod
    def _get(model_id: str) -> str:
        return f"GET /v1/models/{model_id}/deployments/development"

    @staticmethod
    def _post(model_id: str) -> str:
        return f"POST /v1/models/{model_id}/deployments/development/retry"

    @staticmethod
    def _body(model_id: str, status: str) -> dict[str, object]:
        return {
            "id": f"d-{model_id}-1",
            "created_at": CREATED.isoformat(),
            "model_id": model_id,
            "is_development": True,
            "status": status,
        }


@pytest.fixture(params=["scripted", "http"])
async def subject(request: pytest.FixtureRequest) -> AsyncIterator[Subject]:
    if request.param == "scripted":
        yield Scripted()
        return
    async with running() as setup:
        yield Http(setup)


@pytest.mark.parametrize("urgent", [False, True], ids=["check", "urgent"])
@pytest.mark.parametrize("status", ["ACTIVE", "BUILD_FAILED", "A_WORD_OF_TOMORROW"])
async def test_a_look_returns_the_deployment(subject: Subject, status: str, urgent: bool) -> None:
    subject.set_status("m1", status)
    seen = await subject.api.get_deployment("m1", urgent=urgent)
    assert seen == Deployment(DeploymentRef("d-m1-1", CREATED), status)
    assert seen.ref.created_at.utcoffset() == timedelta(0)


async def test_a_look_returns_the_time_of_the_apis_clock(subject: Subject) -> None:
    assert (await subject.api.get_deployment("m1")).date is None
    date = datetime(2026, 3, 1, 23, 59, 59, tzinfo=UTC)
    subject.tell_date("m1", date)
    assert (await subject.api.get_deployment("m1")).date == date


async def test_each_look_makes_a_new_request(subject: Subject) -> None:
    before = await subject.api.get_deployment("m1")
    subject.set_status("m1", "DEPLOY_FAILED")
    after = await subject.api.get_deployment("m1")
    assert (before.status, after.status) == ("ACTIVE", "DEPLOY_FAILED")


@pytest.mark.parametrize(("kind", "status"), ERRORS)
async def test_a_failed_look_raises_its_error_and_affects_no_other_model(
    subject: Subject, kind: type[ApiError], status: int
) -> None:
    subject.fail_get("m1", kind, status)
    with pytest.raises(ApiError) as caught:
        await subject.api.get_deployment("m1")
    assert (type(caught.value), caught.value.code) == (kind, str(status))
    assert (await subject.api.get_deployment("m2")).status == "ACTIVE"


async def test_a_retry_is_posted_once_and_answered(subject: Subject) -> None:
    answer = await retry(subject.api, "m1")
    assert (answer.retried, answer.reason) == (True, None)
    assert answer.deployment.ref == DeploymentRef("d-m1-1", CREATED)
    assert subject.posts() == ["m1"]


async def test_a_refusal_is_an_answer_with_its_reason(subject: Subject) -> None:
    subject.refuse("m1", "the build context expired")
    answer = await retry(subject.api, "m1")
    assert (answer.retried, answer.reason) == (False, "the build context expired")
    assert subject.posts() == ["m1"]
    assert subject.api.retry_hold("m1") is None


@pytest.mark.parametrize(("kind", "status"), ERRORS)
async def test_a_failed_retry_is_not_repeated(
    subject: Subject, kind: type[ApiError], status: int
) -> None:
    subject.fail_retry("m1", kind, status)
    with pytest.raises(ApiError) as caught:
        await retry(subject.api, "m1")
    assert (type(caught.value), caught.value.code) == (kind, str(status))
    assert subject.posts() == ["m1"]


async def test_a_turn_sends_nothing_until_its_post_is_called(subject: Subject) -> None:
    async with subject.api.retry_turn("m1"):
        pass
    assert subject.posts() == []
    async with subject.api.retry_turn("m1") as post:
        assert subject.posts() == []
        assert (await post()).retried
    assert subject.posts() == ["m1"]


async def test_nothing_is_held_at_first(subject: Subject) -> None:
    assert subject.api.retry_hold("m1") is None


async def test_a_429_holds_retries_for_its_time_and_holds_no_looks(subject: Subject) -> None:
    subject.throttle_retry("m1", timedelta(seconds=37))
    until = subject.clock.now() + timedelta(seconds=37)
    with pytest.raises(Throttled) as caught:
        await retry(subject.api, "m1")
    assert caught.value.hold == Hold(DecisionReason.API_HELD, until)
    assert subject.api.retry_hold("m2") == caught.value.hold
    assert (await subject.api.get_deployment("m1")).status == "ACTIVE"

    subject.clock.advance(seconds=36.9)
    assert subject.api.retry_hold("m2") == caught.value.hold
    subject.clock.advance(seconds=0.1)
    assert subject.api.retry_hold("m2") is None
    assert subject.posts() == ["m1"]


async def test_the_model_that_got_a_429_lets_the_others_go_first(subject: Subject) -> None:
    subject.throttle_retry("m1", timedelta(seconds=37))
    until = subject.clock.now() + timedelta(seconds=37) + GIVE_WAY
    with pytest.raises(Throttled):
        await retry(subject.api, "m1")
    assert subject.api.retry_hold("m1") == Hold(DecisionReason.API_HELD, until)

    subject.clock.advance(seconds=37)
    with pytest.raises(Held):
        await retry(subject.api, "m1")
    assert (await retry(subject.api, "m2")).retried
    subject.clock.advance(seconds=GIVE_WAY.total_seconds())
    assert subject.api.retry_hold("m1") is None
    assert (await retry(subject.api, "m1")).retried


async def test_a_slow_model_does_not_delay_others(subject: Subject) -> None:
    go_on = subject.block_get("m1")
    slow = asyncio.create_task(subject.api.get_deployment("m1"))
    await subject.looked()
    assert (await subject.api.get_deployment("m2")).status == "ACTIVE"
    assert not slow.done()
    go_on.set()
    assert (await slow).status == "ACTIVE"


async def test_the_api_can_be_used_after_a_cancelled_look(subject: Subject) -> None:
    go_on = subject.block_get("m1")
    slow = asyncio.create_task(subject.api.get_deployment("m1"))
    await subject.looked()
    slow.cancel()
    with pytest.raises(asyncio.CancelledError):
        await slow
    go_on.set()
    assert (await subject.api.get_deployment("m1")).status == "ACTIVE"


async def test_the_mark_of_the_key_changes_only_with_the_key(subject: Subject) -> None:
    before = subject.api.key_mark
    assert before
    await subject.api.get_deployment("m1")
    assert subject.api.key_mark == before
    await subject.change_key()
    assert subject.api.key_mark not in ("", before)


async def test_the_models_are_listed_with_their_teams(subject: Subject) -> None:
    assert await subject.api.list_models() == Listing(())
    models = [
        ListedModel("m1", "llama", "team-a", True),
        ListedModel("m2", "llama", "team-b", False),
    ]
    subject.list_models(*models)
    assert await subject.api.list_models() == Listing(tuple(models))
