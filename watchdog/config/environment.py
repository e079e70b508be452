"""Settings from environment variables: an unknown variable with our prefix is an error."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import create_model
from pydantic_settings import BaseSettings, EnvSettingsSource
from pydantic_settings.exceptions import SettingsError

from watchdog.config.model import Config
from watchdog.config.problems import near, settings_in
from watchdog.config.yaml_file import ConfigError

ENV_PREFIX = "BASETEN_WATCHDOG_"
_NESTED = "__"

_FILE = f"{ENV_PREFIX}CONFIG"
"""Names the file, and is no setting in it."""

_OF_A_SERVICE = re.compile(
    r"\w*_SERVICE_(HOST|PORT(_\w+)?)=.*"
    r"|\w*_PORT_\d+_(TCP|UDP|SCTP)_(PROTO|PORT|ADDR)=.*"
    r"|\w*_PORT(_\d+_(TCP|UDP|SCTP))?=(tcp|udp|sctp)://.*"
)

_Settings: type[BaseSettings] = create_model(  # type: ignore[call-overload]
    "_Settings",
    __base__=BaseSettings,
    **{name: (field.annotation, field) for name, field in Config.model_fields.items()},
)


class _OneVariable(EnvSettingsSource):
    def __init__(self, name: str, value: str) -> None:
        self._variable = {name.lower(): value}
        super().__init__(_Settings, env_prefix=ENV_PREFIX, env_nested_delimiter=_NESTED)

    def _load_env_vars(self) -> Mapping[str, str | None]:
        return self._variable


def read_environment(environ: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """The settings in our variables, a section before its members. Raises ConfigError that names
    every variable that is not a setting."""
    ours = sorted(name for name in environ if _is_ours(name, environ[name]))
    problems = [problem for name in ours for problem in _problems(name, environ[name])]
    if problems:
        raise ConfigError(*problems)
    return {name: _OneVariable(name, environ[name])() for name in ours}


def _is_ours(name: str, value: str) -> bool:
    """Kubernetes describes each Service of the namespace in variables that begin with its name,
    and ours may well be called baseten-watchdog."""
    if not name.upper().startswith(ENV_PREFIX) or name == _FILE:
        return False
    return _NESTED in name or _OF_A_SERVICE.fullmatch(f"{name}={value}") is None


def _problems(name: str, value: str) -> Iterator[str]:
    *sections, last = name[len(ENV_PREFIX) :].lower().split(_NESTED)
    known = set() if "models" in sections else settings_in(sections)
    if last not in known:
        every = {_variable(path) for path in _paths()}
        yield f"{name}: no such setting{near(name.upper(), every)}"
    elif not value.strip():
        yield f"{name}: empty: give it a value, or unset it"
    else:
        try:
            _OneVariable(name, value)()
        except SettingsError:
            yield (
                f"{name}: must be JSON, as lists and sections are in the environment, like "
                """["BUILD_FAILED"] or [{"id": "abc123"}]"""
            )


def _paths(sections: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for setting in settings_in(sections):
        path = (*sections, setting)
        yield path
        if path != ("models",):
            yield from _paths(path)


def _variable(path: tuple[str, ...]) -> str:
    return ENV_PREFIX + _NESTED.join(path).upper()
