"""A request on a connection that gives nothing, as behind a NAT that forgot it."""

import asyncio
import time
from datetime import timedelta
from pathlib import Path

import pytest

from tests.fakes.baseten_http import DEPLOYMENT, MODEL, Setup, running
from tests.fakes.http_server import Reply, Request
from tests.fakes.processes import PATIENCE_SECONDS
from tests.fakes.retrying import retry
from watchdog.engine.ports import AnswerLost

LOOK = f"GET {MODEL}"


def _connections(setup: Setup) -> list[int]:
    return [each.connection for each in setup.server.requests]


async def test_a_look_on_a_connection_that_breaks_without_an_answer_is_asked_once_more() -> None:
    async with running() as setup:
        setup.baseten.once(LOOK, Reply(body=DEPLOYMENT), None)
        await setup.api.get_deployment("m1")
        assert (await setup.api.get_deployment("m1")).status == "BUILD_FAILED"
        assert _connections(setup) == [1, 1, 2]
        assert [code for _, code in setup.codes()] == ["200", "connect", "200"]


async def test_a_look_is_asked_no_third_time() -> None:
    async with running() as setup:
        setup.baseten.once(LOOK, Reply(body=DEPLOYMENT), None, None)
        await setup.api.get_deployment("m1")
        with pytest.raises(AnswerLost):
            await setup.api.get_deployment("m1")
        assert _connections(setup) == [1, 1, 2]


async def test_a_look_on_a_connection_that_is_silent_is_asked_once_more_in_time() -> None:
    async with running(time_limit=timedelta(seconds=4)) as setup:
        await setup.api.get_deployment("m1")

        async def forget(request: Request) -> None:
            if request.connection == 1:
                await asyncio.Event().wait()

        setup.baseten.before_reply = forget
        assert (await setup.api.get_deployment("m1")).status == "BUILD_FAILED"
        assert (await setup.api.get_deployment("m1")).status == "BUILD_FAILED"
        assert _connections(setup) == [1, 1, 2, 3]


async def test_a_slow_answer_counts_though_the_request_was_sent_again() -> None:
    async with running(time_limit=timedelta(seconds=4)) as setup:
        await setup.api.get_deployment("m1")

        async def answer_only_the_first(request: Request) -> None:
            if request.connection != 1:
                await asyncio.Event().wait()
            await setup.server.arrived(3)

        setup.baseten.before_reply = answer_only_the_first
        assert (await setup.api.get_deployment("m1")).status == "BUILD_FAILED"
        assert _connections(setup) == [1, 1, 2]


@pytest.mark.parametrize("half", [b"HTTP/1.1 200 OK\r\n", b"nonsense\r\n\r\n"])
async def test_a_look_that_was_answered_in_part_is_not_asked_again(half: bytes) -> None:
    async with running() as setup:
        setup.baseten.once(LOOK, Reply(body=DEPLOYMENT), half)
        await setup.api.get_deployment("m1")
        with pytest.raises(AnswerLost):
            await setup.api.get_deployment("m1")
        assert _connections(setup) == [1, 1]


async def test_a_look_on_a_new_connection_is_not_asked_again() -> None:
    async with running() as setup:
        setup.baseten.once(LOOK, None)
        with pytest.raises(AnswerLost):
            await setup.api.get_deployment("m1")
        assert _connections(setup) == [1]


async def test_a_look_on_a_connection_that_was_opened_again_is_not_asked_again() -> None:
    async with running() as setup:
        setup.baseten.once(LOOK, Reply(body=DEPLOYMENT).encode(), None)
        await setup.api.get_deployment("m1")
        await setup.server.all_closed()
        with pytest.raises(AnswerLost):
            await setup.api.get_deployment("m1")
        assert _connections(setup) == [1, 2]


async def test_a_retry_is_never_sent_again() -> None:
    async with running() as setup:
        setup.baseten.always(f"POST {MODEL}/retry", None)
        await setup.api.get_deployment("m1")
        with pytest.raises(AnswerLost):
            await retry(setup.api, "m1")
        assert setup.asked() == [LOOK, f"POST {MODEL}/retry"]


async def test_the_second_request_takes_its_turn_at_the_rate() -> None:
    async with running(rate=4) as setup:
        setup.baseten.once(LOOK, Reply(body=DEPLOYMENT), None)
        started = time.monotonic()
        for _ in range(3):
            await setup.api.get_deployment("m1")
        # The pace forgives one lateness.
        assert time.monotonic() - started >= 0.5
        assert len(setup.server.requests) == 4


async def test_no_second_request_is_sent_while_looks_are_held() -> None:
    async with running() as setup:
        other = MODEL.replace("m1", "m2")
        setup.baseten.once(LOOK, Reply(body=DEPLOYMENT), None)
        setup.baseten.once(f"GET {other}", Reply(429, {"retry_after": 60}))
        await setup.api.get_deployment("m1")

        async def hold(request: Request) -> None:
            if request.connection == 1:
                setup.baseten.before_reply = None
                await asyncio.gather(setup.api.get_deployment("m2"), return_exceptions=True)

        setup.baseten.before_reply = hold
        with pytest.raises(AnswerLost, match="broke"):
            await setup.api.get_deployment("m1")
        assert setup.asked() == [LOOK, LOOK, f"GET {other}"]


def _timers(port: int) -> list[str]:
    """The timers that the kernel runs for the connections to a port; 02 sends keep-alive probes."""
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    established, wanted = "01", f":{port:04X}"
    return [
        line[5].partition(":")[0]
        for line in lines
        if line[2].endswith(wanted) and line[3] == established
    ]


async def test_idle_connections_are_kept_alive() -> None:
    async with running() as setup:
        await setup.api.get_deployment("m1")
        async with asyncio.timeout(PATIENCE_SECONDS):
            # While data is not acknowledged the kernel runs another timer.
            while "02" not in _timers(setup.server.port):  # noqa: ASYNC110 - the kernel has no event
                await asyncio.sleep(0.05)
