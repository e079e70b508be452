"""From defaults, file, environment and command line to one checked configuration."""

import difflib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Any

from pydantic import ValidationError, create_model
from pydantic_settings import BaseSettings, EnvSettingsSource
from pydantic_settings.exceptions import SettingsError

from watchdog.config.model import Config
from watchdog.config.rules import breaches, warnings
from watchdog.config.yaml_file import ConfigError, read_yaml

ENV_PREFIX = "BASETEN_WATCHDOG_"
_NESTED = "__"


_FromEnvironment: type[BaseSettings] = create_model(  # type: ignore[call-overload]
    "_FromEnvironment",
    __base__=BaseSettings,
    **{name: (field.annotation, field) for name, field in Config.model_fields.items()},
)
"""The same settings, for reading the environment."""


@dataclass(frozen=True, slots=True)
class LoadedConfig:
    """A configuration, what somebody may not have meant in it, and where each value comes from.

    `sources` has a path like `policy.max_attempts` for each value that is not a default.
    """

    config: Config
    warnings: tuple[str, ...]
    sources: Mapping[str, str]


def load_config(
    path: Path | None = None,
    *,
    model_ids: Sequence[str] = (),
    overrides: Mapping[str, Any] | None = None,
) -> LoadedConfig:
    """Read the file, then the environment over it, then `overrides`, the command line's settings.

    `model_ids` watches just these, with the names and rules that the file has for them. Raises
    ConfigError with everything that is wrong.
    """
    layers = {f"file {path}": read_yaml(path)} if path is not None else {}
    layers["environment"] = _environment()
    layers["command line"] = dict(overrides or {})
    merged: dict[str, Any] = {}
    for layer in layers.values():
        merged = _merge(merged, layer)
    if model_ids:
        merged["models"] = _selected(merged.get("models"), model_ids)
        layers["command line"]["models"] = merged["models"]
    sources = _sources(layers)
    try:
        config = _checked(merged)
    except ConfigError as error:
        raise ConfigError(
            *(_placed(problem, path, sources) for problem in error.problems)
        ) from None
    return LoadedConfig(config, tuple(warnings(config)), sources)


def _placed(problem: str, path: Path | None, sources: Mapping[str, str]) -> str:
    """The problem, and before it where the setting stands that it begins with."""
    source = sources.get(problem.partition(":")[0], "")
    if source.startswith(ENV_PREFIX):
        return f"{source}: {problem}"
    return problem if path is None else f"{path}: {problem}"


def _checked(merged: dict[str, Any]) -> Config:
    """The configuration, or all that is wrong: what has the wrong shape is set aside, so that the
    rules can be checked on the rest."""
    try:
        config, problems = Config.model_validate(merged), []
    except ValidationError as error:
        problems = list(_shape_problems(error))
        try:
            config = Config.model_validate(_without(merged, error))
        except ValidationError:
            raise ConfigError(*problems) from None
    problems += breaches(config)
    if problems:
        raise ConfigError(*dict.fromkeys(problems))
    return config


def _environment() -> dict[str, Any]:
    known = {name.upper() for name in Config.model_fields}
    for name in os.environ:
        section = name.removeprefix(ENV_PREFIX).split(_NESTED)[0].upper()
        if name.upper().startswith(ENV_PREFIX) and section not in known:
            raise ConfigError(f"{name}: no such setting in the environment{_near(section, known)}")
    source = EnvSettingsSource(
        _FromEnvironment, env_prefix=ENV_PREFIX, env_nested_delimiter=_NESTED
    )
    try:
        return dict(source())
    except SettingsError:
        raise ConfigError(
            f"{ENV_PREFIX}...: a list or a section in the environment must be JSON, like "
            f"""{ENV_PREFIX}MODELS='[{{"id": "abc123"}}]'"""
        ) from None


def _merge(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        old = merged.get(key)
        if isinstance(old, Mapping) and isinstance(value, Mapping):
            value = _merge(old, value)
        merged[key] = value
    return merged


def _selected(configured: object, model_ids: Sequence[str]) -> list[Any]:
    known = {
        model["id"]: model
        for model in (configured if isinstance(configured, list) else ())
        if isinstance(model, dict) and isinstance(model.get("id"), str)
    }
    return [known.get(model_id, {"id": model_id}) for model_id in dict.fromkeys(model_ids)]


def _shape_problems(error: ValidationError) -> Iterator[str]:
    for found in error.errors(include_input=False, include_url=False):
        location = found["loc"]
        if found["type"] == "extra_forbidden":
            near = _near(str(location[-1]), _siblings(location))
            yield f"{_path(location)}: no such setting{near}"
            continue
        yield f"{_path(location)}: {found['msg'].removeprefix('Value error, ')}"


def _siblings(location: tuple[int | str, ...]) -> set[str]:
    """The settings that there are beside an unknown one."""
    shape: Any = Config
    for part in location[:-1]:
        if isinstance(part, int):
            continue
        annotation = shape.model_fields[part].annotation
        arguments = getattr(annotation, "__args__", ())
        shape = arguments[0] if arguments else annotation
    return set(shape.model_fields)


def _near(word: str, known: set[str]) -> str:
    near = difflib.get_close_matches(word, known, n=1)
    return f": did you mean {near[0]}?" if near else ""


def _path(location: Sequence[int | str]) -> str:
    path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location)
    return path.removeprefix(".")


def _without(merged: dict[str, Any], error: ValidationError) -> dict[str, Any]:
    """The settings but for those that the error names, or the whole list that one stands in."""
    rest = merged
    for found in error.errors(include_input=False, include_url=False):
        names = takewhile(lambda part: isinstance(part, str), found["loc"])
        rest = _drop(rest, tuple(names))
    return rest


def _drop(settings: Any, location: Sequence[Any]) -> Any:
    if not isinstance(settings, Mapping) or not location or location[0] not in settings:
        return settings
    key, rest = location[0], location[1:]
    kept = {name: value for name, value in settings.items() if name != key}
    if rest and isinstance(settings[key], Mapping):
        kept[key] = _drop(settings[key], rest)
    return kept


def _sources(layers: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    sources: dict[str, str] = {}
    for layer, settings in layers.items():
        for path in _leaves(settings):
            variable = ENV_PREFIX + path.replace(".", _NESTED).upper()
            sources[path] = variable if layer == "environment" else layer
    return sources


def _leaves(settings: Mapping[str, Any], path: str = "") -> Iterator[str]:
    for key, value in settings.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{path}{key}.")
        else:
            yield f"{path}{key}"
