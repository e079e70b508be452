"""What the chart's values.yaml says of each value: its default, and the comment above it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import yaml

_TEXTS = {"type": "string"}
_NAMED = {"type": "object", "required": ["name"]}
_FILLED = {"minLength": 1}
_SPAN = {"pattern": "^([0-9]+(ms|s|m))?$"}

EXTRA: dict[str, dict[str, Any]] = {
    "image.repository": _FILLED,
    "image.digest": {"pattern": "^(sha256:[0-9a-f]{64})?$"},
    "image.pullPolicy": {"enum": ["Always", "IfNotPresent", "Never"]},
    "apiKey.secretName": _FILLED,
    "apiKey.secretKey": _FILLED,
    "persistence.size": {"pattern": "^[0-9.]+[EPTGMK]i?$"},
    "postgres.secretName": _FILLED,
    "postgres.secretKey": _FILLED,
    "replicas": {"minimum": 1},
    "podDisruptionBudget.maxUnavailable": {"type": ["integer", "string"]},
    "service.type": {"enum": ["ClusterIP", "NodePort", "LoadBalancer"]},
    "service.port": {"minimum": 1, "maximum": 65535},
    "ingress.hosts": {"items": _TEXTS},
    "httpRoute.hostnames": {"items": _TEXTS},
    "podMonitor.interval": _SPAN,
    "podMonitor.scrapeTimeout": _SPAN,
    "serviceMonitor.interval": _SPAN,
    "serviceMonitor.scrapeTimeout": _SPAN,
    "prometheusRule.disabled": {"items": _TEXTS},
    "networkPolicy.postgresPort": {"minimum": 1, "maximum": 65535},
    "imagePullSecrets": {"items": _NAMED},
    "extraArgs": {"items": _TEXTS},
    "extraEnv": {"items": _NAMED},
    "extraVolumes": {"items": _NAMED},
    "extraVolumeMounts": {"items": _NAMED},
    "initContainers": {"items": _NAMED},
    "extraContainers": {"items": _NAMED},
    "extraObjects": {"items": {"type": ["object", "string"]}},
    "terminationGracePeriodSeconds": {"minimum": 0},
    "revisionHistoryLimit": {"minimum": 0},
}
"""What a value must be, in addition to the type of its default."""

_MAPS_OF_TEXTS = ("abels", "nnotations", "nodeSelector")
_TYPES = {str: "string", bool: "boolean", int: "integer", list: "array", dict: "object"}


class Value(NamedTuple):
    """One value that has a comment. `path` has dots between its keys."""

    path: str
    default: Any
    comment: str

    @property
    def shown(self) -> str:
        """The default, for a table."""
        text = "none" if self.default == "" else json.dumps(self.default)
        return f"`{text}`" if len(text) < 40 else "see values.yaml"


def values(file: Path) -> Iterator[Value]:
    """The values in their order. Raises ValueError if a key has neither a comment nor keys below it
    that have one."""
    defaults = yaml.safe_load(file.read_text())
    comment: list[str] = []
    path: list[str] = []
    below = -1
    for line in file.read_text().splitlines():
        indent = len(line) - len(line.lstrip())
        if not line.strip():
            comment = []
        elif below >= 0 and indent > below:
            continue  # A part of a default.
        elif line.lstrip().startswith("#"):
            comment.append(line.strip("# "))
        else:
            below = -1
            path = [*path[: indent // 2], line.split(":")[0].strip()]
            if comment:
                below = indent
                yield Value(".".join(path), _at(defaults, path), " ".join(comment))
            elif line.rstrip()[-1] != ":":
                raise ValueError(f"{'.'.join(path)} has no comment")
            comment = []


def schema(file: Path) -> dict[str, Any]:
    """The JSON Schema of the values. Every key is required: Helm removes one that is set to null,
    and the template that reads it would fail without naming it."""
    root = _mapping()
    for value in values(file):
        section, _, name = value.path.rpartition(".")
        place = _key(root, section, _mapping()) if section else root
        _key(place, name, _described(value))
    # What an umbrella chart adds.
    root["properties"] |= {"global": {"type": "object"}, "enabled": {"type": "boolean"}}
    return root


def table(file: Path) -> str:
    """The values as a table of Markdown."""
    rows = (f"| `{each.path}` | {each.shown} | {each.comment} |" for each in values(file))
    return "\n".join(("| value | default | |", "|---|---|---|", *rows))


def _key(schema: dict[str, Any], name: str, described: dict[str, Any]) -> dict[str, Any]:
    """The schema of a key, which is added and required when it is new."""
    if name not in schema["required"]:
        schema["required"].append(name)
    found: dict[str, Any] = schema["properties"].setdefault(name, described)
    return found


def _mapping() -> dict[str, Any]:
    return {"type": "object", "additionalProperties": False, "required": [], "properties": {}}


def _described(value: Value) -> dict[str, Any]:
    found: dict[str, Any] = {"description": value.comment, "type": _TYPES[type(value.default)]}
    if isinstance(value.default, list):
        found["items"] = {"type": "object"}
    if value.path.endswith(_MAPS_OF_TEXTS):
        found["additionalProperties"] = _TEXTS
    return found | EXTRA.get(value.path, {})


def _at(defaults: Any, path: list[str]) -> Any:
    for key in path:
        defaults = defaults[key]
    return defaults
