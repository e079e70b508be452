"""How the adapter uses its connections, and the traps of its libraries."""

import asyncio
import sys
from collections.abc import Iterator
from importlib.abc import MetaPathFinder

import pytest

from tests.fakes.baseten_http import DEPLOYMENT, MODEL, Setup, running
from tests.fakes.http_server import Reply, Request
from tests.fakes.processes import PATIENCE_SECONDS
from tests.fakes.retrying import retry
from watchdog.engine.events import ApiRequested
from watchdog.engine.ports import AnswerLost


async def _look(setup: Setup, times: int = 1) -> None:
    for _ in range(times):
        await setup.api.get_deployment("m1")


def _connections_of(setup: Setup, method: str) -> list[int]:
    return [each.connection for each in setup.server.requests if each.method == method]


async def test_looks_reuse_one_connection() -> None:
    async with running() as setup:
        await _look(setup, 10)
        assert _connections_of(setup, "GET") == [1] * 10


async def test_looks_at_a_time_have_a_connection_each_and_never_more_than_the_workers() -> None:
    async with running(concurrency=4) as setup:
        go_on = asyncio.Event()
        setup.baseten.before_reply = lambda _: go_on.wait()
        looks = [asyncio.create_task(setup.api.get_deployment("m1")) for _ in range(12)]
        await setup.server.arrived(4)
        await asyncio.sleep(0)
        assert sorted(_connections_of(setup, "GET")) == [1, 2, 3, 4]
        go_on.set()
        await asyncio.gather(*looks)
        assert len(setup.server.requests) == 12
        assert setup.server.connections == 4


async def test_few_looks_share_the_connection_used_last() -> None:
    async with running() as setup:
        await asyncio.gather(*(setup.api.get_deployment("m1") for _ in range(5)))
        before = len(setup.server.requests)
        await _look(setup, 5)
        assert len({each.connection for each in setup.server.requests[before:]}) == 1


async def test_each_post_opens_a_connection_of_its_own() -> None:
    async with running() as setup:
        await _look(setup)
        await retry(setup.api, "m1")
        await _look(setup)
        await retry(setup.api, "m1")
        assert _connections_of(setup, "GET") == [1, 1]
        assert _connections_of(setup, "POST") == [2, 3]


async def test_a_look_does_not_suffer_from_a_connection_that_an_answer_ended() -> None:
    async with running() as setup:
        setup.baseten.once(f"GET {MODEL}", Reply(500, headers={"Connection": "close"}))
        with pytest.raises(AnswerLost):
            await _look(setup)
        await _look(setup)
        assert _connections_of(setup, "GET") == [1, 2]


async def test_a_look_does_not_suffer_from_a_connection_closed_while_idle() -> None:
    async with running() as setup:
        setup.baseten.once(f"GET {MODEL}", Reply(body=DEPLOYMENT).encode())
        await _look(setup)
        await setup.server.all_closed()
        await _look(setup)
        assert _connections_of(setup, "GET") == [1, 2]


async def test_a_storm_of_cancelled_looks_leaves_every_later_one_answered() -> None:
    async with running(concurrency=10) as setup:
        go_on = asyncio.Event()
        setup.baseten.before_reply = lambda _: go_on.wait()
        for storm in range(1, 4):
            looks = [asyncio.create_task(setup.api.get_deployment("m1")) for _ in range(50)]
            await setup.server.arrived(10 * storm)
            for look in looks:
                look.cancel()
            ended = await asyncio.gather(*looks, return_exceptions=True)
            assert {type(each) for each in ended} == {asyncio.CancelledError}
        go_on.set()
        async with asyncio.timeout(PATIENCE_SECONDS):
            await asyncio.gather(*(setup.api.get_deployment("m1") for _ in range(100)))


async def test_looks_cancelled_at_any_moment_leave_every_later_one_answered() -> None:
    async with running(concurrency=5) as setup:
        for steps in range(40):
            looks = [asyncio.create_task(setup.api.get_deployment("m1")) for _ in range(8)]
            for _ in range(steps):
                await asyncio.sleep(0)
            for look in looks:
                look.cancel()
            await asyncio.gather(*looks, return_exceptions=True)
        async with asyncio.timeout(PATIENCE_SECONDS):
            await asyncio.gather(*(setup.api.get_deployment("m1") for _ in range(100)))


async def test_a_cancelled_request_is_not_reported_as_answered() -> None:
    async with running() as setup:
        setup.baseten.before_reply = lambda _: asyncio.Event().wait()
        look = asyncio.create_task(setup.api.get_deployment("m1"))
        await setup.server.arrived(1)
        look.cancel()
        await asyncio.gather(look, return_exceptions=True)
        assert setup.told(ApiRequested) == []


async def test_a_crowd_of_slow_checks_keeps_neither_look_again_nor_post_waiting() -> None:
    async with running(concurrency=2) as setup:
        go_on = asyncio.Event()

        async def slow(request: Request) -> None:
            if "slow" in request.target:
                await go_on.wait()

        setup.baseten.before_reply = slow
        crowd = [asyncio.create_task(setup.api.get_deployment("slow")) for _ in range(10)]
        await setup.server.arrived(2)
        async with asyncio.timeout(PATIENCE_SECONDS):
            await setup.api.get_deployment("m1", urgent=True)
            await retry(setup.api, "m1")
        go_on.set()
        await asyncio.gather(*crowd, return_exceptions=True)
        assert setup.server.requests[2].method == "GET"
        assert setup.server.requests[3].method == "POST"


class _Lookups(MetaPathFinder):
    def __init__(self) -> None:
        self.names: list[str] = []

    def find_spec(self, fullname: str, path: object, target: object = None) -> None:
        self.names.append(fullname)


@pytest.fixture
def lookups() -> Iterator[_Lookups]:
    finder = _Lookups()
    sys.meta_path.insert(0, finder)
    yield finder
    sys.meta_path.remove(finder)


async def test_no_request_searches_for_a_module(lookups: _Lookups) -> None:
    """A module that is missing is searched for anew by each request, for 0.2 ms and more."""
    async with running() as setup:
        await _look(setup, 3)
        await retry(setup.api, "m1")
        lookups.names.clear()
        await _look(setup, 3)
        await retry(setup.api, "m1")
        assert lookups.names == []
