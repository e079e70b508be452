"""Messages to real receivers on loopback."""

import asyncio
import inspect
import json
import re
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
from apprise.plugins import N_MGR
from apprise.plugins.base import NotifyBase
from apprise.plugins.slack import NotifySlack

from tests.fakes.http_server import HOST, Reply, Request, ScriptedServer
from tests.fakes.mail_server import mail_server
from tests.fakes.processes import PATIENCE_SECONDS
from watchdog.app.notifying import sample
from watchdog.engine.ports import Delivery
from watchdog.notify import Address, Links, NotifyProblem, Receivers, notifier, services
from watchdog.notify.webhook import asked_wait

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
NOTICES = [sample(NOW)]
LINKS = Links("https://watchdog.example.com")
SECRET = "T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ"


async def send(url: str) -> Delivery:
    return await Receivers({"ops": Address(url)}, LINKS).send("ops", NOTICES)


@asynccontextmanager
async def answering(*replies: Reply | bytes | None) -> AsyncIterator[ScriptedServer]:
    """A server that gives these answers, the last one again and again."""
    left = list(replies)

    async def handler(_: Request) -> Reply | bytes | None:
        return left.pop(0) if len(left) > 1 else left[0]

    async with ScriptedServer(handler) as server:
        yield server


async def test_a_plain_webhook_gets_the_documented_body() -> None:
    async with answering(Reply(200, b"thanks")) as server:
        delivery = await send(f"{server.url}/hook?token=s3cr3t-token")
    assert delivery == Delivery(sent=True, answer="HTTP 200: thanks")
    (request,) = server.requests
    body = json.loads(request.body)
    assert (request.method, request.target) == ("POST", "/hook?token=s3cr3t-token")
    assert request.headers["content-type"] == "application/json"
    assert (body["version"], body["source"]) == (1, "baseten-watchdog")
    (notice,) = body["notices"]
    assert (notice["event"], notice["model_id"], notice["cause"]) == (
        "gave_up",
        "abc12345",
        "dependency",
    )
    assert notice["page_url"] == "https://watchdog.example.com/targets/abc12345"
    assert notice["logs_url"] == "https://app.baseten.co/models/abc12345/logs/def67890"


async def test_mail_arrives_as_plain_text_with_the_title_as_its_subject() -> None:
    async with mail_server() as mailbox:
        url = (
            f"mailto://{HOST}:{mailbox.port}?from=watchdog@example.com&to=ops@example.com"
            "&mode=insecure&format=text"
        )
        delivery = await send(url)
        (mail,) = mailbox.mails
        mailbox.refusal = "554 no thanks"
        refused = await send(url)
    assert delivery.sent
    assert mail["Subject"] == "sample-model is failing, and the watchdog gave up"
    assert "baseten-watchdog reset abc12345" in mail.get_content()
    assert not refused.sent


@pytest.mark.parametrize(
    ("reply", "delivery"),
    [
        pytest.param(Reply(200, b"ok"), Delivery(True, "HTTP 200: ok"), id="taken"),
        pytest.param(
            Reply(403, b"action_prohibited"),
            Delivery(False, "HTTP 403: action_prohibited"),
            id="prohibited",
        ),
        pytest.param(Reply(404, b"no_team"), Delivery(False, "HTTP 404: no_team"), id="no-team"),
        pytest.param(
            Reply(410, b"channel_is_archived"),
            Delivery(False, "HTTP 410: channel_is_archived"),
            id="archived",
        ),
        pytest.param(
            Reply(429, b"rate_limited", {"Retry-After": "30"}),
            Delivery(False, "HTTP 429: rate_limited", timedelta(seconds=30)),
            id="too-many",
        ),
        pytest.param(
            Reply(500, b"rollup_error"), Delivery(False, "HTTP 500: rollup_error"), id="error"
        ),
    ],
)
async def test_slacks_documented_answers(
    monkeypatch: pytest.MonkeyPatch, reply: Reply, delivery: Delivery
) -> None:
    async with answering(reply) as server:
        monkeypatch.setattr(NotifySlack, "webhook_url", f"{server.url}/services")
        found = await send(f"https://hooks.slack.com/services/{SECRET}")
        (request,) = server.requests
    assert found == delivery
    assert request.target == f"/services/{SECRET}"
    assert "sample-model is failing" in request.body.decode()


async def test_a_webhook_that_asks_to_wait_is_believed() -> None:
    async with answering(Reply(429, b"", {"Retry-After": "120"})) as server:
        delivery = await send(f"{server.url}/hook")
    assert delivery == Delivery(False, "HTTP 429", timedelta(minutes=2))


@pytest.mark.parametrize(
    ("header", "wait"),
    [
        (None, None),
        ("30", timedelta(seconds=30)),
        (" 0 ", timedelta(0)),
        ("9" * 30, timedelta(days=1)),
        (format_datetime(NOW + timedelta(minutes=5), usegmt=True), timedelta(minutes=5)),
        (format_datetime(NOW - timedelta(minutes=5), usegmt=True), timedelta(0)),
        ("soon", None),
        ("-5", None),
    ],
)
def test_what_retry_after_asks_for(header: str | None, wait: timedelta | None) -> None:
    assert asked_wait(header, NOW) == wait


async def test_a_redirect_is_not_followed() -> None:
    async with answering(Reply(302, b"", {"Location": "/other"})) as server:
        delivery = await send(f"{server.url}/hook")
        assert len(server.requests) == 1
    assert delivery == Delivery(sent=False, answer="HTTP 302")


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(b"Content-Length: 100\r\n\r\ntaken", id="cut off"),
        pytest.param(b"Content-Encoding: gzip\r\nContent-Length: 5\r\n\r\ntaken", id="not gzip"),
    ],
)
async def test_a_2xx_answer_means_taken_also_if_its_text_cannot_be_read(answer: bytes) -> None:
    async with answering(b"HTTP/1.1 200 OK\r\n" + answer) as server:
        delivery = await send(f"{server.url}/hook")
    assert delivery.sent
    assert delivery.answer.startswith("HTTP 200")


async def test_a_connection_that_ends_without_an_answer_is_said_in_words() -> None:
    async with answering(b"") as server:
        delivery = await send(f"{server.url}/hook")
    assert not delivery.sent
    assert re.fullmatch(r"\w+Error: \w.*", delivery.answer)


async def test_what_one_receiver_has_wrong_is_its_answer_if_nothing_is_checked() -> None:
    receivers = Receivers({"ops": Address("https:///s3cr3t")}, LINKS, check=False)
    delivery = await receivers.send("ops", NOTICES)
    assert delivery == Delivery(False, "its URL cannot be used: it names no host")


async def test_nobody_listens() -> None:
    async with answering(None) as server:
        url = server.url
    for each in (f"{url}/hook/s3cr3t", f"json://{HOST}:{server.port}/s3cr3t"):
        delivery = await send(each)
        assert not delivery.sent
        assert delivery.answer
        assert "s3cr3t" not in delivery.answer


async def test_a_receiver_that_hangs_is_given_up_and_has_one_thread(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(notifier, "LONGEST_SEND", timedelta(seconds=0.5))
    release = asyncio.Event()

    async def hang(_: Request) -> Reply | bytes | None:
        await release.wait()
        return None

    async with ScriptedServer(hang) as server:
        urls = {"hook": f"{server.url}/hook", "service": f"json://{HOST}:{server.port}/?rto=60"}
        receivers = Receivers({name: Address(url) for name, url in urls.items()}, LINKS)
        for name in urls:
            assert await receivers.send(name, NOTICES) == Delivery(
                sent=False, answer="it did not answer within 0 s"
            )
        again = await receivers.send("service", NOTICES)
        assert again == Delivery(sent=False, answer="it has not answered the last message yet")
        (thread,) = [each for each in threading.enumerate() if each.name == "notify"]
        assert thread.daemon  # The process can end.
        release.set()
        await asyncio.to_thread(thread.join, PATIENCE_SECONDS)
        assert not thread.is_alive()


@pytest.mark.parametrize(
    ("url", "answer"),
    [
        pytest.param("{base}/hook/s3cr3t-path", "no /hook/s3cr3t-path", id="path"),
        pytest.param("{base}/?token=s3cr3t-value", "bad token s3cr3t-value", id="query"),
        pytest.param("http://ann:s3cr3t-pass@{host}/", "no s3cr3t-pass for ann", id="password"),
        pytest.param("{base}/s3cr3t%20blank", "no s3cr3t blank", id="escaped"),
        pytest.param("json://{host}/s3cr3t-path", "no s3cr3t-path", id="a-service"),
    ],
)
async def test_an_answer_shows_no_part_of_the_url(url: str, answer: str) -> None:
    async with answering(Reply(400, answer.encode())) as server:
        delivery = await send(url.format(base=server.url, host=f"{HOST}:{server.port}"))
    assert delivery.answer.startswith("HTTP 400: ")
    assert "***" in delivery.answer
    assert "s3cr3t" not in delivery.answer


async def test_an_answer_is_one_short_line() -> None:
    async with answering(Reply(400, b"\x1b[31mred\nsecond " + b"x" * 100_000)) as server:
        delivery = await send(f"{server.url}/hook")
    assert delivery.answer == "HTTP 400: \\x1b[31mred"


async def test_a_url_in_a_file_is_read_for_each_message(tmp_path: Path) -> None:
    async with answering(Reply(200, b"ok")) as server:
        file = tmp_path / "url"
        file.write_text(f"{server.url}/first\n")
        receivers = Receivers({"ops": Address(file=file)}, LINKS)
        await receivers.send("ops", NOTICES)
        file.write_text(f"{server.url}/second\n")
        await receivers.send("ops", NOTICES)
        file.unlink()
        missing = await receivers.send("ops", NOTICES)
    assert [request.target for request in server.requests] == ["/first", "/second"]
    assert missing.answer == f"the file {file} cannot be read: No such file or directory"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "  ",
        "s3cr3t",
        "nonsense://s3cr3t",
        "slack://s3cr3t",
        "https:///s3cr3t",
        "https://ann:s3cr3t/pass@ops.example.com",
        "https://ops.example.com:99999/s3cr3t",
        "https://[::1/s3cr3t",
        "https://ops.example.com/s3cr3t\nhttps://ops.example.com/second",
    ],
)
def test_a_url_that_cannot_be_used_is_not_shown(
    url: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(NotifyProblem, match=r"^notify: ops: its URL (is|cannot be used)") as caught:
        Receivers({"ops": Address(url)}, LINKS)
    assert "s3cr3t" not in str(caught.value)
    assert "s3cr3t" not in "".join(capfd.readouterr())


async def test_what_is_prepared_takes_the_place_of_what_was_there() -> None:
    async with answering(Reply(200, b"ok")) as server:
        receivers = Receivers({"old": Address(f"{server.url}/old")}, LINKS)
        take_up = receivers.prepare({"new": Address(f"{server.url}/new")}, LINKS)
        assert (await receivers.send("old", NOTICES)).sent
        take_up()
        assert (await receivers.send("new", NOTICES)).sent
        gone = await receivers.send("old", NOTICES)
    assert gone == Delivery(sent=False, answer="it is not configured any more")


async def test_the_event_loop_goes_on_while_a_service_waits_for_its_answer() -> None:
    async def late(_: Request) -> Reply | bytes | None:
        await asyncio.sleep(0.2)
        return Reply(200, b"ok")

    async with ScriptedServer(late) as server:
        started = time.monotonic()
        sent = await asyncio.gather(*(send(f"json://{HOST}:{server.port}/{n}") for n in "abc"))
    assert all(each.sent for each in sent)
    assert time.monotonic() - started < PATIENCE_SECONDS


def test_apprise_is_asked_about_each_url_that_it_may_know() -> None:
    """A service that a version of Apprise adds has to be among those of this program."""
    assert services.service_of("json://localhost")  # Apprise loads its services now.
    know_urls = [
        service.parse_native_url
        for service in N_MGR.plugins()  # type: ignore[no-untyped-call]
        if service.parse_native_url is not NotifyBase.parse_native_url
    ]
    assert len(know_urls) > 30
    for parse in know_urls:
        said = inspect.getsource(parse).replace("\\", "").lower()
        named = set(re.split(r"[^a-z0-9-]+", said)) & services.SERVICES
        assert named or "not supported" in said, parse


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://hooks.slack.com/services/T/B/x", False),
        ("https://hooks.slack-gov.com/services/T/B/x", False),
        ("HTTPS://DISCORD.com/api/webhooks/1/x", False),
        ("https://prod-1.westeurope.logic.azure.com:443/workflows/x", False),
        ("https://x.1.environment.api.powerplatform.com/workflows/x", False),
        ("https://ann:pass@api.46elks.com/a1/sms?to=1", False),
        ("mailto://ann:pass@example.com", False),
        ("nonsense", False),
        ("https://[", False),
        ("https://watch.example.com/slack", True),
        ("http://127.0.0.1:8080/hook?token=discord", True),
        ("http://[::1]:8080/hook", True),
        ("https://hooks/", True),
    ],
)
def test_a_plain_webhook_is_known_without_apprise(url: str, expected: bool) -> None:
    assert services.is_webhook(url) is expected
