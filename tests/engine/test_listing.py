"""One list of models, shared by all its readers, in virtual time."""

import asyncio
from datetime import timedelta

import pytest

from tests.fakes.engine import START, World, at
from watchdog.domain.discovery import ListedModel
from watchdog.domain.records import Target
from watchdog.engine.events import ListingIncomplete, ModelsListed
from watchdog.engine.fleet.listing import SharedListing, known_until
from watchdog.engine.ports import AnswerLost, ApiError, NotFound

pytestmark = pytest.mark.looptime(noop_cycles=0)

LOST = AnswerLost("bad gateway", code="502")
NO_MODEL = NotFound("HTTP 404: no such model", code="404")
INTERVAL = timedelta(minutes=1)


class Shared:
    """A shared listing, and the API that it asks."""

    def __init__(self, *listed: str, empty: tuple[str, ...] = ()) -> None:
        self.world = World("llama")
        self.api = self.world.api
        self.shared: SharedListing = self.world.shared_listing()
        self.lists(*listed, empty=empty)

    def lists(self, *listed: str, empty: tuple[str, ...] = ()) -> None:
        self.api.listing = [
            *(ListedModel(each, each, "team", has_development=True) for each in listed),
            *(ListedModel(each, each, "team", has_development=False) for each in empty),
        ]

    async def doubt(self, after: timedelta | None = None) -> str | None:
        """Why the 404 is not believed; `after` in time since the start."""
        moment = None if after is None else START + after
        try:
            await self.shared.confirm("llama", NO_MODEL, after=moment)
        except (AnswerLost, NotFound) as error:
            return str(error) if error.code == "404" else repr(error)
        return None


async def test_a_404_is_confirmed_by_a_listing_without_the_model() -> None:
    assert await Shared("other").doubt() is None


async def test_a_404_is_confirmed_by_a_listing_without_its_development_deployment() -> None:
    assert await Shared("other", empty=("llama",)).doubt() is None


async def test_a_404_is_not_believed_when_the_listing_has_the_deployment() -> None:
    assert await Shared("other", "llama").doubt() == (
        "HTTP 404: no such model, and the list of models has its development deployment"
    )


async def test_an_empty_listing_confirms_nothing() -> None:
    assert await Shared().doubt() == (
        "HTTP 404: no such model, and the list of models is empty, which confirms nothing"
    )


async def test_a_listing_that_cannot_be_read_whole_confirms_nothing() -> None:
    listing = Shared("other")
    listing.api.unreadable = 2
    assert await listing.doubt() == (
        "HTTP 404: no such model, and the list of models has 2 entries that cannot be read"
    )


async def test_a_listing_that_fails_confirms_nothing_and_is_not_asked_for_again_at_once() -> None:
    listing = Shared("other")
    listing.api.list_error = LOST
    for _ in range(5):
        assert await listing.doubt() == (
            "HTTP 404: no such model, and the list of models, which is to confirm that, failed: "
            "bad gateway"
        )
    assert listing.api.listings == 1
    listing.api.list_error = None
    await asyncio.sleep(INTERVAL.total_seconds() + 1)
    assert await listing.doubt() is None


async def test_concurrent_readers_of_the_listing_share_one_request() -> None:
    listing = Shared("other")
    answered = asyncio.Event()
    listing.api.before_listing = answered
    asked = [asyncio.create_task(listing.doubt()) for _ in range(100)]
    await asyncio.sleep(1)
    assert listing.api.listings == 1
    answered.set()
    assert await asyncio.gather(*asked) == [None] * 100
    assert listing.api.listings == 1


async def test_a_listing_serves_for_an_interval() -> None:
    listing = Shared("other")
    for _ in range(60):
        await listing.doubt()
        await asyncio.sleep(1)
    await listing.doubt()
    assert listing.api.listings == 1
    await asyncio.sleep(1)
    await listing.doubt()
    assert listing.api.listings == 2


async def test_a_listing_from_before_the_clock_was_set_back_serves_no_more() -> None:
    listing = Shared("other")
    listing.world.clock.stepped = timedelta(hours=25)
    await listing.doubt()
    listing.world.clock.stepped = timedelta(0)
    listing.lists("other", "llama")
    assert await listing.doubt(after=timedelta(0)) is not None


async def test_a_listing_says_nothing_of_what_was_seen_since_it_was_asked_for() -> None:
    listing = Shared("other")
    await asyncio.sleep(5)
    assert await listing.doubt() is None
    await asyncio.sleep(5)
    listing.lists("other", "llama")
    assert await listing.doubt(after=timedelta(seconds=4)) is None
    assert listing.api.listings == 1
    # It was asked for at 5 s, and the model was seen then.
    assert await listing.doubt(after=timedelta(seconds=5)) is not None
    assert listing.api.listings == 2


async def test_a_listing_under_way_is_too_old_for_what_was_seen_since_it_began() -> None:
    listing = Shared("other")
    answered = listing.api.before_listing = asyncio.Event()
    first = asyncio.create_task(listing.doubt())
    await asyncio.sleep(5)
    second = asyncio.create_task(listing.doubt(after=timedelta(seconds=3)))
    await asyncio.sleep(1)
    assert listing.api.listings == 1
    answered.set()
    assert [await first, await second] == [None, None]
    assert listing.api.listings == 2


async def test_when_a_waiting_reader_is_cancelled_the_next_one_sends_the_request() -> None:
    listing = Shared("other")
    answered = listing.api.before_listing = asyncio.Event()
    first, second = (asyncio.create_task(listing.doubt()) for _ in range(2))
    await asyncio.sleep(1)
    first.cancel()
    await asyncio.sleep(1)
    assert listing.api.listings == 2
    answered.set()
    assert await second is None


async def test_entries_that_cannot_be_read_are_reported_when_their_number_changes() -> None:
    listing = Shared("other")
    for unreadable in (0, 2, 2, 1, 0, 1):
        listing.api.unreadable = unreadable
        await listing.shared.get(after=listing.world.clock.now())
    events = listing.world.events
    told = [event.unreadable for event in events if isinstance(event, ListingIncomplete)]
    assert told == [2, 1, 1]
    counted = [event.unreadable for event in events if isinstance(event, ModelsListed)]
    assert counted == [0, 2, 2, 1, 0, 1]


async def test_the_traceback_of_a_shared_failure_does_not_grow() -> None:
    listing = Shared()
    listing.api.list_error = AnswerLost("bad gateway", code="502")
    depths = []
    for _ in range(3):
        with pytest.raises(ApiError) as caught:
            await listing.shared.get()
        depths.append(len(caught.traceback))
    assert depths[1] == depths[2]


@pytest.mark.parametrize(
    ("observed", "missing", "known"),
    [
        (None, None, None),
        (1, None, 1),
        (None, 2, 2),
        (1, 2, 2),
        (3, 2, 3),
        (9, 2, 2),
        (9, None, None),
    ],
)
def test_until_when_a_target_is_known(
    observed: int | None, missing: int | None, known: int | None
) -> None:
    moments = [None if each is None else at(minutes=each) for each in (observed, missing, known)]
    target = Target("llama", observed_at=moments[0], missing_since=moments[1])
    assert known_until(target, at(minutes=5)) == moments[2]
