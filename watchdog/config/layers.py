"""Settings in layers: the file, above it the variables, above them the command line."""

from collections.abc import Iterator, Mapping
from functools import reduce
from typing import Any


def merged(layers: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The settings of all layers, the lowest first. A section is merged, anything else replaced. An
    empty value is one that was not given."""
    settings: dict[str, Any] = {}
    for layer in layers.values():
        settings = _over(settings, layer)
    return settings


def _over(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    both = dict(below)
    for key, value in above.items():
        old = both.get(key)
        if isinstance(old, Mapping) and isinstance(value, Mapping):
            both[key] = _over(old, value)
        elif value is not None or key not in both:
            both[key] = value
    return both


def sources(layers: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Which layer each value is from, by a path like `policy.max_attempts`. A list is one value,
    and so is an empty section."""
    found: dict[str, str] = {}
    for name, layer in layers.items():
        for path, value in _leaves(layer):
            if value is None or value == {}:
                if not any(_is_within(other, path) for other in found):
                    found[path] = name
                continue
            replaced = [at for at in found if _is_within(at, path) or _is_within(path, at)]
            for other in replaced:
                del found[other]
            found[path] = name
    return found


def without_empty(
    found: Mapping[str, str], settings: Mapping[str, Any], config: object
) -> dict[str, str]:
    """The sources of what is in force in `config`: in place of an empty value, a default may be."""
    empty = {path for path, value in _leaves(settings) if value is None or value == {}}
    replaced = {path for path in empty if reduce(getattr, path.split("."), config) is not None}
    return {path: name for path, name in found.items() if path not in replaced}


def source_of(path: str, found: Mapping[str, str]) -> str:
    """The layer that a value, or its list, or something of its section is from; "" if nothing of it
    was given."""
    whole = path.partition("[")[0]
    below = (name for at, name in found.items() if _is_within(at, whole))
    return found.get(whole) or next(below, "")


def _is_within(path: str, section: str) -> bool:
    return path == section or path.startswith(f"{section}.")


def _leaves(settings: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in settings.items():
        if isinstance(value, Mapping) and value:
            yield from _leaves(value, f"{path}{key}.")
        else:
            yield f"{path}{key}", value
