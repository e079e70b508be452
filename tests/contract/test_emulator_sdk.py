"""The official SDK as a client of the emulator: if it understands an answer, the emulator is
right."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Any, TypeVar

import pytest
from baseten.client import ManagementClient
from baseten.client.managementapi import (
    ApiClient,
    Deployment,
    Deployments,
    GetLogsResponse,
    GetModelsAuditLogsParams,
    GetModelsDeploymentsLogsParams,
    GetModelsDeploymentsStartupsParams,
    GetModelsParams,
    ListAuditLogsResponse,
    Model,
    Models,
    ResponseError,
    RetryDeploymentResponse,
    StartupAttempts,
)
from pydantic import BaseModel

from tests.fakes.http_client import client_of
from watchdog.emulator.scenario import Scenario, load_scenario
from watchdog.emulator.server import Emulator

KEY = "secret-key"
HEALTHY, RECOVERING, REFUSING = "e4k7n2wq", "q81xw5rl", "7hs2v0yb"

T = TypeVar("T")


@pytest.fixture
async def emulator() -> AsyncIterator[Emulator]:
    async with Emulator(load_scenario(), api_key=KEY) as running:
        yield running


async def ask(emulator: Emulator, question: Callable[[ApiClient], T], *, key: str = KEY) -> T:
    """Call the blocking client in a thread, because the emulator needs the loop."""

    def work() -> T:
        with ManagementClient(api_key=key, base_url_override=emulator.url) as client:
            return question(client.api)

    return await asyncio.to_thread(work)


async def test_lists_the_models(emulator: Emulator) -> None:
    found = (await ask(emulator, lambda api: api.get_models())).models
    assert [model.id for model in found] == [model.id for model in load_scenario().models]


async def test_finds_a_model_by_name(emulator: Emulator) -> None:
    params = GetModelsParams(name="llama-dev")
    (found,) = (await ask(emulator, lambda api: api.get_models(params=params))).models
    assert found == await ask(emulator, lambda api: api.get_models_model_id(model_id=RECOVERING))
    assert (found.id, found.name) == (RECOVERING, "llama-dev")


async def test_reads_the_deployments(emulator: Emulator) -> None:
    slot = await ask(emulator, lambda api: api.get_models_deployments_development(model_id=HEALTHY))
    assert (slot.model_id, slot.status, slot.is_development) == (HEALTHY, "ACTIVE", True)
    listed = await ask(emulator, lambda api: api.get_models_deployments(model_id=HEALTHY))
    assert listed.deployments == [slot]


async def test_retries_a_failed_deployment(emulator: Emulator) -> None:
    emulator.workspace.set_status(RECOVERING, "BUILD_FAILED", datetime.now(UTC))
    answer = await ask(
        emulator, lambda api: api.post_models_deployments_development_retry(model_id=RECOVERING)
    )
    assert (answer.retried, answer.reason, answer.deployment.status) == (True, None, "BUILDING")


async def test_reads_why_a_retry_is_refused(emulator: Emulator) -> None:
    answer = await ask(
        emulator, lambda api: api.post_models_deployments_development_retry(model_id=REFUSING)
    )
    assert (answer.retried, answer.deployment.status) == (False, "BUILD_FAILED")
    assert answer.reason is not None
    assert "expired" in answer.reason


async def test_a_wrong_key_and_an_unknown_model_are_errors(emulator: Emulator) -> None:
    with pytest.raises(ResponseError) as denied:
        await ask(emulator, lambda api: api.get_models(), key="wrong")
    assert denied.value.status_code == 403
    with pytest.raises(ResponseError) as missing:
        await ask(emulator, lambda api: api.get_models_model_id(model_id="other"))
    assert missing.value.status_code == 404


@pytest.mark.parametrize(
    ("method", "path", "described"),
    [
        ("GET", "/v1/models", Models),
        ("GET", f"/v1/models/{HEALTHY}", Model),
        ("GET", f"/v1/models/{HEALTHY}/deployments", Deployments),
        ("GET", f"/v1/models/{HEALTHY}/deployments/development", Deployment),
        ("POST", f"/v1/models/{HEALTHY}/deployments/development/retry", RetryDeploymentResponse),
        ("POST", f"/v1/models/{RECOVERING}/deployments/development/retry", RetryDeploymentResponse),
        ("POST", f"/v1/models/{REFUSING}/deployments/development/retry", RetryDeploymentResponse),
    ],
)
async def test_bodies_have_exactly_the_described_fields(
    emulator: Emulator, method: str, path: str, described: type[BaseModel]
) -> None:
    emulator.workspace.set_status(RECOVERING, "BUILD_FAILED", datetime.now(UTC))
    async with client_of(emulator.url) as client:
        answer = await client.request(method, path, headers={"Authorization": f"Bearer {KEY}"})
    assert_exact(described, answer.content)


async def test_logs_and_startups_have_exactly_the_described_fields(failing: Emulator) -> None:
    deployment = failing.workspace.development("f41l1ng1", datetime.now(UTC))
    path = f"/v1/models/f41l1ng1/deployments/{deployment.id}"
    span = f"start_epoch_millis={millis(-5)}&end_epoch_millis={millis(5)}"
    async with client_of(failing.url) as client:
        for name, described in (("logs", GetLogsResponse), ("startups", StartupAttempts)):
            url = f"{path}/{name}?{span}"
            answer = await client.get(url, headers={"Authorization": f"Bearer {KEY}"})
            assert_exact(described, answer.content)


def assert_exact(described: type[BaseModel], content: bytes) -> None:
    """The bodies have every described field and no other."""
    body = described.model_validate_json(content, strict=True, extra="forbid")
    assert set(keys(body.model_dump(mode="json"))) == set(keys(json.loads(content)))


FAILING = {
    "models": [
        {
            "id": "f41l1ng1",
            "name": "fails",
            "deploys": [
                {
                    "steps": ["DEPLOY_FAILED"],
                    "log": [
                        "no level",
                        {"message": "warns", "level": "WARNING"},
                        {"message": "fails", "level": "ERROR"},
                    ],
                    "stalls_in": "SCHEDULING",
                }
            ],
        }
    ]
}


@pytest.fixture
async def failing() -> AsyncIterator[Emulator]:
    async with Emulator(Scenario.model_validate(FAILING), api_key=KEY) as running:
        yield running


async def the_log(emulator: Emulator, deployment_id: str | None = None, **params: Any) -> list[str]:
    def question(api: ApiClient) -> GetLogsResponse:
        found = deployment_id or api.get_models_deployments_development(model_id="f41l1ng1").id
        return api.get_models_deployments_logs(
            model_id="f41l1ng1",
            deployment_id=found,
            params=GetModelsDeploymentsLogsParams.model_validate(params),
        )

    return [log.message for log in (await ask(emulator, question)).logs]


def millis(minutes: float) -> int:
    """A time this many minutes from now."""
    return int((datetime.now(UTC).timestamp() + minutes * 60) * 1000)


async def test_reads_a_log_as_it_is_documented(failing: Emulator) -> None:
    whole = ["no level", "warns", "fails"]
    assert await the_log(failing) == whole
    assert await the_log(failing, direction="desc", limit=2) == ["fails", "warns"]
    # If a level is given, lines without a level are left out.
    assert await the_log(failing, min_level="DEBUG") == ["warns", "fails"]
    assert await the_log(failing, min_level="ERROR") == ["fails"]
    assert await the_log(failing, start_epoch_millis=millis(-60)) == whole
    assert await the_log(failing, start_epoch_millis=millis(1), end_epoch_millis=millis(2)) == []


@pytest.mark.parametrize(
    ("params", "status"),
    [
        ({"start_epoch_millis": millis(-8 * 24 * 60)}, 400),
        ({"min_level": "LOUD"}, 400),
        ({"direction": "up"}, 400),
        ({"deployment_id": "another1"}, 404),
    ],
    ids=["over-a-week", "no-level", "no-direction", "no-deployment"],
)
async def test_an_invalid_request_for_a_log_is_an_error(
    failing: Emulator, params: dict[str, Any], status: int
) -> None:
    with pytest.raises(ResponseError) as error:
        await the_log(failing, **params)
    assert error.value.status_code == status


async def test_reads_the_startups(failing: Emulator) -> None:
    def question(api: ApiClient) -> StartupAttempts:
        found = api.get_models_deployments_development(model_id="f41l1ng1").id
        span = GetModelsDeploymentsStartupsParams(
            start_epoch_millis=millis(-5), end_epoch_millis=millis(5)
        )
        return api.get_models_deployments_startups(
            model_id="f41l1ng1", deployment_id=found, params=span
        )

    found = await ask(failing, question)
    (startup,) = found.items
    assert (startup.outcome, found.total_count) == ("STALLED", 1)
    (phase,) = startup.phase_summary
    assert (phase.phase, phase.status, phase.duration_ms) == ("SCHEDULING", "FAILED", None)


ACTS = {
    "models": [
        {
            "id": "f41l1ng1",
            "name": "fails",
            "deploys": [["BUILD_FAILED"], ["ACTIVE"]],
            "acts": [
                {"at": "0s", "act": "push_new_id", "who": "ann@example.com"},
                {"at": "0s", "act": "deactivate", "by": "platform"},
                {"at": "0s", "act": "promote"},
                {"at": "0s", "act": "push"},
            ],
        }
    ]
}


@pytest.fixture
async def audited() -> AsyncIterator[Emulator]:
    async with Emulator(Scenario.model_validate(ACTS), api_key=KEY) as running:
        yield running


async def the_audit_log(emulator: Emulator, **params: Any) -> tuple[list[Any], dict[str, Any]]:
    """The entries, and the pagination."""
    wanted = GetModelsAuditLogsParams.model_validate(params)
    found = await ask(
        emulator, lambda api: api.get_models_audit_logs(model_id="f41l1ng1", params=wanted)
    )
    body = found.model_dump(mode="json")
    return body["items"], body["pagination"]


async def test_the_audit_log_has_exactly_the_described_fields(audited: Emulator) -> None:
    async with client_of(audited.url) as client:
        answer = await client.get(
            "/v1/models/f41l1ng1/audit_logs", headers={"Authorization": f"Bearer {KEY}"}
        )
    assert_exact(ListAuditLogsResponse, answer.content)


async def test_reads_the_audit_log_as_it_is_documented(audited: Emulator) -> None:
    audited.workspace.set_status("f41l1ng1", "BUILD_FAILED", datetime.now(UTC))
    accepted, refused = [
        await ask(
            audited, lambda api: api.post_models_deployments_development_retry(model_id="f41l1ng1")
        )
        for _ in range(2)
    ]
    assert (accepted.retried, refused.retried) == (True, False)

    whole, _ = await the_audit_log(audited)
    assert [(each["event_type"], each["actor"]["type"]) for each in reversed(whole)] == [
        ("MODEL_DEPLOYED", "USER"),
        ("MODEL_DEPLOYMENT_DEACTIVATED", "BASETEN_SYSTEM"),
        ("MODEL_DEPLOYMENT_PROMOTED", "USER"),
        ("MODEL_DEPLOYED", "USER"),
        ("MODEL_DEPLOYMENT_RETRIED", "API_KEY"),
        ("MODEL_DEPLOYMENT_RETRIED", "API_KEY"),
    ]
    assert [each["event_data"]["retried"] for each in whole[:2]] == [False, True]
    prefix = whole[0]["actor"]["api_key_prefix"]
    assert KEY.startswith(prefix)
    assert 0 < len(prefix) < len(KEY)

    first, page = await the_audit_log(audited, limit=4)
    assert (first, page["has_more"]) == (whole[:4], True)
    second, page = await the_audit_log(audited, limit=4, cursor=page["cursor"])
    assert (second, page["has_more"]) == (whole[4:], False)
    assert (await the_audit_log(audited, direction="ASC"))[0] == whole[::-1]
    promoted, _ = await the_audit_log(audited, event_type_groups=["PROMOTED"])
    assert [each["event_type"] for each in promoted] == ["MODEL_DEPLOYMENT_PROMOTED"]
    pushed = whole[-1]["event_data"]["deployment_id"]
    assert (await the_audit_log(audited, deployment_ids=[pushed]))[0] == whole[-3:]
    assert (await the_audit_log(audited, start_epoch_millis=millis(1)))[0] == []
    assert (await the_audit_log(audited, end_epoch_millis=millis(-1)))[0] == []


async def test_an_invalid_request_for_the_audit_log_is_an_error(audited: Emulator) -> None:
    async with client_of(audited.url) as client:
        for query in ("limit=201", "direction=up", "cursor=x", "start_epoch_millis=now"):
            answer = await client.get(
                f"/v1/models/f41l1ng1/audit_logs?{query}",
                headers={"Authorization": f"Bearer {KEY}"},
            )
            assert answer.status_code == 400, query


def keys(value: Any, path: str = "") -> list[str]:
    """Every key in a JSON document, with its path."""
    if isinstance(value, dict):
        return [k for key, v in value.items() for k in (f"{path}.{key}", *keys(v, f"{path}.{key}"))]
    if isinstance(value, list):
        return [k for item in value for k in keys(item, f"{path}[]")]
    return []
