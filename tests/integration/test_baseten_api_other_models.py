"""Answers that are not about what was asked for, and bytes that come after an answer."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest
import trustme

from tests.fakes.baseten_http import DEPLOYMENT, MODEL, RETRIED, make_api, running
from tests.fakes.http_server import HOST, ConnectProxy, Reply
from tests.fakes.retrying import retry
from watchdog.baseten_api import HttpBasetenApi
from watchdog.engine.ports import AnswerLost, ApiError

GET, POST = f"GET {MODEL}", f"POST {MODEL}/retry"
SINCE = datetime(2026, 2, 1, tzinfo=UTC)
AUDIT = (
    "GET /v1/models/m1/audit_logs?start_epoch_millis=1769904000000&limit=200&deployment_ids=d1"
    "&event_type_groups=DEPLOYED&event_type_groups=PROMOTED"
    "&event_type_groups=ACTIVATED_DEACTIVATED&event_type_groups=DELETED"
)


def _without(name: str) -> dict[str, object]:
    return {key: value for key, value in DEPLOYMENT.items() if key != name}


NOT_ABOUT_IT = [
    pytest.param({**DEPLOYMENT, "model_id": "m2"}, id="another_model"),
    pytest.param({**DEPLOYMENT, "model_id": "M1"}, id="another_case"),
    pytest.param(_without("model_id"), id="no_model"),
    pytest.param({**DEPLOYMENT, "model_id": None}, id="null_model"),
    pytest.param({**DEPLOYMENT, "model_id": ["m1"]}, id="list_of_models"),
    pytest.param({**DEPLOYMENT, "is_development": False}, id="no_development_deployment"),
    pytest.param(_without("is_development"), id="nothing_of_development"),
    pytest.param({**DEPLOYMENT, "is_development": None}, id="null_development"),
    pytest.param({**DEPLOYMENT, "is_development": 1}, id="number_for_development"),
    pytest.param({**DEPLOYMENT, "is_development": "true"}, id="text_for_development"),
]


async def _caught(asked: Awaitable[object]) -> ApiError:
    with pytest.raises(ApiError) as caught:
        await asked
    return caught.value


@pytest.mark.parametrize("body", NOT_ABOUT_IT)
async def test_a_look_that_is_answered_about_another_deployment_saw_nothing(
    body: dict[str, object],
) -> None:
    async with running() as setup:
        setup.baseten.once(GET, Reply(body=body))
        error = await _caught(setup.api.get_deployment("m1"))
        assert (type(error), error.code) == (AnswerLost, "invalid_body")
        assert "\n" not in str(error)
        assert (await setup.api.get_deployment("m1")).status == "BUILD_FAILED"
        assert setup.codes() == [("get_deployment", "invalid_body"), ("get_deployment", "200")]
        # The server that gave a wrong answer may give the next request a wrong one too.
        assert [each.connection for each in setup.server.requests] == [1, 2]


@pytest.mark.parametrize("body", NOT_ABOUT_IT)
async def test_a_retry_that_is_answered_about_another_deployment_may_have_been_executed(
    body: dict[str, object],
) -> None:
    async with running() as setup:
        setup.baseten.always(POST, Reply(body={**RETRIED, "deployment": body}))
        error = await _caught(retry(setup.api, "m1"))
        assert (type(error), error.code) == (AnswerLost, "invalid_body")
        assert setup.asked() == [POST]


async def test_the_error_says_what_is_wrong_with_the_answer() -> None:
    async with running() as setup:
        setup.baseten.once(GET, Reply(body={**DEPLOYMENT, "model_id": "m2"}))
        error = await _caught(setup.api.get_deployment("m1"))
        assert str(error) == "the answer cannot be used: model_id: it is about another model"


async def test_what_was_done_to_another_model_is_not_taken_for_what_was_done_to_this_one() -> None:
    def entry(**data: object) -> dict[str, object]:
        return {
            "created": "2026-02-01T00:00:00Z",
            "event_type": "MODEL_DEPLOYED",
            "event_data": {"event_type": "MODEL_DEPLOYED", **data},
            "actor": {"type": "USER", "email": str(data)},
        }

    entries = [
        entry(model_id="m1", deployment_id="d1"),
        entry(model_id="m2", deployment_id="d1"),
        entry(model_id=None),
        entry(model_id=7),
        entry(),
    ]
    async with running() as setup:
        setup.baseten.always(AUDIT, Reply(body={"items": entries, "pagination": {}}))
        acts = await setup.api.acts("m1", ["d1"], since=SINCE)
        assert [act.actor for act in acts] == [
            str({"model_id": "m1", "deployment_id": "d1"}),
            str({"model_id": None}),
            "{}",
        ]


async def test_an_answer_that_cannot_be_read_ends_its_connection() -> None:
    async with running() as setup:
        setup.baseten.once(GET, Reply(body=b"<html>"))
        await _caught(setup.api.get_deployment("m1"))
        await setup.api.get_deployment("m1")
        assert [each.connection for each in setup.server.requests] == [1, 2]


def _answer(model_id: str, status: str) -> bytes:
    return Reply(body={**DEPLOYMENT, "model_id": model_id, "status": status}).encode()


class Talker:
    """Answers the first request of each connection with more than one answer, or more bytes."""

    def __init__(self, *more: bytes) -> None:
        self.more = more
        self.asked: list[tuple[int, str]] = []
        self._connections = 0

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections += 1
        number, more = self._connections, self.more
        with suppress(asyncio.IncompleteReadError, OSError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                model_id = head.split(b"/")[3].decode()
                self.asked.append((number, model_id))
                writer.write(_answer(model_id, "ACTIVE"))
                for each in more:
                    writer.write(each)
                more = ()
        writer.close()


EXTRA = [
    pytest.param([_answer("m1", "BUILD_FAILED")], id="an_answer_about_the_same_model"),
    pytest.param([_answer("m2", "BUILD_FAILED")], id="an_answer_about_the_next_one"),
    pytest.param([b"\r\n"], id="an_empty_line"),
    pytest.param([b"HTTP/1.1 200 OK\r\nContent-Le"], id="a_part_of_an_answer"),
    pytest.param([b"HTTP/1.1 100 Continue\r\n\r\n"], id="an_interim_answer"),
]


@asynccontextmanager
async def _at(url: str) -> AsyncIterator[HttpBasetenApi]:
    api = make_api(url)
    try:
        yield api
    finally:
        await api.close()


@asynccontextmanager
async def _served(
    talker: Talker, tls: ssl.SSLContext | None = None
) -> AsyncIterator[HttpBasetenApi]:
    async with await asyncio.start_server(talker, HOST, 0, ssl=tls) as server:
        port = server.sockets[0].getsockname()[1]
        async with _at(f"{'https' if tls else 'http'}://{HOST}:{port}") as api:
            yield api


async def _look_at_both(api: HttpBasetenApi, talker: Talker) -> None:
    seen = [(await api.get_deployment(each)).status for each in ("m1", "m2", "m1", "m2")]
    assert seen == ["ACTIVE"] * 4
    # Each connection that said more than it was asked is left, and the next one says so too.
    assert talker.asked == [(1, "m1"), (2, "m2"), (3, "m1"), (4, "m2")]


@pytest.mark.parametrize("more", EXTRA)
async def test_bytes_after_an_answer_answer_no_other_request(more: list[bytes]) -> None:
    talker = Talker(*more)
    async with _served(talker) as api:
        await _look_at_both(api, talker)


@pytest.fixture
def tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    ca, context = trustme.CA(), ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    ca.issue_cert(HOST, "api.baseten.test").configure_cert(context)
    ca.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    monkeypatch.delenv("SSL_CERT_DIR", raising=False)
    return context


@pytest.mark.parametrize("more", EXTRA)
async def test_nor_do_bytes_after_an_answer_over_tls(
    more: list[bytes], tls: ssl.SSLContext
) -> None:
    talker = Talker(*more)
    async with _served(talker, tls) as api:
        await _look_at_both(api, talker)


@pytest.mark.parametrize("more", EXTRA)
async def test_nor_do_bytes_after_an_answer_through_a_proxy(
    more: list[bytes], tls: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    talker = Talker(*more)
    async with (
        await asyncio.start_server(talker, HOST, 0, ssl=tls) as server,
        ConnectProxy(server.sockets[0].getsockname()[1]) as proxy,
    ):
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        async with _at("https://api.baseten.test") as api:
            await _look_at_both(api, talker)


async def test_bytes_that_come_while_a_connection_is_idle_end_it() -> None:
    writers: list[asyncio.StreamWriter] = []

    class Late(Talker):
        async def __call__(
            self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
        ) -> None:
            writers.append(writer)
            await super().__call__(reader, writer)

    talker = Late()
    async with _served(talker) as api:
        await api.get_deployment("m1")
        writers[0].write(_answer("m2", "BUILD_FAILED"))
        await writers[0].drain()
        assert (await api.get_deployment("m2")).status == "ACTIVE"
    assert talker.asked == [(1, "m1"), (2, "m2")]


@pytest.mark.parametrize("encrypted", [False, True], ids=["plain", "tls"])
async def test_a_connection_that_says_no_more_than_it_was_asked_is_kept(
    encrypted: bool, tls: ssl.SSLContext
) -> None:
    talker = Talker()
    async with _served(talker, tls if encrypted else None) as api:
        for _ in range(5):
            await api.get_deployment("m1")
    assert talker.asked == [(1, "m1")] * 5
