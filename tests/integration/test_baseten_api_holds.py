"""When the API demands a pause or refuses the key: what is held, for how long, and what is
reported."""

import asyncio
from collections.abc import Coroutine
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.baseten_http import DEPLOYMENT, KEY, MODEL, RETRIED, ManualClock, Setup, running
from tests.fakes.http_server import Reply, Request
from tests.fakes.retrying import retry
from watchdog.baseten_api import KeySource
from watchdog.baseten_api.gate import Gate, Precedence
from watchdog.domain.limits import GIVE_WAY
from watchdog.domain.records import DecisionReason, Hold
from watchdog.engine.events import ApiHeld, AuthFailed, AuthRecovered, Event
from watchdog.engine.ports import (
    AnswerLost,
    ApiError,
    Denied,
    Forbidden,
    Held,
    NotFound,
    Throttled,
)

GET, POST, LIST = f"GET {MODEL}", f"POST {MODEL}/retry", "GET /v1/models"


async def _throttled(setup: Setup) -> timedelta:
    with pytest.raises(Throttled) as caught:
        await retry(setup.api, "m1")
    return caught.value.hold.until - setup.clock.now()


async def _denied(setup: Setup) -> None:
    with pytest.raises(Denied):
        await setup.api.get_deployment("m1")


async def _forbidden(setup: Setup) -> None:
    with pytest.raises(Forbidden):
        await setup.api.get_deployment("m1")


async def _held(setup: Setup, reason: DecisionReason) -> None:
    with pytest.raises(Held) as caught:
        await setup.api.get_deployment("m1")
    assert (caught.value.hold.reason, caught.value.code) == (reason, "held")


@pytest.mark.parametrize(
    ("body", "headers", "seconds"),
    [
        ({"error": "slow", "retry_after": 37}, {}, 37),
        ({"retry_after": 37.5}, {}, 37.5),
        ({"retry_after": 37}, {"Retry-After": "90"}, 37),
        ({"error": "slow"}, {"Retry-After": "90"}, 90),
        ({"retry_after": "37"}, {}, 37),
        ({"retry_after": "2026-03-01T00:00:37Z"}, {}, 37),
        ({"retry_after": "2026-03-01T02:00:37.5+02:00"}, {}, 37.5),
        ({"retry_after": "2026-03-01 00:00:37"}, {}, 37),
        ({"retry_after": "Sun, 01 Mar 2026 00:00:37 GMT"}, {}, 37),
        ({"retry_after": "2026-03-01T00:01:37Z"}, {"Date": "Sun, 01 Mar 2026 00:01:00 GMT"}, 37),
        ({"retry_after": "soon"}, {"Retry-After": "90"}, 90),
        ({}, {"Retry-After": "Sun, 01 Mar 2026 00:01:30 GMT"}, 90),
        ({"retry_after": "2026-02-01T00:00:00Z"}, {}, 1),
        ({"retry_after": "9999-12-31T23:59:59-23:00"}, {}, 600),
        ({"retry_after": "0001-01-01T00:00:00+23:00"}, {}, 1),
        (b"<html>", {"Retry-After": "90"}, 90),
        ({"retry_after": 0}, {}, 1),
        ({"retry_after": 0.01}, {}, 1),
        ({"retry_after": 86400}, {}, 600),
        (b'{"retry_after": 1e308}', {}, 600),
        (b'{"retry_after": Infinity}', {}, 600),
        (b'{"retry_after": NaN}', {}, 1),
        ({"retry_after": -5}, {}, 1),
        ({}, {}, 1),
        ({}, {"Retry-After": "nan"}, 1),
        ({}, {"Retry-After": "later"}, 1),
    ],
    ids=[
        "body",
        "fraction",
        "body_before_header",
        "header",
        "number_as_text",
        "date",
        "date_with_offset",
        "date_without_zone",
        "http_date",
        "date_by_the_servers_clock",
        "header_after_words_in_body",
        "http_date_in_header",
        "past_date",
        "last_date",
        "first_date",
        "header_of_html",
        "nothing_is_a_second",
        "less_than_a_second",
        "a_day_is_ten_minutes",
        "enormous",
        "infinite",
        "not_a_number",
        "negative",
        "missing",
        "not_a_number_in_header",
        "words_in_header",
    ],
)
async def test_a_429_says_for_how_long(
    body: object, headers: dict[str, str], seconds: float
) -> None:
    async with running() as setup:
        setup.baseten.always(POST, Reply(429, body, headers))
        assert await _throttled(setup) == timedelta(seconds=seconds)
        hold = setup.api.retry_hold("m2")
        assert [(each.operation, each.hold) for each in setup.told(ApiHeld)] == [("retry", hold)]


async def test_a_held_operation_is_not_sent_and_the_others_are() -> None:
    async with running() as setup:
        setup.baseten.always(POST, Reply(429, {"retry_after": 37}))
        await _throttled(setup)
        with pytest.raises(Held) as caught:
            await retry(setup.api, "m2")
        assert caught.value.hold == setup.api.retry_hold("m2")
        assert "retry waits until 00:00:37Z: api_held" in str(caught.value)
        await setup.api.get_deployment("m1")
        assert setup.asked() == [POST, GET]
        assert setup.codes() == [("retry", "429"), ("get_deployment", "200")]


async def test_looks_held_by_a_429_hold_retries_which_begin_with_a_look() -> None:
    async with running() as setup:
        setup.baseten.once(GET, Reply(429, {"retry_after": 37}))
        with pytest.raises(Throttled):
            await setup.api.get_deployment("m1")
        await _held(setup, DecisionReason.API_HELD)
        hold = setup.api.retry_hold("m2")
        assert hold is not None
        assert hold.reason is DecisionReason.API_HELD


async def test_blind_holds_double_to_a_minute_until_something_succeeds() -> None:
    async with running() as setup:
        setup.baseten.always(POST, Reply(429))
        spans = []
        for _ in range(8):
            span = await _throttled(setup)
            spans.append(span.total_seconds())
            setup.clock.advance(seconds=(span + GIVE_WAY).total_seconds())
        assert spans == [1, 2, 4, 8, 16, 32, 60, 60]

        setup.baseten.once(POST, Reply(body=RETRIED))
        await retry(setup.api, "m1")
        assert await _throttled(setup) == timedelta(seconds=1)


async def _burst(setup: Setup, *replies: Reply) -> list[BaseException | object]:
    """As many looks under way at once as there are replies."""
    go_on = asyncio.Event()
    setup.baseten.before_reply = lambda _: go_on.wait()
    setup.baseten.once(GET, *replies)
    looks = [asyncio.create_task(setup.api.get_deployment("m1")) for _ in replies]
    await setup.server.arrived(len(replies))
    go_on.set()
    return await asyncio.gather(*looks, return_exceptions=True)


async def test_one_burst_of_429s_is_one_hold_and_reported_once() -> None:
    async with running() as setup:
        ended = await _burst(setup, *[Reply(429)] * 10)
        holds = {each.hold for each in ended if isinstance(each, Throttled)}
        assert [hold.until - setup.clock.now() for hold in holds] == [timedelta(seconds=1)]
        assert len(setup.told(ApiHeld)) == 1


async def test_a_shorter_429_does_not_shorten_the_hold() -> None:
    async with running() as setup:
        await _burst(setup, *(Reply(429, {"retry_after": each}) for each in (60, 5)))
        setup.clock.advance(seconds=59)
        await _held(setup, DecisionReason.API_HELD)


@pytest.mark.parametrize("hours", [25, -25])
async def test_a_hold_lasts_as_long_whatever_the_clock_says(hours: float) -> None:
    async with running() as setup:
        setup.baseten.always(GET, Reply(429, {"retry_after": 30}))
        with pytest.raises(Throttled):
            await setup.api.get_deployment("m1")
        setup.clock.step(hours=hours)
        setup.clock.advance(seconds=29)
        await _held(setup, DecisionReason.API_HELD)
        hold = setup.api.retry_hold("m2")
        assert hold is not None
        assert hold.until - setup.clock.now() == timedelta(seconds=1)
        setup.clock.advance(seconds=1)
        assert setup.api.retry_hold("m2") is None


@pytest.mark.parametrize("hours", [25, -25])
async def test_there_is_one_probe_a_minute_whatever_the_clock_says(hours: float) -> None:
    async with running() as setup:
        setup.baseten.always(GET, Reply(401))
        await _denied(setup)
        setup.clock.step(hours=hours)
        setup.clock.advance(seconds=59)
        await _held(setup, DecisionReason.AUTH_FAILED)
        setup.clock.advance(seconds=1)
        await _denied(setup)


async def test_401_holds_everything_with_one_probe_a_minute_until_the_key_is_good() -> None:
    async with running() as setup:
        setup.baseten.always(GET, Reply(401))
        assert setup.api.key_accepted is None
        await _denied(setup)
        minute = Hold(DecisionReason.AUTH_FAILED, setup.clock.now() + timedelta(minutes=1))
        assert setup.api.retry_hold("m2") == minute
        assert setup.api.key_accepted is False
        with pytest.raises(Held):
            await retry(setup.api, "m1")
        await _held(setup, DecisionReason.AUTH_FAILED)
        assert setup.asked() == [GET]

        setup.clock.advance(minutes=1)
        await _denied(setup)
        await _held(setup, DecisionReason.AUTH_FAILED)
        assert setup.asked() == [GET, GET]
        assert [(each.code, each.hold) for each in setup.told(AuthFailed)] == [("401", minute)]

        setup.clock.advance(minutes=1)
        setup.baseten.always(GET, Reply(body=DEPLOYMENT))
        await setup.api.get_deployment("m1")
        assert setup.api.retry_hold("m2") is None
        assert setup.api.key_accepted is True
        assert len(setup.told(AuthRecovered)) == 1


async def test_only_one_request_is_the_probe() -> None:
    async with running() as setup:
        setup.baseten.once(GET, Reply(401))
        await _denied(setup)
        setup.clock.advance(minutes=1)
        go_on = asyncio.Event()
        setup.baseten.before_reply = lambda _: go_on.wait()
        probe = asyncio.create_task(setup.api.get_deployment("m1"))
        await setup.server.arrived(2)
        await _held(setup, DecisionReason.AUTH_FAILED)
        go_on.set()
        await probe
        await setup.api.get_deployment("m1")


async def test_a_probe_that_says_nothing_of_the_key_is_the_only_one_in_its_minute() -> None:
    async with running() as setup:
        setup.baseten.once(GET, Reply(401), Reply(500))
        await _denied(setup)
        setup.clock.advance(minutes=1)
        with pytest.raises(AnswerLost):
            await setup.api.get_deployment("m1")
        await _held(setup, DecisionReason.AUTH_FAILED)
        assert setup.told(AuthRecovered) == []


async def test_a_404_says_nothing_of_the_key() -> None:
    async with running() as setup:
        setup.baseten.once(GET, Reply(404))
        with pytest.raises(NotFound):
            await setup.api.get_deployment("m1")
        assert setup.api.key_accepted is None
        setup.baseten.once(GET, Reply(401), Reply(404))
        await _denied(setup)
        setup.clock.advance(minutes=1)
        with pytest.raises(NotFound):
            await setup.api.get_deployment("m1")
        assert setup.api.key_accepted is False
        await _held(setup, DecisionReason.AUTH_FAILED)
        assert setup.told(AuthRecovered) == []
        await setup.api.list_models()
        assert setup.api.key_accepted is True
        assert setup.api.retry_hold("m2") is None
        assert len(setup.told(AuthRecovered)) == 1


HUGE_LIST = Reply(body=b'{"models": ["' + b"x" * 2_000_000 + b'"]}')


@pytest.mark.parametrize(
    "models", [Reply(body={"models": []}), HUGE_LIST], ids=["short", "too_long_to_read"]
)
async def test_403_for_one_model_holds_nothing(models: Reply) -> None:
    async with running() as setup:
        setup.baseten.always(GET, Reply(403))
        setup.baseten.always(LIST, models)
        await _forbidden(setup)
        await _forbidden(setup)
        assert setup.asked() == [GET, LIST, GET, LIST]
        assert setup.api.retry_hold("m2") is None
        assert setup.told(AuthFailed) == []


@pytest.mark.parametrize("status", [401, 403, 404, 429, 500])
async def test_403_and_no_list_of_models_is_the_key(status: int) -> None:
    async with running() as setup:
        setup.baseten.always(GET, Reply(403))
        setup.baseten.always(LIST, Reply(status))
        await _denied(setup)
        hold = setup.api.retry_hold("m2")
        assert hold is not None
        assert hold.reason is DecisionReason.AUTH_FAILED
        assert [each.code for each in setup.told(AuthFailed)] == ["403"]


async def test_the_probe_may_be_of_a_model_that_is_forbidden() -> None:
    async with running() as setup:
        setup.baseten.always(GET, Reply(403))
        setup.baseten.once(LIST, Reply(403))
        await _denied(setup)
        setup.clock.advance(minutes=1)
        await _forbidden(setup)
        assert setup.api.retry_hold("m2") is None
        assert len(setup.told(AuthRecovered)) == 1


async def test_a_throttled_list_of_models_is_not_asked_for_in_its_hold() -> None:
    async with running() as setup:
        setup.baseten.always(GET, Reply(403))
        setup.baseten.always(LIST, Reply(429, {"retry_after": 300}))
        await _denied(setup)
        setup.clock.advance(minutes=1)
        await _denied(setup)
        assert setup.asked() == [GET, LIST, GET]


async def test_a_key_that_changed_in_its_file_is_tried_at_once(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("old-key\n")
    async with running(key=KeySource(file=file)) as setup:
        setup.baseten.once(GET, Reply(401))
        await _denied(setup)
        await _held(setup, DecisionReason.AUTH_FAILED)
        file.write_text("new-key-of-another-length\n")
        await setup.api.get_deployment("m1")
        sent = [each.headers["authorization"] for each in setup.server.requests]
        assert sent == ["Api-Key old-key", "Api-Key new-key-of-another-length"]
        assert len(setup.told(AuthRecovered)) == 1


async def test_the_same_key_sent_by_another_scheme_is_tried_at_once() -> None:
    async with running() as setup:
        setup.baseten.once(GET, Reply(401))
        await _denied(setup)
        await _held(setup, DecisionReason.AUTH_FAILED)
        take_up = setup.api.prepare(
            KeySource(value=KEY, scheme="bearer"),
            request_timeout=timedelta(seconds=9),
            max_requests_per_second=50,
            concurrency=2,
        )
        await take_up()
        await setup.api.get_deployment("m1")
        sent = [each.headers["authorization"] for each in setup.server.requests]
        assert sent == [f"Api-Key {KEY}", f"Bearer {KEY}"]
        assert len(setup.told(AuthRecovered)) == 1


async def test_a_401_for_the_key_before_does_not_hold_the_new_one(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("old-key")
    async with running(key=KeySource(file=file)) as setup:
        go_on = asyncio.Event()

        async def hold_old(request: Request) -> None:
            if "old-key" in request.headers["authorization"]:
                await go_on.wait()

        setup.baseten.before_reply = hold_old
        setup.baseten.always(GET, Reply(401, {"message": "old-key has expired"}))
        late = asyncio.create_task(setup.api.get_deployment("m1"))
        await setup.server.arrived(1)
        file.write_text("new-key-of-another-length")
        await retry(setup.api, "m1")
        go_on.set()
        with pytest.raises(Denied) as caught:
            await late
        assert str(caught.value) == "HTTP 401: *** has expired"
        assert setup.api.retry_hold("m2") is None
        assert setup.told(AuthFailed) == []


async def test_a_403_for_the_previous_key_does_not_restrict_the_new_key(
    tmp_path: Path,
) -> None:
    file = tmp_path / "key"
    file.write_text("old-key")
    async with running(key=KeySource(file=file)) as setup:

        async def change_key(request: Request) -> None:
            if request.method == "POST":
                file.write_text("new-key-of-another-length")

        setup.baseten.before_reply = change_key
        setup.baseten.always(POST, Reply(403))
        with pytest.raises(Denied):
            await retry(setup.api, "m1")
        assert setup.told(AuthFailed) == []
        with pytest.raises(Forbidden):
            await retry(setup.api, "m1")


def test_the_mark_of_a_key_is_not_the_key_and_is_another_one_for_another_api() -> None:
    key = KeySource(value=KEY)
    first, second = key.mark("https://api.baseten.co"), key.mark("https://api.example.com")
    assert first != second
    assert len(first) == 16
    assert not any(part in first for part in KEY.split("."))


def _gate(rate: float) -> Gate:
    def unexpected(event: Event) -> None:
        raise AssertionError(event)

    return Gate(rate, ManualClock(), unexpected)


def _time() -> float:
    return asyncio.get_running_loop().time()


@pytest.mark.looptime
async def test_requests_pass_at_the_rate_and_no_faster() -> None:
    gate = _gate(10)
    passed: list[float] = []

    async def enter() -> None:
        await gate.enter("get_deployment", "m1", precedence=Precedence.USUAL)
        passed.append(_time())

    started = _time()
    await asyncio.gather(*(enter() for _ in range(50)))
    spans = [moment - started for moment in passed]
    # The pace forgives one lateness, so that timers that ring late do not slow it down.
    assert all(sum(first <= span < first + 1 for span in spans) <= 11 for first in spans)
    assert spans[-1] == pytest.approx(4.9)


@pytest.mark.looptime
async def test_the_urgent_pass_before_the_waiting_checks_and_the_optional_after_them() -> None:
    gate = _gate(10)
    order: list[str] = []

    async def enter(name: str, precedence: Precedence) -> None:
        await gate.enter("get_deployment", "m1", precedence=precedence)
        order.append(name)

    given = {
        Precedence.OPTIONAL: ["first", "log", "starts"],
        Precedence.USUAL: ["a", "b", "c"],
        Precedence.URGENT: ["look", "post"],
    }
    tasks = []
    for precedence, names in given.items():
        tasks += [asyncio.create_task(enter(name, precedence)) for name in names]
        await asyncio.sleep(0)
    await asyncio.gather(*tasks)
    assert order == ["first", "look", "post", "a", "b", "c", "log", "starts"]


async def test_a_log_is_read_after_the_checks_that_wait() -> None:
    async with running(rate=10) as setup:

        def begin(*reads: Coroutine[Any, Any, object]) -> list[asyncio.Task[object]]:
            return [asyncio.create_task(each) for each in reads]

        def looks(count: int) -> list[Coroutine[Any, Any, object]]:
            return [setup.api.get_deployment("m1") for _ in range(count)]

        now = setup.clock.now()
        log = setup.api.log_lines("m1", "d1", since=now, until=now)
        await asyncio.gather(*begin(*looks(2), log, *looks(3)), return_exceptions=True)
        assert setup.asked()[:5] == [GET] * 5
        assert "/deployments/d1/logs" in setup.asked()[5]


@pytest.mark.looptime
async def test_cancelled_requests_take_no_turn() -> None:
    gate = _gate(1)
    enter = partial(gate.enter, "get_deployment", "m1", precedence=Precedence.USUAL)
    tasks = [asyncio.create_task(enter()) for _ in range(102)]
    await asyncio.sleep(0)
    for task in tasks[1:101]:
        task.cancel()
    started = _time()
    await tasks[-1]
    assert _time() - started == pytest.approx(1)


async def test_no_hold_or_error_shows_the_key() -> None:
    async with running() as setup:
        setup.baseten.always(GET, Reply(401, {"message": KEY}))
        with pytest.raises(ApiError) as caught:
            await setup.api.get_deployment("m1")
        assert KEY not in repr(caught.value) + repr(setup.events)


async def test_a_turn_to_retry_is_there_when_the_rate_allows_it() -> None:
    async with running(rate=1) as setup:
        for _ in range(2):
            await setup.api.get_deployment("m1")
        began: list[str] = []

        async def have_a_turn() -> None:
            async with setup.api.retry_turn("m1"):
                began.append("its turn")

        waiting = asyncio.create_task(have_a_turn())
        await asyncio.sleep(0)
        assert began == []
        await waiting
    assert began == ["its turn"]
