"""`config`: check a file, show what is in force, print the schema."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from watchdog.cli.console import fail, warn
from watchdog.cli.options import (
    CONFIG_NAME,
    CONFIG_VARIABLE,
    ConfigOption,
    JsonOption,
    config_file,
    load,
)
from watchdog.cli.output import print_json, print_table

config_app = typer.Typer(help="Check, show and describe the configuration.", no_args_is_help=True)


@config_app.command()
def check(
    file: Annotated[Path | None, typer.Argument(metavar="[FILE]", envvar=CONFIG_VARIABLE)] = None,
) -> None:
    """Check a configuration file: every error with its path, all at once.

    Without FILE it checks the file that the other commands would read.
    """
    file = config_file(file)
    if file is None:
        fail(f"there is no configuration file: name one, or write ./{CONFIG_NAME} with `init`")
    for warning in load(file).warnings:
        warn(f"{file}: {warning}")
    typer.echo(f"{file}: ok")


@config_app.command()
def show(config: ConfigOption = None, json: JsonOption = False) -> None:
    """Show the values in force, and where each comes from."""
    loaded = load(config)
    shown = loaded.config.model_dump(mode="json")
    shown["models"] = [
        model.model_dump(mode="json", exclude_unset=True) for model in loaded.config.models
    ]
    shown["store"]["url"] = loaded.config.store.display_url
    rows = [
        {"setting": path, "value": value, "source": _source(path, loaded.sources)}
        for path, value in _leaves(shown)
    ]
    if json:
        print_json({"settings": rows})
        return
    print_table(
        ("setting", "value", "from"),
        [(str(row["setting"]), _text(row["value"]), str(row["source"])) for row in rows],
    )


@config_app.command()
def schema() -> None:
    """Print the file's JSON Schema, for editors."""
    from watchdog.config import json_schema

    print_json(json_schema())


def _leaves(settings: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in settings.items():
        if isinstance(value, Mapping) and value:
            yield from _leaves(value, f"{path}{key}.")
        else:
            yield f"{path}{key}", value


def _source(path: str, sources: Mapping[str, str]) -> str:
    return sources.get(path, "default")


def _text(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(_text(each) for each in value) or "-"
    if isinstance(value, Mapping):
        return str(value.get("id", value))
    return "-" if value is None else str(value)
