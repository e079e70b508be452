"""Pages are made one at a time, and leave most of the time to the checks. Time is virtual."""

import asyncio

import pytest

from watchdog.web.turns import Busy, Turns


async def began(turns: Turns, seconds: float) -> float:
    """Work for so long, in a turn; when that began."""

    async def work() -> float:
        began = asyncio.get_running_loop().time()
        await asyncio.sleep(seconds)
        return began

    return await turns.take(work)


@pytest.mark.looptime
@pytest.mark.parametrize(
    ("seconds", "apart"),
    [
        pytest.param(0.1, 0.5, id="a-fifth-of-the-time"),
        pytest.param(10.0, 11.0, id="a-rest-is-a-second-at-most"),
    ],
)
async def test_each_turn_begins_after_the_one_before_and_its_rest(
    seconds: float, apart: float
) -> None:
    turns = Turns()
    times = await asyncio.gather(*(began(turns, seconds) for _ in range(3)))
    assert times == pytest.approx([0.0, apart, 2 * apart], abs=0.01)


@pytest.mark.looptime
async def test_the_first_turn_after_a_while_begins_at_once() -> None:
    turns = Turns()
    await began(turns, 0.1)
    await asyncio.sleep(5.0)
    assert await began(turns, 0.1) == pytest.approx(5.1, abs=0.01)


@pytest.mark.looptime
async def test_a_turn_that_fails_is_over() -> None:
    async def fail() -> None:
        raise ValueError("of the work")

    turns = Turns()
    with pytest.raises(ValueError, match="of the work"):
        await turns.take(fail)
    assert await began(turns, 0.1) == pytest.approx(0.0, abs=0.01)


def test_there_is_a_place_for_so_many_requests_and_again_when_one_has_ended() -> None:
    turns = Turns()
    places = [turns.place() for _ in range(16)]
    for each in places:
        each.__enter__()
    with pytest.raises(Busy), turns.place():
        pass
    places[0].__exit__(None, None, None)
    with turns.place():
        pass
