"""Options and arguments that several commands share."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from watchdog.cli.console import fail

if TYPE_CHECKING:
    from watchdog.config import LoadedConfig

CONFIG_VARIABLE = "BASETEN_WATCHDOG_CONFIG"

ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config",
        "-c",
        metavar="FILE",
        envvar=CONFIG_VARIABLE,
        help="The configuration file (YAML).",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
ModelsOption = Annotated[
    list[str] | None,
    typer.Option("--model", "-m", metavar="ID", help="Watch this model; may be repeated."),
]


def load(path: Path | None, *, models: Sequence[str] = (), dry_run: bool = False) -> "LoadedConfig":
    """The configuration, or one line for each thing wrong with it and exit 2.

    What somebody may not have meant in it is for the caller to tell.
    """
    from watchdog.config import ConfigError, load_config

    try:
        return load_config(path, model_ids=models, overrides=overrides(dry_run=dry_run))
    except ConfigError as error:
        fail(*error.problems)


def overrides(*, dry_run: bool) -> dict[str, str]:
    """What the command line says over file and environment."""
    return {"mode": "observe"} if dry_run else {}
