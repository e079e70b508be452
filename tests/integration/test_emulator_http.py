"""The emulator over real sockets, as any HTTP client sees it."""

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
import pytest

from tests.fakes.http_client import client_of
from watchdog.baseten_api import requests
from watchdog.emulator.faults import Operation
from watchdog.emulator.scenario import Scenario
from watchdog.emulator.server import Emulator

KEY = "secret-key"
START = datetime(2026, 8, 1, 12, tzinfo=UTC)

SCENARIO = Scenario.model_validate(
    {
        "models": [
            {"id": "healthy1", "name": "healthy", "team": "search", "deploys": [["ACTIVE"]]},
            {
                "id": "failing1",
                "name": "failing",
                "deploys": [["BUILD_FAILED"], [{"BUILDING": "1m"}, "ACTIVE"]],
            },
            {"id": "refuses1", "name": "refuses", "deploys": [["FAILED"]], "refuses": "expired"},
            {"id": "without1", "name": "without", "deploys": []},
        ]
    }
)


class Time:
    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
async def emulator(time: Time) -> AsyncIterator[Emulator]:
    async with Emulator(SCENARIO, api_key=KEY, now=time) as running:
        yield running


@pytest.fixture
async def client(emulator: Emulator) -> AsyncIterator[httpx.AsyncClient]:
    headers = {"Authorization": f"Api-Key {KEY}"}
    async with client_of(emulator.url, headers=headers) as made:
        yield made


def development(model_id: str) -> str:
    return f"/v1/models/{model_id}/deployments/development"


PATHS = {
    Operation.LIST_MODELS: "GET /v1/models",
    Operation.GET_MODEL: "GET /v1/models/failing1",
    Operation.LIST_DEPLOYMENTS: "GET /v1/models/failing1/deployments",
    Operation.GET_DEPLOYMENT: "GET /v1/models/failing1/deployments/development",
    Operation.RETRY: "POST /v1/models/failing1/deployments/development/retry",
    Operation.GET_LOGS: "GET /v1/models/failing1/deployments/ID/logs",
    Operation.LIST_AUDIT_LOGS: "GET /v1/models/failing1/audit_logs",
    Operation.LIST_STARTUPS: "GET /v1/models/failing1/deployments/ID/startups?SPAN",
}


@pytest.mark.parametrize("operation", Operation)
async def test_each_operation_has_a_path_and_an_answer(
    emulator: Emulator, client: httpx.AsyncClient, time: Time, operation: Operation
) -> None:
    now = int(time.now.timestamp() * 1000)
    span = f"start_epoch_millis={now - 1000}&end_epoch_millis={now}"
    deployment_id = emulator.workspace.development("failing1", time.now).id
    method, path = PATHS[operation].split()
    path = path.replace("/ID/", f"/{deployment_id}/").replace("SPAN", span)
    assert (await client.request(method, path)).status_code == 200
    assert emulator.workspace.requests[-1].operation == operation


ASKED = {
    each.operation: each
    for each in (
        requests.list_models(),
        requests.get_deployment("failing1"),
        requests.retry("failing1"),
        requests.get_logs("failing1", "ID", since=START, until=START),
        requests.list_startups("failing1", "ID", since=START, until=START),
        requests.list_audit_logs("failing1", ["ID"], since=START),
    )
}
"""A request of the client's for each operation."""


@pytest.mark.parametrize(
    "operation",
    [word for name, word in vars(requests).items() if name.isupper() and isinstance(word, str)],
)
async def test_the_client_names_each_operation_as_the_emulator_does(
    emulator: Emulator, client: httpx.AsyncClient, operation: str
) -> None:
    wanted = ASKED[operation]
    await client.request(wanted.method, wanted.path)
    assert emulator.workspace.requests[-1].operation == operation


async def test_each_answer_tells_the_time(client: httpx.AsyncClient, time: Time) -> None:
    for path in ("/v1/models", development("healthy1"), development("nobody")):
        time.now += timedelta(minutes=1)
        said = (await client.get(path)).headers.get_list("Date")
        assert [parsedate_to_datetime(each) for each in said] == [time.now]


async def test_lists_models_with_their_development_deployments(client: httpx.AsyncClient) -> None:
    models = (await client.get("/v1/models")).json()["models"]
    assert [m["id"] for m in models] == ["healthy1", "failing1", "refuses1", "without1"]
    assert models[0]["team_name"] == "search"
    deployment = (await client.get(development("healthy1"))).json()
    assert models[0]["development_deployment_id"] == deployment["id"]
    assert models[3]["development_deployment_id"] is None


@pytest.mark.parametrize(("name", "ids"), [("failing", ["failing1"]), ("fail", []), ("", [])])
async def test_finds_models_by_their_exact_name(
    client: httpx.AsyncClient, name: str, ids: list[str]
) -> None:
    answer = await client.get("/v1/models", params={"name": name})
    assert [m["id"] for m in answer.json()["models"]] == ids


async def test_tells_an_unknown_model_from_one_without_a_development_deployment(
    client: httpx.AsyncClient,
) -> None:
    assert (await client.get("/v1/models/without1")).status_code == 200
    assert (await client.get("/v1/models/without1/deployments")).json() == {"deployments": []}
    for path in ("/v1/models/other", "/v1/models/other/deployments", development("without1")):
        answer = await client.get(path)
        assert answer.status_code == 404
        assert answer.json()["code"] == "NOT_FOUND"
    for model_id in ("other", "without1"):
        assert (await client.post(f"{development(model_id)}/retry")).status_code == 404


async def test_a_retry_is_accepted_and_the_deployment_recovers(
    client: httpx.AsyncClient, time: Time
) -> None:
    before = (await client.get(development("failing1"))).json()
    assert before["status"] == "BUILD_FAILED"
    answer = (await client.post(f"{development('failing1')}/retry", json={})).json()
    assert answer["retried"] is True
    assert answer["reason"] is None
    assert answer["deployment"] == {**before, "status": "BUILDING"}
    time.now += timedelta(minutes=1)
    after = (await client.get(development("failing1"))).json()
    assert (after["status"], after["active_replica_count"]) == ("ACTIVE", 1)
    assert (await client.get("/v1/models/failing1/deployments")).json()["deployments"] == [after]


async def test_a_retry_is_refused_with_a_reason(client: httpx.AsyncClient) -> None:
    answer = await client.post(f"{development('refuses1')}/retry")
    assert answer.status_code == 200
    body = answer.json()
    assert (body["retried"], body["reason"]) == (False, "expired")
    assert body["deployment"]["status"] == "FAILED"


@pytest.mark.parametrize(
    ("authorization", "code", "kind"),
    [
        pytest.param(f"Bearer {KEY}", 200, None, id="bearer"),
        pytest.param(f"api-key {KEY}", 200, None, id="any-case"),
        pytest.param(None, 401, "UNAUTHENTICATED", id="missing"),
        pytest.param(f"Basic {KEY}", 401, "UNAUTHENTICATED", id="other-scheme"),
        pytest.param("Api-Key wrong", 403, "PERMISSION_DENIED", id="wrong"),
        pytest.param("Api-Key", 403, "PERMISSION_DENIED", id="empty"),
        pytest.param("Api-Key \u00e9".encode("latin-1"), 403, "PERMISSION_DENIED", id="not-ascii"),
    ],
)
async def test_checks_the_key(
    emulator: Emulator, authorization: Any, code: int, kind: str | None
) -> None:
    headers = {} if authorization is None else {"Authorization": authorization}
    async with client_of(emulator.url) as client:
        answer = await client.post(f"{development('failing1')}/retry", headers=headers)
    assert answer.status_code == code
    assert answer.json().get("code") == kind
    assert KEY not in answer.text
    status = emulator.workspace.development("failing1", START).status
    assert status == ("BUILDING" if code == 200 else "BUILD_FAILED")


@pytest.mark.parametrize(
    ("method", "path", "code", "kind"),
    [
        ("GET", "/v1/other", 404, "NOT_FOUND"),
        ("GET", "/v1/models/", 404, "NOT_FOUND"),
        ("DELETE", "/v1/models/healthy1", 405, "METHOD_NOT_ALLOWED"),
    ],
)
async def test_an_unknown_operation_is_an_error_and_is_logged(
    client: httpx.AsyncClient, emulator: Emulator, method: str, path: str, code: int, kind: str
) -> None:
    answer = await client.request(method, path)
    assert (answer.status_code, answer.json()["code"]) == (code, kind)
    (record,) = emulator.workspace.requests
    assert (record.path, record.operation, record.code) == (path, None, code)


async def test_logs_what_was_asked_and_answered_and_the_status_at_that_time(
    client: httpx.AsyncClient, time: Time
) -> None:
    await client.get("/v1/models")
    time.now += timedelta(seconds=2)
    await client.post(f"{development('failing1')}/retry")
    await client.post(f"{development('failing1')}/retry", headers={"Authorization": "Api-Key x"})
    await client.post(f"{development('refuses1')}/retry")
    log = (await client.get("/_emulator/requests")).json()["requests"]
    assert log[0] == {
        "at": "2026-08-01T12:00:00Z",
        "method": "GET",
        "path": "/v1/models",
        "operation": "list_models",
        "model_id": None,
        "code": 200,
        "status": None,
        "status_after": None,
        "deployment_id": None,
        "deployment_created_at": None,
        "executed": True,
        "retried": None,
        "faults": [],
        "client": log[0]["client"],
    }
    assert log[1] == {
        "at": "2026-08-01T12:00:02Z",
        "method": "POST",
        "path": "/v1/models/failing1/deployments/development/retry",
        "operation": "retry",
        "model_id": "failing1",
        "code": 200,
        "status": "BUILD_FAILED",
        "status_after": "BUILDING",
        "deployment_id": log[1]["deployment_id"],
        "deployment_created_at": "2026-08-01T12:00:00Z",
        "executed": True,
        "retried": True,
        "faults": [],
        "client": log[1]["client"],
    }
    assert [(r["code"], r["status"], r["retried"]) for r in log[2:]] == [
        (403, "BUILDING", None),
        (200, "FAILED", False),
    ]
    assert all(re.fullmatch(r"127\.0\.0\.1:\d+", r["client"]) for r in log)


async def test_a_status_can_be_set_from_outside(client: httpx.AsyncClient) -> None:
    answer = await client.post(
        "/_emulator/models/healthy1/status", json={"status": "DEPLOY_FAILED"}
    )
    assert answer.status_code == 200
    assert (await client.get(development("healthy1"))).json()["status"] == "DEPLOY_FAILED"
    await client.post("/_emulator/models/healthy1/status", json={"status": None})
    assert (await client.get(development("healthy1"))).status_code == 404


@pytest.mark.parametrize(
    ("model_id", "content", "code"),
    [
        ("other", '{"status": "ACTIVE"}', 404),
        ("without1", '{"status": "ACTIVE"}', 404),
        ("healthy1", "", 400),
        ("healthy1", "[]", 400),
        ("healthy1", "{}", 400),
        ("healthy1", '{"status": 3}', 400),
        ("healthy1", '{"status": "ACTIVE", "other": 1}', 400),
    ],
)
async def test_a_status_that_cannot_be_set(
    client: httpx.AsyncClient, model_id: str, content: str, code: int
) -> None:
    answer = await client.post(f"/_emulator/models/{model_id}/status", content=content)
    assert answer.status_code == code


async def test_a_port_that_is_taken_is_an_os_error(emulator: Emulator) -> None:
    port = httpx.URL(emulator.url).port
    assert port is not None
    second = Emulator(SCENARIO, api_key=KEY, port=port)
    with pytest.raises(OSError, match="in use"):
        await second.__aenter__()


async def test_stops_although_clients_keep_their_connections(time: Time) -> None:
    async with client_of() as client:
        async with Emulator(SCENARIO, api_key=KEY, now=time) as emulator:
            await client.get(f"{emulator.url}/v1/models")
        with pytest.raises(httpx.TransportError):
            await client.get(f"{emulator.url}/v1/models")


async def test_time_passes_by_itself_when_none_is_given() -> None:
    made = Emulator(SCENARIO, api_key=KEY)
    created = made.workspace.development("healthy1", START).created_at
    assert abs(datetime.now(UTC) - created) < timedelta(minutes=1)
