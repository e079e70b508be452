"""Running the daemon, from its configuration to the signal that stops it. This module does not
import Typer, which the daemon does not need."""

import os
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from watchdog.app.lean import lean_imports
from watchdog.cli.console import fail

if TYPE_CHECKING:
    from watchdog.app.daemon import Daemon
    from watchdog.config import LoadedConfig


def run_daemon(
    file: Path | None,
    *,
    ids: Sequence[str] = (),
    overrides: Mapping[str, str] = MappingProxyType({}),
    doubts: Sequence[str] = (),
) -> None:
    """Run it until a signal stops it. `ids` and `overrides` as in `load_config`; `doubts` are
    reported like the warnings about the configuration."""
    with lean_imports():
        import asyncio

        from watchdog.app.daemon import Daemon
        from watchdog.app.reload import ConfigSource
        from watchdog.app.setup import SetupError
        from watchdog.config import ConfigError, load_config

    def load() -> "LoadedConfig":
        return load_config(file, model_ids=ids, overrides=overrides)

    source = ConfigSource(file, load)
    try:
        loaded = load()
        warnings = (*loaded.warnings, *doubts)
        daemon = Daemon(loaded.config, os.environ, source=source, warnings=warnings)
        asyncio.run(until_signalled(daemon))
    except ConfigError as error:
        fail(*error.problems)
    except SetupError as error:
        fail(str(error))


async def until_signalled(daemon: "Daemon") -> None:
    """Run the daemon until a signal stops it. Raises SetupError when it cannot start."""
    import asyncio

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    # A terminal that is closed must not end the daemon.
    loop.add_signal_handler(signal.SIGHUP, daemon.reload)
    await daemon.run(stop)
