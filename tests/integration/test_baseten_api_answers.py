"""What each answer of the management API comes to, over real sockets."""

import asyncio
import gzip
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest

from tests.fakes.baseten_http import (
    DEPLOYMENT,
    KEY,
    MODEL,
    RETRIED,
    Setup,
    make_api,
    running,
)
from tests.fakes.http_server import HOST, Reply, Request
from tests.fakes.processes import PATIENCE_SECONDS
from tests.fakes.retrying import retry
from watchdog.baseten_api import HttpBasetenApi
from watchdog.domain.records import Actor
from watchdog.engine.ports import (
    Act,
    AnswerLost,
    ApiError,
    Denied,
    Forbidden,
    NotFound,
    NotSent,
    Rejected,
    Throttled,
)

GET, POST = f"GET {MODEL}", f"POST {MODEL}/retry"


async def _ask(setup: Setup, request: str) -> None:
    await (retry(setup.api, "m1") if request == POST else setup.api.get_deployment("m1"))


async def _caught(setup: Setup, request: str) -> ApiError:
    with pytest.raises(ApiError) as caught:
        await _ask(setup, request)
    return caught.value


@pytest.mark.parametrize("request_name", [GET, POST], ids=["get", "post"])
@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (301, AnswerLost),
        (307, AnswerLost),
        (400, Rejected),
        (401, Denied),
        (403, Forbidden),
        (404, NotFound),
        (409, Rejected),
        (422, Rejected),
        (429, Throttled),
        (500, AnswerLost),
        (502, AnswerLost),
        (503, AnswerLost),
    ],
)
async def test_a_status_becomes_its_error(
    request_name: str, status: int, kind: type[ApiError]
) -> None:
    async with running() as setup:
        elsewhere = {"Location": f"{setup.server.url}/elsewhere"}
        setup.baseten.always(request_name, Reply(status, b"<html>", headers=elsewhere))
        error = await _caught(setup, request_name)
        operation = "retry" if request_name == POST else "get_deployment"
        assert (type(error), error.code) == (kind, str(status))
        assert setup.codes()[0] == (operation, str(status))
        assert setup.asked().count(request_name) == 1
        assert "GET /elsewhere" not in setup.asked()


@pytest.mark.parametrize("request_name", [GET, POST], ids=["get", "post"])
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_no_redirect_is_followed(request_name: str, status: int) -> None:
    async with running() as setup, running() as elsewhere:
        location = {"Location": f"{elsewhere.server.url}/v1/models"}
        setup.baseten.once(request_name, Reply(status, headers=location))
        error = await _caught(setup, request_name)
        assert (type(error), error.code) == (AnswerLost, str(status))
        assert setup.asked() == [request_name]
        assert elsewhere.server.connections == 0


@pytest.mark.parametrize("request_name", [GET, POST], ids=["get", "post"])
@pytest.mark.parametrize(
    "location", ["https://xn--.test/", "https://host:port/", "gopher:x", "//["]
)
async def test_a_redirect_to_no_address_is_a_lost_answer(request_name: str, location: str) -> None:
    async with running() as setup:
        setup.baseten.once(request_name, Reply(307, headers={"Location": location}))
        error = await _caught(setup, request_name)
        assert (type(error), error.code) == (AnswerLost, "307")
        assert setup.asked() == [request_name]


@pytest.mark.parametrize("request_name", [GET, POST], ids=["get", "post"])
@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(None, id="closed_without_a_word"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-", id="closed_in_the_head"),
        pytest.param(b'HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"id"', id="closed_in_body"),
        pytest.param(b"SSH-2.0-OpenSSH_9.6\r\n\r\n", id="another_protocol"),
    ],
)
async def test_a_broken_answer_is_lost(request_name: str, reply: bytes | None) -> None:
    async with running() as setup:
        setup.baseten.always(request_name, reply)
        error = await _caught(setup, request_name)
        assert (type(error), error.code) == (AnswerLost, "connect")
        assert setup.asked() == [request_name]


_CHUNKS = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("first", "more", "code"),
    [
        pytest.param(b"", b"HTTP/1.1 100 Continue\r\n\r\n", "connect", id="informational"),
        pytest.param(b"", b"HTTP/1.1 103 A\r\nLink: a\r\n\r\n", "connect", id="early_hints"),
        pytest.param(b"", b"HTTP/1.1 200 OK\r\nA: " + b"a" * 999, "connect", id="head"),
        pytest.param(_CHUNKS, b"1\r\n \r\n", "invalid_body", id="chunks_of_one_byte"),
    ],
)
@pytest.mark.parametrize("request_name", [GET, POST], ids=["get", "post"])
async def test_an_answer_without_an_end_is_not_read_until_the_time_out(
    request_name: str, first: bytes, more: bytes, code: str
) -> None:
    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(first)
        with suppress(OSError):
            while not writer.is_closing():
                writer.write(more * 100)
                await writer.drain()
        writer.close()

    async with await asyncio.start_server(flood, HOST, 0) as server:
        port = server.sockets[0].getsockname()[1]
        api = make_api(f"http://{HOST}:{port}")
        with pytest.raises(AnswerLost) as caught:
            await (api.get_deployment("m1") if request_name == GET else retry(api, "m1"))
        assert caught.value.code == code
        await api.close()


@pytest.mark.parametrize(
    "date",
    [
        "",
        "now",
        "1772409599",
        "2026-03-01T23:59:59Z",
        "Sunday, 01-Mar-26 23:59:59 GMT",
        "Sun Mar  1 23:59:59 2026",
        "Sun, 01 Mar 2026 23:59:59 +0000",
        "Sun, 1 Mar 2026 23:59:59 GMT",
        "Mon, 01 Mar 2026 23:59:59 GMT",
        "Sun, 29 Feb 2026 23:59:59 GMT",
        "Mon, 01 Jan 0001 00:00:00 GMT",
        "Fri, 31 Dec 9999 23:59:59 GMT",
    ],
)
async def test_a_date_in_any_other_form_is_none(date: str) -> None:
    async with running() as setup:
        setup.baseten.always(GET, Reply(body=DEPLOYMENT, headers={"Date": date}))
        assert (await setup.api.get_deployment("m1")).date is None


async def _no_answer(_: Request) -> None:
    await asyncio.Event().wait()


@pytest.mark.parametrize("request_name", [GET, POST], ids=["get", "post"])
async def test_no_answer_in_time_is_lost(request_name: str) -> None:
    async with running(time_limit=timedelta(seconds=1)) as setup:
        setup.baseten.before_reply = _no_answer
        error = await _caught(setup, request_name)
        assert (type(error), error.code) == (AnswerLost, "timeout")
        assert str(error) == "no answer within 1 s"
        assert setup.asked() == [request_name]


async def test_a_server_that_drips_is_bounded_as_a_whole() -> None:
    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        try:
            while not writer.is_closing():
                writer.write(b" ")
                await writer.drain()
                await asyncio.sleep(0.01)
        finally:
            writer.close()

    async with await asyncio.start_server(drip, HOST, 0) as server:
        port = server.sockets[0].getsockname()[1]
        api = make_api(f"http://{HOST}:{port}", timeout=timedelta(seconds=0.3))
        with pytest.raises(AnswerLost) as caught:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await api.get_deployment("m1")
        assert caught.value.code == "timeout"
        await api.close()


@pytest.mark.parametrize("operation", [HttpBasetenApi.get_deployment, retry])
async def test_a_refused_connection_was_surely_not_sent(
    operation: Callable[[HttpBasetenApi, str], Awaitable[object]],
) -> None:
    with socket.socket() as unheard:
        unheard.bind((HOST, 0))
        api = make_api(f"http://{HOST}:{unheard.getsockname()[1]}")
        with pytest.raises(NotSent) as caught:
            await operation(api, "m1")
        assert caught.value.code == "connect"
        await api.close()


GOOD = {**DEPLOYMENT, "region": "us-east-1", "request_backpressure_settings": {"a": [1]}}


@pytest.mark.parametrize(
    ("created_at", "expected"),
    [
        ("2026-02-01T12:00:00Z", datetime(2026, 2, 1, 12, tzinfo=UTC)),
        ("2026-02-01T12:00:00.123456+02:00", datetime(2026, 2, 1, 10, tzinfo=UTC)),
        ("2026-02-01T12:00:00", datetime(2026, 2, 1, 12, tzinfo=UTC)),
    ],
    ids=["utc", "offset", "naive"],
)
async def test_times_become_utc_and_unknown_fields_are_ignored(
    created_at: str, expected: datetime
) -> None:
    async with running() as setup:
        setup.baseten.always(GET, Reply(body={**GOOD, "created_at": created_at}))
        seen = await setup.api.get_deployment("m1")
        assert seen.ref.created_at == expected
        assert seen.ref.created_at.tzinfo is UTC


def _without(name: str) -> dict[str, object]:
    return {key: value for key, value in DEPLOYMENT.items() if key != name}


UNUSABLE_DEPLOYMENTS = [
    pytest.param({}, id="nothing"),
    pytest.param([DEPLOYMENT], id="a_list"),
    pytest.param(_without("id"), id="no_id"),
    pytest.param(_without("created_at"), id="no_created_at"),
    pytest.param(_without("status"), id="no_status"),
    pytest.param({**DEPLOYMENT, "id": ""}, id="empty_id"),
    pytest.param({**DEPLOYMENT, "id": 7}, id="number_for_id"),
    pytest.param({**DEPLOYMENT, "id": "d\x00"}, id="nul_in_id"),
    pytest.param({**DEPLOYMENT, "id": "d" * 201}, id="long_id"),
    pytest.param({**DEPLOYMENT, "status": "ACTIVE\u202e"}, id="hidden_in_status"),
    pytest.param({**DEPLOYMENT, "status": "ACTIVE\n"}, id="line_break_in_status"),
    pytest.param({**DEPLOYMENT, "status": ""}, id="empty_status"),
    pytest.param({**DEPLOYMENT, "status": None}, id="null_status"),
    pytest.param({**DEPLOYMENT, "created_at": 0}, id="number_for_time"),
    pytest.param({**DEPLOYMENT, "created_at": "yesterday"}, id="no_time"),
    pytest.param({**DEPLOYMENT, "created_at": "0001-01-01T00:00:00+14:00"}, id="before_time"),
]


@pytest.mark.parametrize(
    "body",
    [
        *UNUSABLE_DEPLOYMENTS,
        pytest.param(b"", id="empty"),
        pytest.param(b"<html>Sign in</html>", id="html"),
        pytest.param(b'{"id": "\xff"}', id="not_utf8"),
        pytest.param(b'{"id": "\\ud800"}', id="half_a_character"),
    ],
)
async def test_an_unusable_deployment_is_no_observation(body: object) -> None:
    async with running() as setup:
        setup.baseten.always(GET, Reply(body=body))
        error = await _caught(setup, GET)
        assert (type(error), error.code) == (AnswerLost, "invalid_body")
        assert setup.codes() == [("get_deployment", "invalid_body")]


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({**RETRIED, "retried": "true"}, id="string_for_retried"),
        pytest.param({**RETRIED, "retried": 1}, id="number_for_retried"),
        pytest.param({**RETRIED, "retried": None}, id="null_for_retried"),
        pytest.param({**RETRIED, "reason": {"why": "?"}}, id="object_for_reason"),
        pytest.param({"retried": True}, id="no_deployment"),
        pytest.param({**RETRIED, "deployment": None}, id="null_deployment"),
        pytest.param({**RETRIED, "deployment": {**DEPLOYMENT, "id": ""}}, id="empty_id"),
    ],
)
async def test_a_2xx_that_is_not_strictly_valid_leaves_the_retry_unknown(body: object) -> None:
    async with running() as setup:
        setup.baseten.always(POST, Reply(body=body))
        error = await _caught(setup, POST)
        assert (type(error), error.code) == (AnswerLost, "invalid_body")
        assert setup.asked() == [POST]


async def test_a_huge_answer_is_not_read_to_its_end() -> None:
    async with running() as setup:
        head = b"HTTP/1.1 200 OK\r\nContent-Length: 9000000000\r\n\r\n"
        setup.baseten.once(GET, head + b'{"id": "' + b"x" * 2_000_000)
        error = await _caught(setup, GET)
        assert (type(error), error.code) == (AnswerLost, "invalid_body")
        await setup.api.get_deployment("m1")


async def test_a_huge_error_page_is_still_the_error_that_it_is() -> None:
    async with running() as setup:
        setup.baseten.once(GET, Reply(503, b"x" * 2_000_000))
        error = await _caught(setup, GET)
        assert (type(error), error.code) == (AnswerLost, "503")


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({"message": "bad model", "code": "VALIDATION_ERROR"}, "HTTP 400: bad model"),
        ({"error": "slow down"}, "HTTP 400: slow down"),
        ({"detail": "no such model"}, "HTTP 400: no such model"),
        ({"detail": [{"loc": ["x"], "msg": "a"}, {"msg": "b"}]}, "HTTP 400: a; b"),
        ({"error": {"code": 7, "message": "slow down"}}, "HTTP 400: slow down"),
        ({"errors": ["a", {"message": "b"}]}, "HTTP 400: a; b"),
        ({"errors": {"detail": "a"}}, "HTTP 400: a"),
        ({"message": None, "error": {"code": 7}, "detail": "a"}, "HTTP 400: a"),
        ({"title": "Bad request", "detail": "a", "status": 400}, "HTTP 400: a"),
        ({"error": "invalid", "error_description": "a"}, "HTTP 400: a"),
        ({"errors": {"name": ["is bad"], "id": "is odd"}}, "HTTP 400: name: is bad; id: is odd"),
        ({"error": {"code": "RATE", "status": 400}}, "HTTP 400: RATE"),
        (b'["a", "b"]', "HTTP 400: a; b"),
        (b'"a"', "HTTP 400: a"),
        (b"7", "HTTP 400: (no message)"),
        ({"error": {"nested": 1}}, "HTTP 400: (no message)"),
        (b"<html>", "HTTP 400: (no message)"),
        ({"message": "a\nb\x1b[31m\u202e\u2028c"}, r"HTTP 400: a\nb\x1b[31m\u202e\u2028c"),
        ({"message": f"key {KEY} is odd"}, "HTTP 400: key *** is odd"),
        ({"message": "x" * 501}, f"HTTP 400: {'x' * 487}..."),
        ({"message": "x" * 488 + KEY}, f"HTTP 400: {'x' * 487}..."),
    ],
    ids=[
        "message",
        "error",
        "detail",
        "list_in_detail",
        "mapping_in_error",
        "list_of_errors",
        "mapping_in_errors",
        "first_that_says_something",
        "problem",
        "oauth",
        "by_field",
        "code_alone",
        "list",
        "text",
        "number",
        "object",
        "html",
        "controls",
        "key",
        "long",
        "key_at_the_cut",
    ],
)
async def test_the_apis_own_words_are_made_fit_to_print(body: object, text: str) -> None:
    async with running() as setup:
        setup.baseten.always(POST, Reply(400, body))
        assert str(await _caught(setup, POST)) == text


@pytest.mark.parametrize(
    ("reason", "text"),
    [
        (f"no {KEY}", "no ***"),
        ("a\x00b\r\n\x1b[2Jc", r"a\x00b\r\n\x1b[2Jc"),
        ("x" * 900_000, f"{'x' * 497}..."),
        ("", ""),
    ],
    ids=["key", "controls", "long", "empty"],
)
async def test_a_reason_too_is_made_fit_to_print_and_to_store(reason: str, text: str) -> None:
    async with running() as setup:
        setup.baseten.always(POST, Reply(body={**RETRIED, "retried": False, "reason": reason}))
        assert (await retry(setup.api, "m1")).reason == text


@pytest.mark.parametrize(
    ("model_id", "segment"),
    [
        ("..", "%2E%2E"),
        (".", "%2E"),
        ("../../admin?x=1#y", "%2E%2E%2F%2E%2E%2Fadmin%3Fx%3D1%23y"),
        ("mod\u00e8le 1\r\nX: y", "mod%C3%A8le%201%0D%0AX%3A%20y"),
    ],
    ids=["parent", "same", "traversal", "header"],
)
async def test_no_model_id_leads_out_of_its_path(model_id: str, segment: str) -> None:
    async with running() as setup:
        with pytest.raises(NotFound):
            await setup.api.get_deployment(model_id)
        with pytest.raises(NotFound):
            await retry(setup.api, model_id)
        path = f"/v1/models/{segment}/deployments/development"
        assert setup.asked() == [f"GET {path}", f"POST {path}/retry"]


@pytest.mark.parametrize("request_name", [GET, POST], ids=["get", "post"])
async def test_an_encoding_that_nobody_asked_for_is_a_lost_answer(request_name: str) -> None:
    async with running() as setup:
        body = gzip.compress(b"{}")
        setup.baseten.always(request_name, Reply(200, body, {"Content-Encoding": "gzip"}))
        error = await _caught(setup, request_name)
        assert (type(error), error.code) == (AnswerLost, "invalid_body")
        assert setup.server.requests[0].headers["accept-encoding"] == "identity"


async def test_no_cookie_is_sent_back() -> None:
    async with running() as setup:
        cookie = {"Set-Cookie": "lane=1; Path=/"}
        setup.baseten.once(GET, Reply(body=DEPLOYMENT, headers=cookie))
        for _ in range(2):
            await setup.api.get_deployment("m1")
        assert [each.connection for each in setup.server.requests] == [1, 1]
        assert "cookie" not in setup.server.requests[1].headers


async def test_requests_say_who_asks() -> None:
    async with running() as setup:
        await setup.api.get_deployment("m1")
        await retry(setup.api, "m1")
        for request in setup.server.requests:
            assert request.headers["authorization"] == f"Api-Key {KEY}"
            assert request.headers["user-agent"] == "baseten-watchdog/1.2.3"


@pytest.mark.parametrize(
    ("labels", "opted_out"),
    [
        ({"watchdog": "off"}, True),
        ({"watchdog": "Off"}, True),
        ({"watchdog": "Disabled"}, True),
        ({"watchdog": "'off'"}, True),
        ({"watchdog": 0.0}, True),
        ({"watchdog": "enabled"}, False),
        ({"watchdog": " OFF "}, True),
        ({"watchdog": "false"}, True),
        ({"watchdog": "No"}, True),
        ({"watchdog": 0}, True),
        ({"watchdog": "offline"}, False),
        ({"watchdog": "yes"}, False),
        ({"watchdog": None}, False),
        pytest.param({"watchdog": False}, True, id="an off without quotes in YAML"),
        ({"watchdog": "on"}, False),
        ({"team": "off"}, False),
        ({"watchdog": ["off"]}, False),
        ({}, False),
        (None, False),
        pytest.param("watchdog=off", False, id="not labels at all"),
    ],
)
async def test_a_label_opts_a_deployment_out(labels: object, opted_out: bool) -> None:
    async with running() as setup:
        setup.baseten.always(GET, Reply(body=DEPLOYMENT | {"labels": labels}))
        assert (await setup.api.get_deployment("m1")).opted_out is opted_out


async def test_what_is_listed_is_untrusted() -> None:
    name = {"name": "a\x1b[2Jb", "team_name": "t\u202e"}
    listed = {**name, "id": "m1", "development_deployment_id": "d1", "more": 1}
    strange: list[object] = [
        {**listed, "id": each} for each in ("../m2", "", "m 3", "m" * 65, "m\n", 7)
    ]
    strange += [{**listed, "id": "m4", "name": None}, {"id": "m5", "name": "x"}, "m6"]
    async with running() as setup:
        setup.baseten.always("GET /v1/models", Reply(body={"models": [listed, *strange]}))
        listing = await setup.api.list_models()
        (found,) = listing.models
        assert listing.unreadable == len(strange)
        assert (found.id, found.name, found.team) == ("m1", "a\\x1b[2Jb", "t\\u202e")


@pytest.mark.parametrize(
    "body",
    [{}, {"models": None}, {"models": "none"}, {"models": {}}, [], {"models": {"id": "m1"}}],
    ids=["missing", "null", "text", "object", "bare", "one_model"],
)
async def test_a_list_of_models_that_is_none_is_an_error(body: object) -> None:
    async with running() as setup:
        setup.baseten.always("GET /v1/models", Reply(body=body))
        with pytest.raises(AnswerLost, match="the answer cannot be used") as caught:
            await setup.api.list_models()
        assert caught.value.code == "invalid_body"


async def test_an_entry_that_contradicts_another_one_cannot_be_read() -> None:
    first = {"id": "m1", "name": "a", "team_name": "t", "development_deployment_id": "d1"}
    others = [
        first,
        {**first, "development_deployment_id": None},
        {**first, "name": "b"},
        {**first, "id": "m2"},
        {**first, "id": "m3", "development_deployment_id": ""},
    ]
    async with running() as setup:
        setup.baseten.always("GET /v1/models", Reply(body={"models": [first, *others]}))
        listing = await setup.api.list_models()
        assert [model.id for model in listing.models] == ["m1", "m2"]
        assert listing.unreadable == 3
        assert not listing.whole


async def test_a_list_of_ten_thousand_models_is_read() -> None:
    one = {"name": "n" * 90, "team_name": "t" * 90, "development_deployment_id": "d" * 90}
    models = [{**one, "id": f"m{number}"} for number in range(10_000)]
    async with running() as setup:
        setup.baseten.always("GET /v1/models", Reply(body={"models": models}))
        listing = await setup.api.list_models()
        assert (len(listing.models), listing.whole) == (10_000, True)


SINCE, UNTIL = datetime(2026, 2, 1, tzinfo=UTC), datetime(2026, 2, 1, 0, 30, tzinfo=UTC)
_SPAN = "start_epoch_millis=1769904000000&end_epoch_millis=1769905800000"
_LOGS = f"GET /v1/models/m1/deployments/d%2F1/logs?{_SPAN}&direction=desc&limit=500"
_STARTUPS = f"GET /v1/models/m1/deployments/d%2F1/startups?{_SPAN}&direction=desc&limit=10"
_AUDIT = (
    "GET /v1/models/m1/audit_logs?start_epoch_millis=1769904000000&limit=200&deployment_ids=d%2F1"
    "&event_type_groups=DEPLOYED&event_type_groups=PROMOTED"
    "&event_type_groups=ACTIVATED_DEACTIVATED&event_type_groups=DELETED"
)


def _lines(*messages: str) -> Reply:
    return Reply(body={"logs": [{"message": each, "level": None} for each in messages]})


async def test_the_lines_of_a_log_come_oldest_first_and_without_the_key() -> None:
    async with running() as setup:
        setup.baseten.always(_LOGS, _lines(f"\x1b[31mkey {KEY}\x1b[0m", "50%\r100%", "a\x07b", ""))
        found = await setup.api.log_lines("m1", "d/1", since=SINCE, until=UNTIL)
        assert found == ("a\\x07b", "100%", "key ***")
        setup.baseten.always(_LOGS, _lines())
        assert await setup.api.log_lines("m1", "d/1", since=SINCE, until=UNTIL) == ()


async def test_lines_from_before_the_wanted_time_are_left_out() -> None:
    nanoseconds = int(SINCE.timestamp()) * 10**9
    lines = [
        {"message": "at that time", "timestamp": str(nanoseconds)},
        {"message": "no time that can be read", "timestamp": "yesterday"},
        {"message": "before", "timestamp": str(nanoseconds - 1)},
    ]
    async with running() as setup:
        setup.baseten.always(_LOGS, Reply(body={"logs": lines}))
        found = await setup.api.log_lines("m1", "d/1", since=SINCE, until=UNTIL)
        assert found == ("no time that can be read", "at that time")


async def test_the_phases_of_the_starts_come_oldest_first() -> None:
    def start(outcome: str, *phases: tuple[str, str]) -> dict[str, object]:
        summary = [{"phase": phase, "status": status} for phase, status in phases]
        return {"outcome": outcome, "phase_summary": summary}

    newest = start("STALLED", ("SCHEDULING", "FAILED"))
    oldest = start("FAILED", ("SCHEDULING", "COMPLETED"), ("IMAGE_PULL", "FAILED"))
    async with running() as setup:
        setup.baseten.always(_STARTUPS, Reply(body={"items": [newest, "unreadable", oldest]}))
        found = await setup.api.startups("m1", "d/1", since=SINCE, until=UNTIL)
    assert [(each.phase, each.outcome) for each in found] == [
        ("SCHEDULING", "SUCCESS"),
        ("IMAGE_PULL", "FAILED"),
        ("SCHEDULING", "STALLED"),
    ]


async def test_starts_from_before_the_wanted_time_are_left_out() -> None:
    def start(outcome: str, at: object) -> dict[str, object]:
        phases = [{"phase": "IMAGE_PULL", "status": "FAILED"}]
        return {"outcome": outcome, "phase_summary": phases, "started_at_epoch_millis": at}

    millis = int(SINCE.timestamp()) * 1000
    starts = [start("AT", millis), start("NO_TIME", "yesterday"), start("BEFORE", millis - 1)]
    async with running() as setup:
        setup.baseten.always(_STARTUPS, Reply(body={"items": starts}))
        found = await setup.api.startups("m1", "d/1", since=SINCE, until=UNTIL)
    assert [each.outcome for each in found] == ["NO_TIME", "AT"]


async def test_acts_from_before_the_wanted_time_are_left_out() -> None:
    acts: list[dict[str, object]] = [
        {"created": created, "event_type": "MODEL_DEPLOYED", "actor": {}}
        for created in ("2026-02-01T00:00:00Z", "2026-01-31T23:59:59.999Z")
    ]
    async with running() as setup:
        setup.baseten.always(_AUDIT, Reply(body={"items": acts, "pagination": {}}))
        found = await setup.api.acts("m1", ["d/1"], since=SINCE)
    assert [act.at for act in found] == [SINCE]


@pytest.mark.parametrize(
    ("actor", "name", "own", "by"),
    [
        ({"type": "USER", "email": "ann@example.com"}, "ann@example.com", False, Actor.PERSON),
        ({"type": "API_KEY", "api_key_name": "ci"}, "API key ci", False, Actor.PERSON),
        (
            {"type": "API_KEY", "api_key_prefix": "abcd1234"},
            "API key abcd1234",
            True,
            Actor.PERSON,
        ),
        ({"type": "API_KEY", "api_key_prefix": "other"}, "API key other", False, Actor.PERSON),
        ({"type": "BASETEN_USER"}, "baseten_user", False, Actor.PERSON),
        ({"type": "TOMBSTONE_USER"}, "tombstone_user", False, Actor.PERSON),
        ({"type": "BASETEN_SYSTEM"}, "baseten_system", False, Actor.PLATFORM),
        ({"type": "SOMETHING_NEW"}, "something_new", False, None),
        ({}, "somebody", False, None),
    ],
)
async def test_who_acted(actor: dict[str, str], name: str, own: bool, by: Actor | None) -> None:
    entry = {"created": "2026-02-01T00:00:00Z", "event_type": "MODEL_DEPLOYED", "actor": actor}
    async with running() as setup:
        setup.baseten.always(_AUDIT, Reply(body={"items": [entry], "pagination": {}}))
        (act,) = await setup.api.acts("m1", ["d/1"], since=SINCE)
        assert act == Act(SINCE, "MODEL_DEPLOYED", name, own, by=by)


def _entry(event: str, **data: object) -> dict[str, object]:
    return {
        "created": "2026-02-01T00:00:00Z",
        "event_type": event,
        "event_data": {"event_type": event, "model_id": "m1", "deployment_id": "d/1", **data},
        "actor": {"type": "USER", "email": "ann@example.com"},
    }


@pytest.mark.parametrize(
    "unreadable",
    [
        7,
        None,
        [],
        {},
        _entry("MODEL_DEPLOYED") | {"created": "soon"},
        _entry("MODEL_DEPLOYED") | {"actor": None},
        _entry("MODEL_DEPLOYED") | {"actor": {"type": 7}},
        _entry("MODEL_DEPLOYED") | {"event_type": None},
        _entry("MODEL_DEPLOYED", deployment_id=["d/1"]),
        _entry("MODEL_DEPLOYMENT_RETRIED", retried="yes"),
    ],
)
async def test_an_entry_that_cannot_be_read_does_not_spoil_the_others(unreadable: object) -> None:
    entries = [unreadable, _entry("MODEL_DEPLOYMENT_DEACTIVATED")]
    async with running() as setup:
        setup.baseten.always(_AUDIT, Reply(body={"items": entries, "pagination": {}}))
        (act,) = await setup.api.acts("m1", ["d/1"], since=SINCE)
        assert act.event == "MODEL_DEPLOYMENT_DEACTIVATED"


async def test_a_retry_that_was_refused_did_nothing() -> None:
    entries = [
        _entry("MODEL_DEPLOYMENT_RETRIED", retried=False),
        _entry("MODEL_DEPLOYMENT_RETRIED", retried=True),
        _entry("MODEL_DEPLOYMENT_PROMOTED", environment_name="production", environment_id=None),
    ]
    async with running() as setup:
        setup.baseten.always(_AUDIT, Reply(body={"items": entries, "pagination": {}}))
        acts = await setup.api.acts("m1", ["d/1"], since=SINCE)
        assert [act.event for act in acts] == [
            "MODEL_DEPLOYMENT_RETRIED",
            "MODEL_DEPLOYMENT_PROMOTED",
        ]


async def test_what_is_asked_for_people_decides_nothing_about_the_key() -> None:
    async with running() as setup:
        await setup.api.get_deployment("m1")
        setup.baseten.always("GET /v1/models", Reply(503))
        setup.baseten.always(_AUDIT, Reply(403))
        for _ in range(2):
            with pytest.raises(Forbidden):
                await setup.api.acts("m1", ["d/1"], since=SINCE)
        await setup.api.get_deployment("m1")
        assert setup.asked().count("GET /v1/models") == 0


async def test_a_403_while_the_models_cannot_be_listed_is_about_one_model_if_the_key_was_good() -> (
    None
):
    async with running() as setup:
        other = GET.replace("/m1/", "/m2/")
        setup.baseten.always(other, Reply(403))
        setup.baseten.always("GET /v1/models", Reply(503))
        await setup.api.get_deployment("m1")
        with pytest.raises(Forbidden):
            await setup.api.get_deployment("m2")
        await setup.api.get_deployment("m1")
