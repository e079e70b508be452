"""Reading the configuration file."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from watchdog.files.yaml_file import YamlFileError, read_settings

if TYPE_CHECKING:
    from watchdog.config.model import Config

_MOST_BYTES = 1 << 20
"""Ten thousand models take half of this."""


class ConfigError(Exception):
    """The configuration cannot be used. Each of `problems` is one line: where, and what. `brake` is
    what pauses and resumes need of it, if that is there in spite of the problems."""

    def __init__(self, *problems: str, brake: "Config | None" = None) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems
        self.brake = brake


def read_yaml(path: Path, *, example: str = "config/example.yaml") -> dict[str, Any]:
    """The file's mapping; an empty file has none. `example` is named in the error if the file is
    not a mapping. Raises ConfigError."""
    try:
        return read_settings(path, _MOST_BYTES, example=example)
    except YamlFileError as error:
        raise ConfigError(str(error)) from None
