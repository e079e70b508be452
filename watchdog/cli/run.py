"""`run`, the daemon, and `health`, which asks it whether it is alive."""

import asyncio
import http.client
import os
import signal
from typing import TYPE_CHECKING, Annotated

import typer

from watchdog.app.health import ask_health
from watchdog.cli.console import fail
from watchdog.cli.options import ConfigOption, ModelsOption, config_file, load, overrides

if TYPE_CHECKING:
    from watchdog.app.daemon import Daemon
    from watchdog.config import LoadedConfig


def run(
    config: ConfigOption = None,
    model: ModelsOption = None,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Decide and record everything, send no retry."),
    ] = False,
) -> None:
    """Watch the configured models and retry failed development deployments.

    With --model and BASETEN_API_KEY set, no configuration file is needed. With nothing to watch it
    runs, says so, and takes up the first model when the configuration file names it.
    """
    from watchdog.app.daemon import Daemon
    from watchdog.app.parts import SetupError
    from watchdog.app.reload import ConfigSource
    from watchdog.config import load_config

    file = config_file(config)

    def again() -> "LoadedConfig":
        return load_config(file, model_ids=model or (), overrides=overrides(dry_run=dry_run))

    source = ConfigSource(file, again)
    loaded = load(file, models=model or (), dry_run=dry_run)
    daemon = Daemon(loaded.config, os.environ, source=source, warnings=loaded.warnings)
    try:
        asyncio.run(until_signalled(daemon))
    except SetupError as error:
        fail(str(error))


async def until_signalled(daemon: "Daemon") -> None:
    """Run the daemon until a signal stops it. Raises SetupError when it cannot start."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    # A terminal that is closed must not end the daemon.
    loop.add_signal_handler(signal.SIGHUP, daemon.reload)
    await daemon.run(stop)


def health(config: ConfigOption = None) -> None:
    """Ask the running daemon whether it is alive: exit 0 if so, 1 if not."""
    server = load(config).config.server
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(server.host, server.host)  # noqa: S104
    try:
        status, text = ask_health(host, server.port)
    except (OSError, http.client.HTTPException) as error:
        cause = getattr(error, "strerror", None) or str(error) or type(error).__name__
        typer.echo(f"no daemon answers at {host}:{server.port}: {cause}", err=True)
        raise typer.Exit(1) from None
    typer.echo(text, err=status != http.client.OK)
    if status != http.client.OK:
        raise typer.Exit(1)
