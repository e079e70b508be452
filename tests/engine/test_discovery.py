"""Rounds of discovery: when they happen, and what a failed one leaves unchanged."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import pytest

from tests.fakes.engine import World
from watchdog.domain.discovery import DiscoveryRules, ListedModel
from watchdog.engine.events import (
    DiscoveryDone,
    DiscoveryFailed,
    ListingIncomplete,
    ModelsDiscovered,
    ModelsListed,
)
from watchdog.engine.fleet import teams
from watchdog.engine.fleet.discovered import Known, load, save
from watchdog.engine.fleet.discovery import Discoverer
from watchdog.engine.ports import AnswerLost, LedgerUnavailable

pytestmark = pytest.mark.looptime(noop_cycles=0)

RULES = DiscoveryRules(include=("team-a/*",))
INTERVAL = timedelta(minutes=5)
LOST = AnswerLost("bad gateway", code="502")


def listed(model_id: str, name: str | None = None, team: str = "team-a") -> ListedModel:
    return ListedModel(model_id, name or model_id, team, has_development=True)


class Rounds:
    """A discoverer, and what it had watched."""

    def __init__(self, known: Known | None = None) -> None:
        self.world = World()
        self.discovered: Known = known or {}
        self.teams: teams.Teams = {}
        self.error: LedgerUnavailable | None = None
        self.discoverer = Discoverer(
            self.world.shared_listing(), self.world.clock, self.world.events.append, self
        )

    async def take_up(self, discovered: Known) -> None:
        if self.error is not None:
            raise self.error
        self.discovered = discovered

    async def learn(self, listed: Sequence[ListedModel]) -> None:
        if self.error is not None:
            raise self.error
        self.teams = {model.id: model.team for model in listed}

    async def after(
        self, *listing: ListedModel, rules: DiscoveryRules | None = RULES
    ) -> list[object]:
        """What is told of the next round."""
        self.world.api.listing = listing
        told = len(self.world.events)
        await asyncio.sleep(INTERVAL.total_seconds())
        await self.discoverer.tick(rules, INTERVAL)
        new = [type(event) for event in self.world.events[told:]]
        return [kind for kind in new if kind is not ModelsListed]


async def test_models_join_and_leave() -> None:
    rounds = Rounds()
    assert await rounds.after(listed("m1"), listed("m2"), listed("x", team="team-b")) == [
        ModelsDiscovered,
        DiscoveryDone,
    ]
    assert rounds.discovered.keys() == {"m1", "m2"}
    assert await rounds.after(listed("m1")) == [DiscoveryDone]
    assert await rounds.after(listed("m1")) == [ModelsDiscovered, DiscoveryDone]
    told = [event for event in rounds.world.events if isinstance(event, ModelsDiscovered)]
    assert [(event.joined, event.left) for event in told] == [(("m1", "m2"), ()), ((), ("m2",))]


async def test_a_round_is_made_when_it_is_time_or_when_the_rules_change() -> None:
    rounds = Rounds()
    await rounds.after(listed("m1"))
    told = len(rounds.world.events)
    await rounds.discoverer.tick(RULES, INTERVAL)
    assert len(rounds.world.events) == told
    await rounds.discoverer.tick(DiscoveryRules(include=("other",)), INTERVAL)
    assert rounds.discovered == {}


async def test_a_listing_that_fails_or_is_empty_changes_nothing_and_is_reported_once() -> None:
    rounds = Rounds()
    await rounds.after(listed("m1"))
    rounds.world.api.list_error = LOST
    assert await rounds.after() == [DiscoveryFailed]
    for _ in range(12):
        assert await rounds.after() == []
    rounds.world.api.list_error = None
    assert await rounds.after() == []
    assert rounds.discovered.keys() == {"m1"}
    assert await rounds.after(listed("m1"), listed("m2")) == [ModelsDiscovered, DiscoveryDone]
    rounds.world.api.list_error = LOST
    assert await rounds.after() == [DiscoveryFailed]


async def test_a_listing_of_which_not_all_can_be_read_removes_no_model() -> None:
    rounds = Rounds()
    await rounds.after(listed("m1"), listed("m2"))
    rounds.world.api.unreadable = 1
    assert await rounds.after(listed("m1")) == [ListingIncomplete, DiscoveryDone]
    assert await rounds.after(listed("m1"), listed("m3")) == [ModelsDiscovered, DiscoveryDone]
    assert rounds.discovered.keys() == {"m1", "m2", "m3"}
    rounds.world.api.unreadable = 0
    for _ in range(2):
        assert rounds.discovered.keys() == {"m1", "m2", "m3"}
        await rounds.after(listed("m1"))
    assert rounds.discovered.keys() == {"m1"}


async def test_two_rounds_take_two_listings_however_soon_they_come() -> None:
    rounds = Rounds()
    for listings in range(1, 5):
        await rounds.discoverer.tick(RULES, timedelta(seconds=1))
        assert rounds.world.api.listings == listings
        await asyncio.sleep(1)


async def test_what_the_ledger_would_not_take_is_tried_again() -> None:
    rounds = Rounds()
    rounds.error = LedgerUnavailable("away")
    assert await rounds.after(listed("m1")) == [DiscoveryFailed]
    rounds.error = None
    assert await rounds.after(listed("m1")) == [ModelsDiscovered, DiscoveryDone]


async def test_a_model_that_was_renamed_is_watched_by_its_new_name() -> None:
    rounds = Rounds()
    await rounds.after(listed("m1", "old"))
    assert await rounds.after(listed("m1", "new")) == [DiscoveryDone]
    assert rounds.discovered["m1"].name == "new"


async def test_the_next_one_goes_on_from_what_was_discovered() -> None:
    rounds = Rounds()
    await rounds.after(listed("m1", "llama"))
    ledger = rounds.world.ledger
    await ledger.transact(lambda tx: save(tx, rounds.discovered))
    known = await ledger.transact(load)
    assert known == rounds.discovered
    later = Rounds(known)
    later.world.api.list_error = LOST
    assert await later.after() == [DiscoveryFailed]
    assert later.discovered.keys() == {"m1"}


async def test_what_was_dropped_meanwhile_is_found_again() -> None:
    rounds = Rounds()
    await rounds.after(listed("m1"))
    rounds.discovered = {}
    assert await rounds.after(listed("m1")) == [ModelsDiscovered, DiscoveryDone]
    assert rounds.discovered.keys() == {"m1"}


async def test_a_round_learns_the_teams_of_all_models_also_where_nothing_is_discovered() -> None:
    rounds = Rounds()
    models = [listed("m1"), listed("x", team="team-b")]
    await rounds.after(*models)
    assert rounds.teams == {"m1": "team-a", "x": "team-b"}
    rounds = Rounds()
    assert await rounds.after(*models, rules=None) == []
    assert rounds.teams == {"m1": "team-a", "x": "team-b"}
    assert rounds.discovered == {}


async def test_a_round_that_only_learns_teams_fails_without_a_line() -> None:
    rounds = Rounds()
    rounds.world.api.list_error = LOST
    assert await rounds.after(rules=None) == []
    # Once something is to be discovered, the failure matters.
    rounds.world.api.list_error = None
    await rounds.after(listed("m1"), rules=None)
    rounds.world.api.list_error = LOST
    assert await rounds.after() == [DiscoveryFailed]


async def test_the_ledger_keeps_the_teams() -> None:
    ledger = World().ledger
    assert await ledger.transact(teams.load) == {}
    await ledger.transact(lambda tx: teams.save(tx, {"m1": "team-a"}))
    assert await ledger.transact(teams.load) == {"m1": "team-a"}
