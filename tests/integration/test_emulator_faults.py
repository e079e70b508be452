"""The emulator's faults over real sockets, as any HTTP client meets them."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from tests.fakes.http_client import client_of
from watchdog.emulator.replies import HUGE_BYTES
from watchdog.emulator.scenario import Scenario
from watchdog.emulator.server import Emulator

KEY = "secret-key"
DEVELOPMENT = "/v1/models/failing1/deployments/development"
RETRY = f"{DEVELOPMENT}/retry"


def scenario(*faults: dict[str, Any], **more: Any) -> Scenario:
    model = {"id": "failing1", "name": "failing", "deploys": [["BUILD_FAILED"], ["ACTIVE"]]}
    return Scenario.model_validate({"models": [model], "faults": faults, **more})


@pytest.fixture
async def emulator() -> AsyncIterator[Emulator]:
    async with Emulator(scenario(), api_key=KEY) as running:
        yield running


@pytest.fixture
async def client(emulator: Emulator) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(emulator.url, headers={"Authorization": f"Api-Key {KEY}"}) as made:
        yield made


async def inject(client: httpx.AsyncClient, *faults: dict[str, Any]) -> None:
    answer = await client.put("/_emulator/faults", json=faults)
    assert answer.json() == {"faults": len(faults)}


async def arrived(emulator: Emulator) -> None:
    """Wait for the first request."""
    while not emulator.workspace.requests:  # noqa: ASYNC110 - the log is all there is to watch
        await asyncio.sleep(0)


async def status(client: httpx.AsyncClient) -> str:
    await inject(client)
    return str((await client.get(DEVELOPMENT)).json()["status"])


@pytest.mark.parametrize(
    ("kind", "executed"),
    [("hang", False), ("lost_answer", True), ("reset", False), ("reset_after", True)],
)
async def test_no_answer(
    emulator: Emulator, client: httpx.AsyncClient, kind: str, executed: bool
) -> None:
    await inject(client, {"fault": kind})
    asked = asyncio.create_task(client.post(RETRY))
    await arrived(emulator)
    if kind.startswith("reset"):
        with pytest.raises(httpx.ReadError):
            await asked
    else:
        for _ in range(5):  # Others are answered meanwhile.
            await client.get("/_emulator/requests")
        assert asked.cancel()
        await asyncio.wait((asked,))
    log = (await client.get("/_emulator/requests")).json()["requests"]
    assert [(r["code"], r["executed"], r["faults"]) for r in log] == [(None, executed, [kind])]
    assert await status(client) == ("ACTIVE" if executed else "BUILD_FAILED")


@pytest.mark.parametrize(
    ("kind", "code"),
    [("throttled", 429), ("unauthorized", 401), ("forbidden", 403), ("unavailable", 503)],
)
async def test_an_answer_that_says_no(client: httpx.AsyncClient, kind: str, code: int) -> None:
    await inject(client, {"fault": kind})
    answer = await client.get(DEVELOPMENT)
    assert answer.status_code == code
    html = kind == "unavailable"
    assert answer.headers["content-type"].startswith("text/html" if html else "application/json")


async def test_an_answer_that_never_ends_in_json(client: httpx.AsyncClient) -> None:
    await inject(client, {"fault": "truncated"})
    assert (await client.get(DEVELOPMENT)).content[:2] == b'{"'
    await inject(client, {"fault": "huge"})
    answer = await client.get(DEVELOPMENT)
    assert len(answer.content) > HUGE_BYTES
    assert answer.json()["status"] == "BUILD_FAILED"


async def test_a_late_answer(client: httpx.AsyncClient) -> None:
    await inject(client, {"fault": "late", "delay": "200ms"})
    began = time.monotonic()
    assert (await client.get(DEVELOPMENT)).status_code == 200
    assert time.monotonic() - began >= 0.2


async def test_a_connection_that_its_client_closed_is_no_longer_broken(
    emulator: Emulator, client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    await inject(client, {"fault": "late", "delay": "100ms"}, {"fault": "reset"})
    gone = asyncio.create_task(client.get(DEVELOPMENT))
    await arrived(emulator)
    gone.cancel()
    await asyncio.wait((gone,))
    with pytest.raises(httpx.ReadError):  # By then the first one's turn has come, too.
        await client.get(DEVELOPMENT)
    assert not caplog.records


async def test_the_rate_limit_of_retries(client: httpx.AsyncClient) -> None:
    codes = [(await client.post(RETRY)).status_code for _ in range(11)]
    assert codes == [200] * 10 + [429]


async def test_a_connection_goes_on_after_faults_that_answer(client: httpx.AsyncClient) -> None:
    await inject(client, {"fault": "ill_typed", "times": 1})
    assert (await client.get(DEVELOPMENT)).json()["status"] == 7
    assert (await client.get(DEVELOPMENT)).json()["status"] == "BUILD_FAILED"


async def test_stopping_does_not_wait_for_what_hangs() -> None:
    headers = {"Authorization": f"Api-Key {KEY}"}
    async with (
        client_of(headers=headers) as client,
        Emulator(scenario({"fault": "hang"}), api_key=KEY) as emulator,
    ):
        asked = asyncio.create_task(client.get(f"{emulator.url}{DEVELOPMENT}"))
        await arrived(emulator)
    with pytest.raises(httpx.HTTPError):
        await asked


@pytest.mark.parametrize(
    "content", ["", "{}", '[{"fault": "meteor"}]', '[{"fault": "hang", "delay": "1s"}]']
)
async def test_faults_that_cannot_be(client: httpx.AsyncClient, content: str) -> None:
    answer = await client.put("/_emulator/faults", content=content)
    assert answer.status_code == 400
    assert answer.json()["code"] == "VALIDATION_ERROR"
    assert answer.json()["message"].startswith("faults")
