"""Options and arguments that several commands share."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import platformdirs
import typer

from watchdog.cli.console import fail

if TYPE_CHECKING:
    from watchdog.config import LoadedConfig

CONFIG_VARIABLE = "BASETEN_WATCHDOG_CONFIG"
CONFIG_NAME = "baseten-watchdog.yaml"
"""The name of the file that is read by default: from the working directory, else from the user's
configuration directory."""

ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config",
        "-c",
        metavar="FILE",
        envvar=CONFIG_VARIABLE,
        help=f"The configuration file. By default ./{CONFIG_NAME}, else the one of that name in "
        "your configuration directory.",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
ModelsOption = Annotated[
    list[str] | None,
    typer.Option("--model", "-m", metavar="ID", help="Watch this model; may be repeated."),
]


def default_files() -> tuple[Path, ...]:
    """Where a configuration file is looked for when none is named, in this order."""
    try:
        users = platformdirs.user_config_path("baseten-watchdog") / CONFIG_NAME
    except RuntimeError:  # The user has no home directory, as in a container.
        return (Path(CONFIG_NAME),)
    return Path(CONFIG_NAME), users


def config_file(path: Path | None) -> Path | None:
    """The given file, else the first default file that exists, else None."""
    return path or next((each for each in default_files() if each.is_file()), None)


def load(path: Path | None, *, models: Sequence[str] = (), dry_run: bool = False) -> "LoadedConfig":
    """The configuration. If it is wrong, it prints one line for each problem and exits 2. `path` is
    the given file, None for a default file. The caller reports the warnings."""
    from watchdog.config import ConfigError, load_config

    try:
        return load_config(
            config_file(path), model_ids=models, overrides=overrides(dry_run=dry_run)
        )
    except ConfigError as error:
        fail(*error.problems)


def overrides(*, dry_run: bool) -> dict[str, str]:
    """The settings of the command line, which override file and environment."""
    return {"mode": "observe"} if dry_run else {}
