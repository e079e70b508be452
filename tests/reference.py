"""Writes the tables of reasons and settings in docs/reference.md anew: `make reference`."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from watchdog.config import json_schema
from watchdog.domain.reasons import DecisionReason

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
    """The document, with the tables of reasons and of settings as the code has them."""
    reasons = [
        f"| `{reason}` | {reason.sentence} | {reason.scope.value} |" for reason in DecisionReason
    ]
    described = [f"| `{path}` | {setting['description']} |" for path, setting in settings().items()]
    text = _with_table(text, "reasons", "| reason | meaning | about |", "|---|---|---|", *reasons)
    return _with_table(text, "settings", "| setting | |", "|---|---|", *described)


def _with_table(text: str, name: str, *lines: str) -> str:
    begin, end = f"<!-- {name}: made by `make reference` -->\n", f"<!-- end of {name} -->\n"
    before, _, rest = text.partition(begin)
    _, _, after = rest.partition(end)
    table = "\n".join(lines)
    return f"{before}{begin}\n{table}\n\n{end}{after}"


if __name__ == "__main__":
    REFERENCE.write_text(with_tables(REFERENCE.read_text()))
