"""From defaults, file, environment and command line to one checked configuration."""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from watchdog.config.brake import brake_config
from watchdog.config.breach import Breach
from watchdog.config.environment import read_environment
from watchdog.config.file import ConfigError, read_yaml
from watchdog.config.layers import merged, source_of, sources, without_empty
from watchdog.config.model import Config
from watchdog.config.problems import config_problems
from watchdog.config.rules import breaches
from watchdog.config.warnings import warnings
from watchdog.files.shape import Location, dotted

_COMMAND_LINE = "command line"


@dataclass(frozen=True, slots=True)
class LoadedConfig:
    """A configuration, warnings about what may be a mistake, and the source of each value.
    `sources` has a path like `policy.max_attempts` for each value that is not a default."""

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
    With `model_ids` only these models are watched, with the names and rules that the file has for
    them. Problems and warnings are also about the models that are not selected. Relative paths
    start at the file's folder, also in a value of the environment. Raises ConfigError with every
    problem."""
    layers = {f"file {path}": read_yaml(path)} if path is not None else {}
    layers |= read_environment(os.environ)
    layers[_COMMAND_LINE] = dict(overrides or {})
    settings, found = merged(layers), sources(layers)
    config, problems = _checked(settings, found)
    if problems:
        placed = (_place(paths, path, found) + problem for paths, problem in problems)
        left = brake_config(config, (each for paths, _ in problems for each in paths))
        raise ConfigError(*dict.fromkeys(placed), brake=left and _located(left, path))
    given = without_empty(found, settings, config)
    config = _located(config, path)
    doubts = tuple(warnings(config))
    if model_ids:
        config = _narrowed(config, model_ids)
        given["models"] = _COMMAND_LINE
    return LoadedConfig(config, doubts, given)


def _checked(
    settings: dict[str, Any], found: Mapping[str, str]
) -> tuple[Config, list[tuple[tuple[str, ...], str]]]:
    """The configuration and all that is wrong: the settings concerned, and the line to print.
    `found` are the sources of the settings.

    Settings of the wrong shape are left out. On the rest, all rules are checked that do not need a
    setting that was left out.
    """
    problems: list[tuple[tuple[str, ...], str]] = []
    aside: set[str] = set()
    config = None
    while config is None:
        try:
            config = Config.model_validate(settings)
        except ValidationError as error:
            told = [(at, dotted(at), text) for at, text in config_problems(error)]
            wrong = aside | {path for _, path, _ in told}
            for at, path, text in told:
                location = at
                if path in aside or any(each.startswith(f"{path}[") for each in wrong):
                    # A required setting is missing, or a list is empty, because what is wrong was
                    # left out. So the whole section is left out.
                    location = at[:-1]
                else:
                    # What is missing has no source, but the rest of its section has one.
                    concerned = path if source_of(path, found) else dotted(at[:-1])
                    problems.append(((concerned,), f"{path}: {text}"))
                aside.add(dotted(location))
                settings = _without(settings, location)
    problems += (
        ((breach.path, *breach.others), f"{breach.path}: {breach.text}")
        for breach in breaches(config)
        if not _touches(breach, aside)
    )
    return config, problems


def _touches(breach: Breach, aside: Iterable[str]) -> bool:
    return any(
        path == bad or path.startswith((f"{bad}.", f"{bad}[")) or bad.startswith(f"{path}[")
        for path in (breach.path, *breach.others)
        for bad in aside
    )


def _place(paths: Sequence[str], file: Path | None, found: Mapping[str, str]) -> str:
    """The beginning of a line: the variable or the command line, if one of `paths` was set there;
    otherwise the file."""
    for path in paths:
        source = source_of(path, found)
        if source and source != f"file {file}":
            return f"{source}: "
    return "" if file is None else f"{file}: "


def _narrowed(config: Config, model_ids: Sequence[str]) -> Config:
    known = {model.id: model for model in config.models}
    try:
        asked = Config.model_validate({"models": [{"id": one} for one in dict.fromkeys(model_ids)]})
    except ValidationError as error:
        problems = (f"--model: {dotted(at)}: {text}" for at, text in config_problems(error))
        raise ConfigError(*dict.fromkeys(problems)) from None
    models = tuple(known.get(model.id, model) for model in asked.models)
    return config.model_copy(update={"models": models, "discovery": None})


def _located(config: Config, path: Path | None) -> Config:
    """Relative paths start at the configuration file's folder, so that every command means the
    same files, wherever it is started."""
    if path is None:
        return config
    folder = path.parent.absolute()
    if "url" in config.store.model_fields_set:
        # Slow to import, and the default is absolute.
        from watchdog.urls.ledger import located

        store = config.store.model_copy(update={"url": located(config.store.url, folder)})
        config = config.model_copy(update={"store": store})
    file = config.baseten.api_key_file
    if file is not None:
        baseten = config.baseten.model_copy(update={"api_key_file": folder / file})
        config = config.model_copy(update={"baseten": baseten})
    receivers = tuple(
        each
        if each.url_file is None
        else each.model_copy(update={"url_file": folder / each.url_file})
        for each in config.notify
    )
    return config.model_copy(update={"notify": receivers})


def _without(settings: Mapping[str, Any], location: Location) -> dict[str, Any]:
    """The settings without the one at `location`; if it is in a list, without that list. A model is
    not removed, so that the numbers of the other models stay right. If the whole model or its id is
    wrong, its number stands in place of its id, and what the rules say about that id is not
    reported."""
    key, rest = str(location[0]), location[1:]
    if key == "models" and rest and isinstance(rest[0], int):
        models = list(settings["models"])
        kept = _without(models[rest[0]] or {}, rest[1:]) if rest[1:] else {}
        models[rest[0]] = {**kept, "id": f"{rest[0]}"} if rest[1:] in ((), ("id",)) else kept
        return {**settings, "models": models}
    without = {name: value for name, value in settings.items() if name != key}
    if rest and isinstance(rest[0], str) and key in settings:
        without[key] = _without(settings[key], rest)
    return without
