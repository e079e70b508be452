"""`run`, the daemon, and `health`, which asks it whether it is alive."""

import os
from typing import Annotated

import typer

from watchdog.cli.daemon import run_daemon
from watchdog.cli.named import ids_to_watch
from watchdog.cli.options import ConfigOption, ModelsOption, load, overrides
from watchdog.files.places import config_file


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
    file = config_file(config)
    ids, doubts = ids_to_watch(file, model or ())
    run_daemon(file, ids=ids, overrides=overrides(dry_run=dry_run), doubts=doubts)


def health(config: ConfigOption = None) -> None:
    """Ask the running daemon whether it is alive: exit 0 if so, 1 if not."""
    from watchdog.app.health import noted_address, report_health

    address = noted_address(config_file(config), os.environ)
    if address is None:
        server = load(config).config.server
        address = server.host, server.port
    raise typer.Exit(report_health(*address))
