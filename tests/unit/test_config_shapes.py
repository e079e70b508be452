"""Any value in the place of any setting: one line for each problem."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchdog.config import Config, ConfigError, json_schema, load_config

WRONG: tuple[Any, ...] = (
    3, -1, 1.5, 1e300, True, None, "", "x", "\0", "\ud800", "5m", [], [1], ["x"], [[]], [None],
    [{}], {}, {"a": 1}, {"a": {"b": []}}, {"id": 3}, {"include": "x"}, {"cron": "x"},
)  # fmt: skip


def places(schema: dict[str, Any], at: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The path of every setting in the schema, sections included."""
    if "$ref" in schema:
        yield from places(DEFINITIONS[schema["$ref"].rpartition("/")[2]], at)
        return
    for kind in (*schema.get("anyOf", ()), *schema.get("allOf", ())):
        yield from places(kind, at)
    if "items" in schema:
        yield from places(schema["items"], (*at, "[]"))
    for name, each in schema.get("properties", {}).items():
        yield (*at, name)
        yield from places(each, (*at, name))


SCHEMA = json_schema()
DEFINITIONS = SCHEMA.get("$defs", {})
PLACES = sorted(set(places(SCHEMA)))


def with_value(place: tuple[str, ...], value: Any) -> Any:
    if not place:
        return value
    rest = with_value(place[1:], value)
    return [rest] if place[0] == "[]" else {place[0]: rest}


def merged(one: Any, other: Any) -> Any:
    if isinstance(one, dict) and isinstance(other, dict):
        both = {name: merged(one[name], other[name]) for name in one if name in other}
        return one | other | both
    return other


def load(folder: Path, settings: Any) -> Config | tuple[str, ...]:
    """The configuration, or the problems. JSON is YAML."""
    path = folder / "config.yaml"
    path.write_text(json.dumps(settings))
    try:
        return load_config(path).config
    except ConfigError as error:
        return error.problems


def assert_reported(found: Config | tuple[str, ...]) -> None:
    if isinstance(found, Config):
        return
    assert found
    assert len(set(found)) == len(found)
    assert not any("\n" in line or "pydantic" in line or "Traceback" in line for line in found)


def test_there_are_places_of_each_depth() -> None:
    assert ("mode",) in PLACES
    assert ("fleet", "breaker", "ratio") in PLACES
    assert ("models", "[]", "policy", "allowed_times", "cron") in PLACES


@pytest.mark.parametrize("place", PLACES, ids=".".join)
def test_a_wrong_value_is_one_line(place: tuple[str, ...], tmp_path: Path) -> None:
    for value in WRONG:
        found = load(tmp_path, with_value(place, value))
        assert_reported(found)


@given(st.lists(st.tuples(st.sampled_from(PLACES), st.sampled_from(WRONG)), max_size=6))
def test_wrong_values_are_reported_all_at_once(
    tmp_path_factory: pytest.TempPathFactory, chosen: list[tuple[tuple[str, ...], Any]]
) -> None:
    settings: Any = {}
    for place, value in chosen:
        settings = merged(settings, with_value(place, value))
    assert_reported(load(tmp_path_factory.mktemp("shape"), settings))


def test_every_wrong_shape_is_reported(tmp_path: Path) -> None:
    found = load(
        tmp_path,
        {
            "watch": 3,
            "policy": {"allowed_times": {"cron": "* 8-18 * * mon-fri"}},
            "discovery": {"include": "team-a/*"},
            "models": {"a": "b"},
        },
    )
    assert found == (
        f"{tmp_path}/config.yaml: watch: must hold settings, each on a line of its own below it",
        f"{tmp_path}/config.yaml: policy.allowed_times.cron: must be a list",
        f"{tmp_path}/config.yaml: models: must be a list",
        f"{tmp_path}/config.yaml: discovery.include: must be a list",
    )
