"""When a configuration is read again, and what is told of it."""

from watchdog.app.parts import SetupError
from watchdog.app.reload import ConfigSource, Reloader
from watchdog.config import Config, ConfigError, LoadedConfig
from watchdog.engine.events import ConfigReloaded, ConfigReloadFailed, Event
from watchdog.engine.ports import LedgerUnavailable

IN_FORCE = Config.model_validate({"models": [{"id": "abc12345"}]})
WANTED = Config.model_validate({"models": [{"id": "abc12345"}], "mode": "observe"})


class Desk:
    """A reloader, what it was told to take up, and what it told."""

    def __init__(self) -> None:
        self.loaded: Config | ConfigError = WANTED
        self.refusals: list[Exception] = []
        self.taken: list[Config] = []
        self.told: list[Event] = []
        self.reloader = Reloader(
            ConfigSource(None, self.load), IN_FORCE, self.take_up, self.told.append
        )

    def load(self) -> LoadedConfig:
        if isinstance(self.loaded, ConfigError):
            raise self.loaded
        return LoadedConfig(self.loaded, (), {})

    async def take_up(self, config: Config) -> None:
        if self.refusals:
            raise self.refusals.pop(0)
        self.taken.append(config)

    async def tick(self, times: int = 1) -> list[str]:
        """What these ticks told."""
        self.told.clear()
        for _ in range(times):
            await self.reloader.tick()
        return [type(event).__name__ for event in self.told]


async def test_it_reads_when_asked_and_once() -> None:
    desk = Desk()
    assert await desk.tick() == []
    desk.reloader.ask()
    assert await desk.tick(3) == ["ConfigReloaded"]
    assert desk.taken == [WANTED]


async def test_what_could_not_be_taken_up_is_tried_until_it_can_and_told_once() -> None:
    desk = Desk()
    away, no_key = LedgerUnavailable("the ledger is away"), SetupError("no API key yet")
    desk.refusals = [away, away, away, no_key, no_key]
    desk.reloader.ask()
    assert await desk.tick(5) == ["ConfigReloadFailed", "ConfigReloadFailed"]
    assert [event.problems for event in desk.told if isinstance(event, ConfigReloadFailed)] == [
        ("the ledger is away",),
        ("no API key yet",),
    ]
    assert desk.taken == []
    assert await desk.tick(3) == ["ConfigReloaded"]
    assert desk.taken == [WANTED]


async def test_a_bad_file_is_read_again_only_when_it_changes_and_told_each_time_it_is_asked() -> (
    None
):
    desk = Desk()
    desk.loaded = ConfigError("config.yaml: not YAML")
    desk.reloader.ask()
    assert await desk.tick(3) == ["ConfigReloadFailed"]
    desk.reloader.ask()
    assert await desk.tick(3) == ["ConfigReloadFailed"]
    assert desk.taken == []


async def test_nothing_changed_is_nothing_taken_up() -> None:
    desk = Desk()
    desk.loaded = IN_FORCE
    desk.reloader.ask()
    assert await desk.tick() == ["ConfigReloaded"]
    (event,) = desk.told
    assert isinstance(event, ConfigReloaded)
    assert event.changed == ()
    assert desk.taken == []
