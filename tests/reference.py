"""Writes the table of settings in docs/reference.md anew: `make reference`."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from watchdog.config import json_schema

REFERENCE = Path(__file__).parents[1] / "docs" / "reference.md"
_BEGIN, _END = "<!-- settings: made by `make reference` -->\n", "<!-- end of settings -->\n"


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


def with_settings(text: str) -> str:
    """The document, with the table of settings as the code has it."""
    before, _, rest = text.partition(_BEGIN)
    _, _, after = rest.partition(_END)
    rows = [f"| `{path}` | {setting['description']} |\n" for path, setting in settings().items()]
    table = "".join(("| setting | |\n", "|---|---|\n", *rows))
    return f"{before}{_BEGIN}\n{table}\n{_END}{after}"


if __name__ == "__main__":
    REFERENCE.write_text(with_settings(REFERENCE.read_text()))
