"""Applies a changed configuration completely, or not at all."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, Protocol

from watchdog.app.half_written import risk_of
from watchdog.app.setup import SetupError
from watchdog.config import Config, ConfigError, LoadedConfig
from watchdog.engine.events import ConfigDoubtful, ConfigReloaded, ConfigReloadFailed
from watchdog.engine.ports import Clock, LedgerUnavailable, Listener
from watchdog.files.mark import Mark, mark_of
from watchdog.refusal import refusal
from watchdog.text.untrusted import clean

SETTLED = timedelta(seconds=5)
"""A changed file is read when it has not changed again for this long. An upload or an editor may
still be writing it, and half a configuration is often valid."""

SURE = timedelta(seconds=30)
"""The same for a change that a half-written file may cause too: see `app.half_written`."""


class ConfigSource:
    """Where the configuration comes from, and how it is read again. Create it before the first
    reading, so that a change directly after that reading is noticed."""

    def __init__(self, path: Path | None, load: Callable[[], LoadedConfig]) -> None:
        """`path` is None when no file is used."""
        self.load = load
        self.path = path
        self.first_mark = self.mark()

    def mark(self) -> Mark | None:
        """The file's mark, which changes when its content does. None if there is no readable
        file."""
        try:
            return None if self.path is None else mark_of(self.path)
        except OSError:
            return None


class InForce(Protocol):
    """The configuration that is in force, and the way to change it."""

    @property
    def config(self) -> Config: ...

    @property
    def targets(self) -> int:
        """How many models are watched."""

    async def reload(self, config: Config) -> None:
        """Raises SetupError or LedgerUnavailable, and has changed nothing then."""

    def read_again(self) -> None:
        """Read the CA certificates again, although the configuration has not changed. Raises
        SetupError."""


class Reloader:
    """Reads the configuration again when its file has changed, or on request."""

    def __init__(
        self,
        source: ConfigSource,
        in_force: InForce,
        listener: Listener,
        clock: Clock,
    ) -> None:
        self._source = source
        self._in_force = in_force
        self._listener = listener
        self._clock = clock
        self._read = self._seen = source.first_mark
        self._same_since = clock.monotonic()
        self._again = False
        self._waiting = False
        self._failure: str | None = None

    def ask(self) -> None:
        """Reload at the next tick, even if the file has not changed, and without the longer wait
        for a risky change."""
        self._again = True

    async def tick(self) -> None:
        mark, now = self._source.mark(), self._clock.monotonic()
        if mark != self._seen:
            self._seen, self._same_since, self._waiting = mark, now, False
        same_for = timedelta(seconds=now - self._same_since)
        if self._again:
            self._again = False
            await self._reload(mark, is_sure=True)
        elif mark != self._read and same_for >= SURE:
            await self._reload(mark, is_sure=True)
        elif mark != self._read and same_for >= SETTLED and not self._waiting:
            await self._reload(mark, is_sure=False)

    async def _reload(self, mark: Mark | None, *, is_sure: bool) -> None:
        read_before, self._read = self._read, mark
        try:
            loaded = await asyncio.to_thread(self._source.load)
            in_force = self._in_force.config
            wanted, at_restart = _reloadable(loaded.config, in_force)
            _check_mode(loaded, in_force)
            if not is_sure and (risk := risk_of(wanted, in_force)):
                self._read, self._waiting = read_before, True
                self._tell_wait(risk)
                return
            changed = _changed(wanted, in_force)
            if changed:
                await self._in_force.reload(wanted)
            else:
                self._in_force.read_again()
        except ConfigError as error:
            self._failed(*error.problems)
            return
        except (SetupError, LedgerUnavailable) as error:
            self._try_again(str(error))
            return
        except Exception as error:  # noqa: BLE001 - a bug in one reload must not end all others
            if cause := refusal(error):
                self._try_again(cause)
            else:
                self._failed(
                    f"a bug, please report it: {type(error).__name__}: {clean(str(error))}"
                )
            return
        self._failure = None
        for warning in (*loaded.warnings, *at_restart):
            self._listener(ConfigDoubtful(warning=warning))
        self._listener(
            ConfigReloaded(
                changed=changed,
                mode=wanted.mode,
                targets=self._in_force.targets,
                limits=wanted.fleet_limits(),
            )
        )

    def _failed(self, *problems: str) -> None:
        self._failure = None
        self._listener(ConfigReloadFailed(problems=problems))

    def _try_again(self, failure: str) -> None:
        """Try again at the next tick. The file is valid, and what it needs may become available: a
        ledger that is locked, or a key that is mounted later."""
        if failure != self._failure:
            self._listener(ConfigReloadFailed(problems=(failure,)))
        self._failure = failure
        self._again = True

    def _tell_wait(self, risk: str) -> None:
        self._listener(
            ConfigDoubtful(
                warning=f"the changed file {risk}: it will be applied when it has not changed for "
                f"{SURE.seconds} s, or on SIGHUP"
            )
        )


def _check_mode(loaded: LoadedConfig, in_force: Config) -> None:
    """Raises ConfigError if observe mode is in force and `mode` is no longer set: its default would
    start retries."""
    if (
        in_force.mode == "observe"
        and loaded.config.mode == "retry"
        and "mode" not in loaded.sources
    ):
        raise ConfigError(
            "mode: is not set any more, and its default would leave observe mode: write "
            "`mode: retry` if retries are to be sent"
        )


def _reloadable(wanted: Config, in_force: Config) -> tuple[Config, list[str]]:
    """The configuration that can be applied now, and a line for each setting that needs a
    restart."""
    kept: dict[str, Any] = {}
    waiting = []
    for name in ("store", "server"):
        if getattr(wanted, name) != getattr(in_force, name):
            kept[name] = getattr(in_force, name)
            waiting.append(f"{name}: changed, and taken up at the next restart only")
    if wanted.baseten.base_url != in_force.baseten.base_url:
        # A ledger holds the history of one API only.
        url = {"base_url": in_force.baseten.base_url}
        kept["baseten"] = wanted.baseten.model_copy(update=url)
        waiting.append("baseten.base_url: changed, and taken up at the next restart only")
    return wanted.model_copy(update=kept), waiting


def _changed(wanted: Config, in_force: Config) -> tuple[str, ...]:
    """The paths of the settings that differ. All models are one path."""
    found = []
    for section in type(wanted).model_fields:
        old, new = getattr(in_force, section), getattr(wanted, section)
        if old == new:
            continue
        fields = getattr(type(new), "model_fields", None)
        if fields is None or old is None:
            found.append(section)
        else:
            found += [
                f"{section}.{name}" for name in fields if getattr(old, name) != getattr(new, name)
            ]
    return tuple(found)
