"""`config`: check a file, show what is in force, print the schema."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from watchdog.cli.console import fail, one_line, warn
from watchdog.cli.examples import epilog
from watchdog.cli.layout import Column, shorten_end, shorten_middle
from watchdog.cli.options import (
    ConfigOption,
    JsonOption,
    config_is_given,
    load,
)
from watchdog.cli.output import print_json, print_table
from watchdog.cli.usage import FoldedHelp, Group
from watchdog.files.places import CONFIG_NAME, config_file

if TYPE_CHECKING:
    from watchdog.config import Config

config_app = typer.Typer(
    cls=Group, help="Check, show and describe the configuration.", no_args_is_help=True
)


FileArgument = Annotated[
    Path | None, typer.Argument(metavar="FILE", help="The same as --config FILE.")
]


@config_app.command(cls=FoldedHelp, epilog=epilog("config check"))
def check(
    context: typer.Context, argument: FileArgument = None, config: ConfigOption = None
) -> None:
    """Check a configuration file: every error with its path, all at once.

    Without a file it checks the file that the other commands would read.

    It asks no server: `doctor` does, and looks at what else the daemon needs.
    """
    file = config_file(_one_of(context, argument, config))
    if file is None:
        fail(f"there is no configuration file: name one, or write ./{CONFIG_NAME} with `init`")
    from watchdog.config.warnings import nothing_watched

    loaded = load(file)
    for warning in (*loaded.warnings, *nothing_watched(loaded.config)):
        warn(f"{file}: {warning}")
    _check_key(file, loaded.config)
    _check_receivers(file, loaded.config)
    _check_ledger(file, loaded.config)
    typer.echo(f"{one_line(file)}: ok")


def _check_key(file: Path, config: "Config") -> None:
    """The key's file may be only where the daemon runs; one that is here must hold a key."""
    key_file = config.baseten.api_key_file
    if key_file is None:
        return
    if not key_file.exists():
        warn(f"{file}: baseten.api_key_file: {key_file} is not on this machine")
        return
    from watchdog.app.parts import make_key
    from watchdog.app.setup import SetupError

    try:
        make_key(config, {})
    except SetupError as error:
        fail(f"{file}: {error}")


def _check_receivers(file: Path, config: "Config") -> None:
    """A file with a URL may be only where the daemon runs; one that is here must hold a URL."""
    here = []
    for number, receiver in enumerate(config.notify):
        if receiver.url_file is not None and not receiver.url_file.exists():
            warn(f"{file}: notify[{number}].url_file: {receiver.url_file} is not on this machine")
        else:
            here.append(receiver)
    if not here:
        return
    from watchdog.app.parts import receiver_problems

    if problems := receiver_problems(config.model_copy(update={"notify": tuple(here)})):
        fail(*(f"{file}: {each}" for each in problems))


def _check_ledger(file: Path, config: "Config") -> None:
    """The ledger may be only where the daemon runs; what is here in its place must be a file."""
    if "url" not in config.store.model_fields_set:
        return
    # Slow to import, and the default is right.
    from watchdog.ledger.sqlite_file import unusable
    from watchdog.urls.ledger import sqlite_file

    ledger = sqlite_file(config.store.url)
    if ledger is not None and (problem := unusable(ledger)):
        fail(f"{file}: store.url: {ledger} cannot be the ledger: {problem}")


@config_app.command(cls=FoldedHelp, epilog=epilog("config show"))
def show(
    context: typer.Context,
    argument: FileArgument = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Show the values in force, and where each comes from."""
    loaded = load(_one_of(context, argument, config))
    shown = loaded.config.model_dump(mode="json")
    shown["models"] = [
        model.model_dump(mode="json", exclude_unset=True) for model in loaded.config.models
    ]
    shown["rules"] = [
        rule.model_dump(mode="json", exclude_unset=True) for rule in loaded.config.rules
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
        (Column("setting"), Column("value", 0, shorten_end), Column("from", 1, shorten_middle)),
        [(str(row["setting"]), _text(row["value"]), str(row["source"])) for row in rows],
        empty="There are no settings.",
    )


@config_app.command(cls=FoldedHelp, epilog=epilog("config schema"))
def schema() -> None:
    """Print the file's JSON Schema, for editors."""
    from watchdog.config import json_schema

    print_json(json_schema())


def _one_of(context: typer.Context, argument: Path | None, option: Path | None) -> Path | None:
    """The file that is named by the argument or the option. The argument goes before the variable
    BASETEN_WATCHDOG_CONFIG, whose value arrives as the option."""
    if argument is not None and config_is_given(context):
        fail("give either FILE or --config FILE")
    return argument or option


def _leaves(settings: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in settings.items():
        if isinstance(value, Mapping) and value:
            yield from _leaves(value, f"{path}{key}.")
        elif key == "rules" and value:
            for number, rule in enumerate(value):
                yield from _leaves(rule, f"{path}{key}[{number}].")
        else:
            yield f"{path}{key}", value


def _source(path: str, sources: Mapping[str, str]) -> str:
    """A list is from one source as a whole."""
    return sources.get(path.partition("[")[0], "default")


def _text(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(_text(each) for each in value) or "-"
    if isinstance(value, Mapping):
        return str(value.get("id") or value.get("name", value or "-"))
    if isinstance(value, bool):
        return "true" if value else "false"
    return "-" if value is None else str(value)
