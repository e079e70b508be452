"""Taking up a changed configuration: whole, or not at all."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from watchdog.app.parts import SetupError
from watchdog.config import Config, ConfigError, LoadedConfig
from watchdog.engine.events import ConfigDoubtful, ConfigReloaded, ConfigReloadFailed
from watchdog.engine.ports import LedgerUnavailable, Listener
from watchdog.files.mark import Mark, mark_of


class ConfigSource:
    """Where the configuration comes from, and how it is read again. Made before the first reading,
    so that a change right after that is not missed."""

    def __init__(self, path: Path | None, load: Callable[[], LoadedConfig]) -> None:
        """`path` None: from no file."""
        self.load = load
        self._path = path
        self._mark = _mark(path)

    def has_changed(self) -> bool:
        """Whether the file did since this was last asked."""
        mark = _mark(self._path)
        changed = mark != self._mark
        self._mark = mark
        return changed


class Reloader:
    """Reads the configuration again when its file changes, or when it is told to."""

    def __init__(
        self,
        source: ConfigSource,
        in_force: Config,
        take_up: Callable[[Config], Awaitable[None]],
        listener: Listener,
    ) -> None:
        """`take_up` puts a configuration in force, or raises SetupError or LedgerUnavailable and
        changes nothing."""
        self._source = source
        self._in_force = in_force
        self._take_up = take_up
        self._listener = listener
        self._again = asyncio.Event()
        self._failure: str | None = None

    def ask(self) -> None:
        """Reload at the next tick, whether or not the file changed."""
        self._again.set()

    async def tick(self) -> None:
        if self._source.has_changed() or self._again.is_set():
            self._again.clear()
            await self.reload()

    def _try_again(self, failure: str) -> None:
        """The file is good, and what it needs may come: a ledger that is locked, a key that is
        mounted a moment later."""
        if failure != self._failure:
            self._listener(ConfigReloadFailed(problems=(failure,)))
        self._failure = failure
        self._again.set()

    async def reload(self) -> None:
        try:
            loaded = await asyncio.to_thread(self._source.load)
            wanted, waiting = _reloadable(loaded.config, self._in_force)
            changed = _changed(wanted, self._in_force)
            if changed:
                await self._take_up(wanted)
        except ConfigError as error:
            self._failure = None
            self._listener(ConfigReloadFailed(problems=tuple(error.problems)))
            return
        except (SetupError, LedgerUnavailable) as error:
            self._try_again(str(error))
            return
        self._in_force, self._failure = wanted, None
        for warning in (*loaded.warnings, *waiting):
            self._listener(ConfigDoubtful(warning=warning))
        self._listener(
            ConfigReloaded(
                changed=changed,
                mode=wanted.mode,
                targets=len(wanted.models),
                limits=wanted.fleet_limits(),
            )
        )


def _reloadable(wanted: Config, in_force: Config) -> tuple[Config, list[str]]:
    """What can be taken up now, and a line for each thing that waits for a restart."""
    kept: dict[str, Any] = {}
    waiting = []
    for name in ("store", "server"):
        if getattr(wanted, name) != getattr(in_force, name):
            kept[name] = getattr(in_force, name)
            waiting.append(f"{name}: changed, and taken up at the next restart only")
    if wanted.baseten.base_url != in_force.baseten.base_url:
        # The ledger's history is that of one API.
        url = {"base_url": in_force.baseten.base_url}
        kept["baseten"] = wanted.baseten.model_copy(update=url)
        waiting.append("baseten.base_url: changed, and taken up at the next restart only")
    return wanted.model_copy(update=kept), waiting


def _changed(wanted: Config, in_force: Config) -> tuple[str, ...]:
    """The settings that differ, by their paths; models together."""
    found = []
    for section in type(wanted).model_fields:
        old, new = getattr(in_force, section), getattr(wanted, section)
        if old == new:
            continue
        fields = getattr(type(new), "model_fields", None)
        if fields is None:
            found.append(section)
        else:
            found += [
                f"{section}.{name}" for name in fields if getattr(old, name) != getattr(new, name)
            ]
    return tuple(found)


def _mark(path: Path | None) -> Mark | None:
    try:
        return None if path is None else mark_of(path)
    except OSError:
        return None
