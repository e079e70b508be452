"""Writes the tables of reasons, events and settings in docs/reference.md anew: `make reference`."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.fakes.events import LOGGED
from tests.generated import with_part
from watchdog.config import json_schema
from watchdog.domain.reasons import DecisionReason
from watchdog.engine.meanings import MEANINGS

REFERENCE = Path(__file__).parents[1] / "docs" / "reference.md"


def settings() -> dict[str, dict[str, Any]]:
    """Every setting of the configuration by its path, as JSON Schema describes it."""
    return dict(_below(json_schema(), ""))


def _below(section: dict[str, Any], prefix: str) -> Iterator[tuple[str, dict[str, Any]]]:
    definitions = json_schema()["$defs"]
    for name, setting in section["properties"].items():
        path = prefix + name
        yield path, setting
        listed = setting.get("items", setting)
        for each in (listed, *listed.get("anyOf", ())):
            below = each.get("$ref", "").rpartition("/")[2]
            # What a model overrides is described once, under `policy`.
            if "properties" in definitions.get(below, {}) and below != "PolicyOverrides":
                mark = "[]." if "items" in setting else "."
                yield from _below(definitions[below], path + mark)


def with_tables(text: str) -> str:
    """The document, with the tables of reasons, events and settings as the code has them."""
    reasons = [
        f"| `{reason}` | {reason.sentence} | {reason.scope.value} |" for reason in DecisionReason
    ]
    levels = dict(event.logged_as() for event in LOGGED.values())
    events = [f"| `{name}` | {levels[name]} | {said} |" for name, said in MEANINGS.items()]
    described = [f"| `{path}` | {setting['description']} |" for path, setting in settings().items()]
    text = _with_table(text, "reasons", "| reason | meaning | about |", "|---|---|---|", *reasons)
    text = _with_table(text, "events", "| event | level | meaning |", "|---|---|---|", *events)
    return _with_table(text, "settings", "| setting | |", "|---|---|", *described)


def _with_table(text: str, name: str, *lines: str) -> str:
    return with_part(text, name, "\n".join(lines))


if __name__ == "__main__":
    REFERENCE.write_text(with_tables(REFERENCE.read_text()))
