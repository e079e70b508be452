"""The official SDK as a client of the emulator: what it understands, the emulator says right."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Any, TypeVar

import pytest
from baseten.client import ManagementClient
from baseten.client.managementapi import (
    ApiClient,
    Deployment,
    Deployments,
    GetModelsParams,
    Model,
    Models,
    ResponseError,
    RetryDeploymentResponse,
)
from pydantic import BaseModel

from tests.fakes.http_client import client_of
from watchdog.emulator.scenario import load_scenario
from watchdog.emulator.server import Emulator

KEY = "secret-key"
HEALTHY, RECOVERING, REFUSING = "e4k7n2wq", "q81xw5rl", "7hs2v0yb"

T = TypeVar("T")


@pytest.fixture
async def emulator() -> AsyncIterator[Emulator]:
    async with Emulator(load_scenario(), api_key=KEY) as running:
        yield running


async def ask(emulator: Emulator, question: Callable[[ApiClient], T], *, key: str = KEY) -> T:
    """Ask through the blocking client, in a thread: the emulator needs the loop."""

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


async def test_is_told_why_a_retry_is_refused(emulator: Emulator) -> None:
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
async def test_bodies_say_exactly_what_is_described(
    emulator: Emulator, method: str, path: str, described: type[BaseModel]
) -> None:
    emulator.workspace.set_status(RECOVERING, "BUILD_FAILED", datetime.now(UTC))
    async with client_of(emulator.url) as client:
        answer = await client.request(method, path, headers={"Authorization": f"Bearer {KEY}"})
    body = described.model_validate_json(answer.content, strict=True, extra="forbid")
    assert set(keys(body.model_dump(mode="json"))) == set(keys(answer.json()))


def keys(value: Any, path: str = "") -> list[str]:
    """Every key in a JSON document, with its path."""
    if isinstance(value, dict):
        return [k for key, v in value.items() for k in (f"{path}.{key}", *keys(v, f"{path}.{key}"))]
    if isinstance(value, list):
        return [k for item in value for k in keys(item, f"{path}[]")]
    return []
