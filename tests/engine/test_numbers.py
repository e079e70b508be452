"""A number that is shown in two places is the same in both: in the metrics, on the page, in
`status`, and where a decision uses it."""

import random
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.fakes.engine import NEVER_OPENS, World, at
from watchdog.domain.status import is_paused, state_of
from watchdog.engine.events import Event, RetryReserved
from watchdog.engine.fleet.condition import Condition
from watchdog.engine.fleet.overview import Overview, overview
from watchdog.engine.target import operate
from watchdog.telemetry.exposition import PREFIX
from watchdog.telemetry.metrics import Metrics
from watchdog.web.facts import limits

pytestmark = pytest.mark.looptime(noop_cycles=0)

Numbers = dict[tuple[str, ...], float]

SCOPES = {
    "Retries this minute": "minute",
    "Retries in flight": "in_flight",
    "Retries in 24 hours": "window",
}


class Scraped:
    """The metrics of one life of the daemon, which the next one does not have."""

    def __init__(self, world: World) -> None:
        condition = Condition()
        self.metrics = Metrics(world.clock, condition)
        world.listeners = [condition, self, self.metrics]
        self.reserved_beyond: list[str] = []

    def __call__(self, event: Event) -> None:
        """Nothing is reserved while the metrics say that a limit is spent. Places in flight are
        left out: one may be free since the last tick."""
        if isinstance(event, RetryReserved):
            left = self.values("fleet_retry_budget_remaining")
            scopes = ("minute", "window")
            self.reserved_beyond += [scope for scope in scopes if not left[(scope,)]]

    def values(self, name: str) -> Numbers:
        return self.scrape().get(PREFIX + name, {})

    def scrape(self) -> dict[str, Numbers]:
        """The samples of each metric by their labels' values, in the order of the labels' names."""
        found: dict[str, Numbers] = {}
        body = b"".join(self.metrics.render()).decode()
        for family in text_string_to_metric_families(body):
            for sample in family.samples:
                labels = tuple(value for _, value in sorted(sample.labels.items()))
                found.setdefault(sample.name, {})[labels] = sample.value
        return found


async def looked_at(world: World) -> Overview:
    """What the page and `status` are made of."""
    settings = world.settings
    return await world.ledger.transact(lambda tx: overview(tx, settings.policies, settings.limits))


def of_the_fleet(seen: Overview) -> Numbers:
    return {(SCOPES[each.name],): each.left for each in limits(seen)}


def budgets(seen: Overview) -> Iterator[tuple[tuple[str, ...], float]]:
    for each in seen.targets:
        assert each.policy is not None
        episode = max(0, each.policy.max_attempts - each.used)
        yield (each.target.model_id, "episode"), episode
        yield (each.target.model_id, "window"), each.window_left(seen.now) or 0


async def agree(world: World, scraped: Scraped) -> None:
    """Compared right after a tick, because the metrics show the fleet as it was at the last
    tick."""
    await world.tick()
    seen, samples = await looked_at(world), scraped.scrape()
    targets = [each.target for each in seen.targets]
    for name, shown in {
        "fleet_retry_budget_remaining": of_the_fleet(seen),
        "retry_budget_remaining": dict(budgets(seen)),
        "target_state": {(each.model_id, state_of(each).value): 1 for each in targets},
        "deployment_status": {(each.model_id, each.status or ""): 1 for each in targets},
        "paused": {(each.model_id,): is_paused(each, seen.now) for each in targets},
        "failing_since_timestamp_seconds": {
            (each.model_id,): each.failing_from.timestamp() for each in targets if each.failing_from
        },
        "next_attempt_timestamp_seconds": {
            (each.model_id,): each.decision.until.timestamp()
            for each in targets
            if each.decision.until
        },
    }.items():
        assert samples.get(PREFIX + name, {}) == shown, (name, world.clock.now())


async def pause(world: World, model_id: str, span: timedelta) -> None:
    await world.ledger.transact(
        lambda tx: operate.pause(tx, model_id, span=span, who="ann@desk", note="")
    )


async def test_a_reset_gives_the_model_its_retries_back_and_the_fleet_none() -> None:
    world = World("a")
    world.api.set_status("a", "BUILD_FAILED")
    world.on_retry("a", "BUILD_FAILED")
    scraped = Scraped(world)
    async with world.running():
        await world.run_for(minutes=5)
        assert len(world.api.posts) == 1
        await pause(world, "a", timedelta(hours=1))
        await world.reset("a")
        await world.run_for(seconds=2)
        assert scraped.values("retry_budget_remaining") == {("a", "episode"): 4, ("a", "window"): 6}
        assert scraped.values("fleet_retry_budget_remaining")[("window",)] == 49
        await agree(world, scraped)


async def test_what_a_command_recorded_of_a_model_that_is_steady_then_is_shown_too() -> None:
    world = World("a")
    scraped = Scraped(world)
    async with world.running():
        await world.run_for(minutes=2)
        world.api.set_status("a", "BUILDING")
        await world.check_retry("a")
        await world.run_for(minutes=1)
        assert scraped.values("target_state") == {("a", "in_progress"): 1}
        await agree(world, scraped)


STEP = timedelta(seconds=20)


class Day:
    """What happens to five models and to the daemon within a day, by chance."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.world = World(
            *"abcde",
            max_in_flight=2,
            max_retries_per_minute=2,
            fleet_window=12,
            breaker=NEVER_OPENS,
        )
        self.configured = dict(self.world.models)

    async def something(self) -> None:
        """Let one more thing happen to a model."""
        world, model_id = self.world, self.chance.choice("abcde")
        ends = self.chance.choice(("ACTIVE", "BUILD_FAILED", "BUILD_FAILED"))
        world.on_retry(model_id, "BUILDING", then=(ends, timedelta(minutes=7)))
        match self.chance.choice(("fails", "fails", "well", "reset", "forced", "pause", "check")):
            case "fails":
                world.api.set_status(model_id, "BUILD_FAILED")
            case "well":
                world.api.set_status(model_id, "ACTIVE")
            case "reset":
                with suppress(operate.UnderWay):
                    await world.reset(model_id)
            case "forced":
                await world.force_by_command(model_id)
                # The daemon shows what the command recorded at its next look.
                await world.run_for(minutes=1)
            case "pause":
                await pause(world, model_id, timedelta(hours=self.chance.random()))
            case "check":
                await world.check_retry(model_id)
                await world.run_for(minutes=1)

    async def removal(self) -> None:
        """Leave a model out of the configuration for a while."""
        world = self.world
        world.models.pop(self.chance.choice("abcde"))
        await world.reload()
        await world.run_for(minutes=5, every=STEP)
        world.models = dict(self.configured)
        await world.reload()


@pytest.mark.parametrize("seed", range(2))
async def test_all_numbers_agree_all_day(seed: int) -> None:
    day = Day(seed)
    world, spent = day.world, 0
    for life in (1, 2, 3):
        scraped = Scraped(world)
        async with world.running():
            while world.clock.now() < at(hours=9 * life):
                await (day.removal() if day.chance.random() < 0.1 else day.something())
                await world.run_for(seconds=4)
                await agree(world, scraped)
                await world.run_for(minutes=day.chance.randrange(30), every=STEP)
                await agree(world, scraped)
                left = scraped.values("fleet_retry_budget_remaining")
                spent += not left[("window",)]
        assert scraped.reserved_beyond == []
    assert spent, "a day in which the window was never spent cannot show whether that is told"
