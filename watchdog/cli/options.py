"""Options and arguments that several commands share."""

import os
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from watchdog.cli.console import fail, warn
from watchdog.files.places import CONFIG_NAME, CONFIG_VARIABLE, config_file, named_file
from watchdog.text.duration import format_duration, parse_duration
from watchdog.text.untrusted import LONGEST_NAME, clean

if TYPE_CHECKING:
    from watchdog.config import Config, LoadedConfig


def _config(context: typer.Context, given: Path | None) -> Path | None:
    """The given file, or the one that the variable names: its value arrives as if it was given."""
    return given if config_is_given(context) else named_file(os.environ)


def config_is_given(context: typer.Context) -> bool:
    """Whether --config is on the command line."""
    source = context.get_parameter_source("config")
    return source is not None and source.name == "COMMANDLINE"


ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config",
        "-c",
        metavar="FILE",
        envvar=CONFIG_VARIABLE,
        callback=_config,
        help=f"The configuration file. By default ./{CONFIG_NAME}, else the one of that name in "
        "your configuration directory.",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]

_WITHOUT_FILE = (
    "to do this without the file, give --config /dev/null, and the daemon's store.url and "
    "baseten.base_url as BASETEN_WATCHDOG_STORE__URL and BASETEN_WATCHDOG_BASETEN__BASE_URL"
)

_LONGEST_SINCE = timedelta(days=3650)
"""Longer than any ledger keeps, and so short that now minus this is a date."""


def parse_since(text: str) -> timedelta:
    """What `--since` says. If it is wrong, it prints one line and exits 2."""
    try:
        span = parse_duration(text)
    except ValueError as error:
        fail(f"--since: {error}")
    if not timedelta() < span <= _LONGEST_SINCE:
        fail(f"--since: must be more than 0s and at most {format_duration(_LONGEST_SINCE)}")
    return span


def complete_id(context: typer.Context, begun: str) -> list[str]:
    """The ids of the models that begin so, for the shell."""
    from watchdog.cli.completion import known_models

    return [each for each in known_models(context.params.get("config")) if each.startswith(begun)]


def _one_line(note: str) -> str:
    """A shell passes on any bytes, including bytes that are not valid text."""
    return clean(note)


def _by(name: str) -> str:
    """The given name in one line, or else the name of this user. In a container the user may have
    no name."""
    import getpass
    import socket

    if name.strip():
        return clean(name.strip(), most=LONGEST_NAME)
    try:
        user = getpass.getuser()
    except (OSError, KeyError, ImportError):
        user = str(os.getuid())
    return clean(f"{user}@{socket.gethostname()}", most=LONGEST_NAME)


NoteOption = Annotated[
    str, typer.Option("--note", help="Why; shown in status and history.", callback=_one_line)
]
CreateOption = Annotated[
    bool,
    typer.Option("--create", help="Make the ledger if there is none, as before the first daemon."),
]
ByOption = Annotated[
    str,
    typer.Option(
        "--by",
        metavar="NAME",
        help="Who orders this; shown in status and history. By default user@host.",
        callback=_by,
    ),
]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


ModelsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--model",
        "-m",
        metavar="MODEL",
        help="Watch this model, by id or name; may be repeated.",
        autocompletion=complete_id,
    ),
]


def load(path: Path | None, *, models: Sequence[str] = (), dry_run: bool = False) -> "LoadedConfig":
    """The configuration. If it is wrong, it prints one line for each problem and exits 2. `path` is
    the given file, None for a default file. The caller reports the warnings."""
    return _loaded(config_file(path), models, overrides(dry_run=dry_run))


def load_for_brake(path: Path | None) -> "Config":
    """As `load`, for the commands that stop the daemon's retries and let them go on. What is wrong
    in the file is then a warning if the file says in spite of it which ledger is meant, because the
    daemon goes on with what it read before."""
    from watchdog.config import ConfigError, load_config

    file = config_file(path)
    try:
        return load_config(file).config
    except ConfigError as error:
        if error.brake is None:
            fail(*error.problems, *(() if file is None else (_WITHOUT_FILE,)))
        for problem in error.problems:
            warn(problem)
        warn(f"going on in spite of this, with the ledger at {error.brake.store.display_url}")
        return error.brake


def load_without_file() -> "LoadedConfig":
    """The configuration of the environment alone, as `load` otherwise."""
    return _loaded(None, (), {})


def _loaded(
    file: Path | None, models: Sequence[str], settings: Mapping[str, str]
) -> "LoadedConfig":
    from watchdog.config import ConfigError, load_config

    try:
        return load_config(file, model_ids=models, overrides=settings)
    except ConfigError as error:
        fail(*error.problems)


def overrides(*, dry_run: bool) -> dict[str, str]:
    """The settings of the command line, which override file and environment."""
    return {"mode": "observe"} if dry_run else {}
