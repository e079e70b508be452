"""When a configuration is read again, what is taken up, and what is reported of it."""

from pathlib import Path
from typing import Any

import pytest

from tests.fakes.baseten_http import ManualClock
from watchdog.app.reload import SETTLED, SURE, ConfigSource, Reloader
from watchdog.app.setup import SetupError
from watchdog.config import Config, ConfigError, LoadedConfig
from watchdog.engine.events import ConfigDoubtful, ConfigReloaded, ConfigReloadFailed, Event
from watchdog.engine.ports import LedgerUnavailable

TWO = [{"id": "abc12345"}, {"id": "def12345"}]


def config(mode: str = "retry", models: Any = TWO, **more: Any) -> Config:
    return Config.model_validate({"mode": mode, "models": models, **more})


IN_FORCE = config()
WANTED = config(mode="observe")
FEWER = config(models=TWO[:1])


class Desk:
    """A reloader of a file, the configurations that it applied, and the events that it sent."""

    def __init__(self, folder: Path, in_force: Config = IN_FORCE) -> None:
        self.file = folder / "config.yaml"
        self.file.write_text("")
        self.sources = {"mode": "file"}
        self.loaded: Config | Exception = WANTED
        self.refusals: list[Exception] = []
        self.taken: list[Config] = []
        self.read = 0
        self.events: list[Event] = []
        self.clock = ManualClock()
        self.config = in_force
        source = ConfigSource(self.file, self.load)
        self.reloader = Reloader(source, self, self.events.append, self.clock)

    def load(self) -> LoadedConfig:
        if isinstance(self.loaded, Exception):
            raise self.loaded
        return LoadedConfig(self.loaded, (), self.sources)

    def read_again(self) -> None:
        if self.refusals:
            raise self.refusals.pop(0)
        self.read += 1

    @property
    def targets(self) -> int:
        return len(self.config.models)

    async def reload(self, config: Config) -> None:
        if self.refusals:
            raise self.refusals.pop(0)
        self.config = config
        self.taken.append(config)

    def write(self, loaded: Config | Exception) -> None:
        """The file grows, and holds that from now on."""
        self.loaded = loaded
        self.file.write_text(self.file.read_text() + "x")

    async def ticks(self, seconds: int = 1) -> list[str]:
        """The events of a tick in each of these seconds."""
        self.events.clear()
        for _ in range(seconds):
            self.clock.advance(seconds=1)
            await self.reloader.tick()
        return [type(event).__name__ for event in self.events]

    @property
    def problems(self) -> list[str]:
        failed = (event for event in self.events if isinstance(event, ConfigReloadFailed))
        return [problem for event in failed for problem in event.problems]


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


async def test_it_reads_when_it_is_told_to_and_once(desk: Desk) -> None:
    assert await desk.ticks(60) == []
    desk.reloader.ask()
    assert await desk.ticks(3) == ["ConfigReloaded"]
    assert desk.taken == [WANTED]


async def test_what_an_unchanged_configuration_names_is_read_again(desk: Desk) -> None:
    desk.loaded = IN_FORCE
    desk.refusals = [SetupError("the CA certificates cannot be loaded")] * 2
    desk.reloader.ask()
    assert await desk.ticks(5) == ["ConfigReloadFailed", "ConfigReloaded"]
    assert (desk.read, desk.taken) == (1, [])


async def test_a_changed_file_is_read_when_it_has_been_the_same_for_a_while(desk: Desk) -> None:
    desk.write(WANTED)
    assert await desk.ticks(SETTLED.seconds) == []
    assert await desk.ticks(60) == ["ConfigReloaded"]
    assert desk.taken == [WANTED]


async def test_a_file_that_is_still_being_written_is_not_read(desk: Desk) -> None:
    for _ in range(10):
        desk.write(ConfigError("half of it"))
        assert await desk.ticks(SETTLED.seconds) == []
    desk.write(WANTED)
    assert await desk.ticks(60) == ["ConfigReloaded"]


@pytest.mark.parametrize(
    ("in_force", "wanted", "risk"),
    [
        (IN_FORCE, FEWER, "removes 1 of 2 configured models"),
        (IN_FORCE, config(models=[]), "removes 2 of 2 configured models"),
        (WANTED, IN_FORCE, "leaves observe"),
        (config(rules=[{"match": ["*"], "policy": {}}]), IN_FORCE, "removes 1 of 1 rules"),
        (config(discovery={"include": ["*"]}), IN_FORCE, "which models are discovered"),
        (IN_FORCE, config(discovery={"include": ["*"]}), "which models are discovered"),
        (
            config(policy={"allowed_times": {"cron": ["* 8-18 * * *"]}}),
            config(policy=None),
            "no longer has policy.allowed_times",
        ),
        (config(fleet={"max_retries_per_minute": 1}), IN_FORCE, "no longer has fleet"),
        (
            config(policy={"causes": {"memory": "never", "network": "never"}}),
            config(policy={"causes": {"memory": "never"}}),
            "no longer has policy.causes.network",
        ),
        (
            config(models=[TWO[0], TWO[1] | {"policy": {"standing": "ignore"}}]),
            config(models=[TWO[1] | {"policy": {}}, TWO[0]]),
            "no longer has models[1].policy.standing",
        ),
        (
            config(rules=[{"match": ["*"], "policy": {"max_attempts": 1}}]),
            config(rules=[{"match": ["*"], "policy": None}]),
            "no longer has rules[0].policy.max_attempts",
        ),
        (
            config(causes=[{"match": "a", "cause": "memory"}]),
            config(causes=[]),
            "no longer has causes",
        ),
    ],
)
async def test_what_half_a_file_would_do_waits_until_the_file_is_surely_whole(
    tmp_path: Path, in_force: Config, wanted: Config, risk: str
) -> None:
    desk = Desk(tmp_path, in_force)
    desk.write(wanted)
    assert await desk.ticks(SURE.seconds) == ["ConfigDoubtful"]
    (doubt,) = desk.events
    assert isinstance(doubt, ConfigDoubtful)
    assert risk in doubt.warning
    assert desk.taken == []
    assert await desk.ticks(60) == ["ConfigReloaded"]
    assert desk.taken == [wanted]


@pytest.mark.parametrize(
    ("in_force", "wanted"),
    [
        (config(policy={"max_attempts": 2}), config(policy={"max_attempts": 3})),
        (config(policy={"max_attempts": 4, "jitter": 0.1}), config(policy={"jitter": 0.2})),
        (config(diagnose=False), config(diagnose=True)),
        (IN_FORCE, config(models=[*TWO, {"id": "ghi12345"}])),
    ],
)
async def test_what_is_written_whole_does_not_wait_longer(
    tmp_path: Path, in_force: Config, wanted: Config
) -> None:
    desk = Desk(tmp_path, in_force)
    desk.write(wanted)
    assert await desk.ticks(SETTLED.seconds + 1) == ["ConfigReloaded"]


async def test_what_waits_is_taken_up_at_once_on_sighup(desk: Desk) -> None:
    desk.write(FEWER)
    assert await desk.ticks(SETTLED.seconds + 1) == ["ConfigDoubtful"]
    desk.reloader.ask()
    assert await desk.ticks(60) == ["ConfigReloaded"]
    assert desk.taken == [FEWER]


async def test_a_whole_file_takes_the_place_of_the_half_that_waited(desk: Desk) -> None:
    desk.write(FEWER)
    assert await desk.ticks(SETTLED.seconds + 1) == ["ConfigDoubtful"]
    desk.write(WANTED)
    assert await desk.ticks(60) == ["ConfigReloaded"]
    assert desk.taken == [WANTED]


@pytest.mark.parametrize("told", [True, False])
async def test_observe_is_not_left_because_a_line_is_missing(tmp_path: Path, told: bool) -> None:
    desk = Desk(tmp_path, WANTED)
    desk.sources = {}
    desk.write(IN_FORCE)
    if told:
        desk.reloader.ask()
    assert await desk.ticks(60) == ["ConfigReloadFailed"]
    assert desk.problems == [
        (
            "mode: is not set any more, and its default would leave observe mode: write "
            "`mode: retry` if retries are to be sent"
        )
    ]
    assert desk.taken == []


async def test_what_could_not_be_taken_up_is_tried_until_it_can_and_reported_once(
    desk: Desk,
) -> None:
    away, no_key = LedgerUnavailable("the ledger is away"), SetupError("no API key yet")
    desk.refusals = [away, away, away, no_key, no_key]
    desk.reloader.ask()
    await desk.ticks(5)
    assert desk.problems == ["the ledger is away", "no API key yet"]
    assert desk.taken == []
    assert await desk.ticks(3) == ["ConfigReloaded"]
    assert desk.taken == [WANTED]


async def test_a_bad_file_is_read_again_only_when_it_changes_or_when_told(desk: Desk) -> None:
    desk.write(ConfigError("config.yaml: not YAML"))
    assert await desk.ticks(60) == ["ConfigReloadFailed"]
    desk.reloader.ask()
    assert await desk.ticks(3) == ["ConfigReloadFailed"]
    desk.write(WANTED)
    assert await desk.ticks(60) == ["ConfigReloaded"]


async def test_a_file_that_is_gone_is_a_failure_and_changes_nothing(desk: Desk) -> None:
    desk.file.unlink()
    desk.loaded = ConfigError("config.yaml: cannot be read: No such file or directory")
    assert await desk.ticks(60) == ["ConfigReloadFailed"]
    assert desk.taken == []


@pytest.mark.parametrize("loading", [True, False])
async def test_a_bug_is_a_failed_reload_and_the_next_one_works(desk: Desk, loading: bool) -> None:
    if loading:
        desk.write(TypeError("a bug\nof two lines"))
    else:
        desk.write(WANTED)
        desk.refusals = [TypeError("a bug\nof two lines")]
    assert await desk.ticks(60) == ["ConfigReloadFailed"]
    assert desk.problems == ["a bug, please report it: TypeError: a bug\\nof two lines"]
    desk.write(WANTED)
    assert await desk.ticks(60) == ["ConfigReloaded"]


async def test_nothing_changed_is_nothing_taken_up(desk: Desk) -> None:
    desk.loaded = IN_FORCE
    desk.reloader.ask()
    assert await desk.ticks() == ["ConfigReloaded"]
    (event,) = desk.events
    assert isinstance(event, ConfigReloaded)
    assert event.changed == ()
    assert desk.taken == []


async def test_a_changed_rule_is_a_change_that_is_taken_up_soon(tmp_path: Path) -> None:
    rules = [{"match": ["*"], "policy": {"max_attempts": number}} for number in (2, 3)]
    desk = Desk(tmp_path, config(rules=rules[:1]))
    desk.write(config(rules=rules[1:]))
    assert await desk.ticks(SETTLED.seconds + 1) == ["ConfigReloaded"]
    (event,) = desk.events
    assert isinstance(event, ConfigReloaded)
    assert event.changed == ("rules",)
