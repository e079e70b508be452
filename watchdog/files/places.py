"""Where the program's files are: its configuration, and what it keeps of its own."""

from collections.abc import Mapping
from pathlib import Path

import platformdirs

CONFIG_VARIABLE = "BASETEN_WATCHDOG_CONFIG"
CONFIG_NAME = "baseten-watchdog.yaml"
"""The name of the file that is read by default: from the working directory, else from the user's
configuration directory."""

_PROGRAM = "baseten-watchdog"


def default_files() -> tuple[Path, ...]:
    """Where a configuration file is looked for when none is named, in this order."""
    try:
        users = platformdirs.user_config_path(_PROGRAM) / CONFIG_NAME
    except RuntimeError:  # The user has no home directory, as in a container.
        return (Path(CONFIG_NAME),)
    return Path(CONFIG_NAME), users


def named_file(environ: Mapping[str, str]) -> Path | None:
    """The file that `CONFIG_VARIABLE` names, without the white space around it, as that of all our
    variables. An empty one names no file."""
    name = environ.get(CONFIG_VARIABLE, "").strip()
    return Path(name) if name else None


def config_file(path: Path | None) -> Path | None:
    """The given file, else the first default file that exists, else None."""
    return path or next((each for each in default_files() if each.is_file()), None)


def state_folder() -> Path:
    """The program's folder in the user's state directory. Raises RuntimeError if the user has no
    home directory."""
    return platformdirs.user_state_path(_PROGRAM, appauthor=False)
