"""The files in config/ say what is true."""

import json
import re
from pathlib import Path

from watchdog.config import Config, json_schema, load_config

CONFIG = Path(__file__).parents[2] / "config"
EXAMPLE = CONFIG / "example.yaml"


def test_the_schema_is_current() -> None:
    assert json.loads((CONFIG / "schema.json").read_text()) == json_schema(), "run: make schema"


def test_every_setting_is_described() -> None:
    schema = json_schema()
    for section in [schema, *schema["$defs"].values()]:
        for name, setting in section.get("properties", {}).items():
            assert setting.get("description"), name


def test_the_schemas_default_durations_are_durations() -> None:
    settings = [
        setting
        for section in json_schema()["$defs"].values()
        for setting in section.get("properties", {}).values()
        if "pattern" in setting and "default" in setting
    ]

    assert len(settings) > 10
    for setting in settings:
        assert re.fullmatch(setting["pattern"], setting["default"]), setting["title"]


def test_the_example_holds_the_defaults() -> None:
    loaded = load_config(EXAMPLE)

    assert loaded.warnings == ()
    assert loaded.config.model_copy(update={"models": ()}) == load_config().config


def test_the_example_has_every_setting(tmp_path: Path) -> None:
    full = tmp_path / "full.yaml"
    text = re.sub(r"(?m)^  # (breaker|url|allowed_times): ", r"  \1: ", EXAMPLE.read_text())
    text = re.sub(r"(?m)^    # (\w+_backoff): ", r"    \1: ", text)
    full.write_text(re.sub(r"(?m)^# (discovery): ", r"\1: ", text))

    loaded = load_config(full)

    given = {
        re.sub(r"(allowed_times|discovery|_backoff)\..+", r"\1", path) for path in loaded.sources
    }
    assert given == set(leaves(Config()))
    assert loaded.config.fleet == Config().fleet


def leaves(config: Config) -> list[str]:
    paths = []
    pending = list(config.model_dump().items())
    while pending:
        path, value = pending.pop()
        if isinstance(value, dict):
            pending += [(f"{path}.{key}", below) for key, below in value.items()]
        else:
            paths.append(path)
    return paths
