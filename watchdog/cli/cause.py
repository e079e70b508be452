"""`cause`: what a log would be taken for."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from watchdog.cli.console import fail
from watchdog.cli.options import ConfigOption, JsonOption, load
from watchdog.cli.output import print_json
from watchdog.text.untrusted import clean

cause_app = typer.Typer(help="Explain the causes of failures.", no_args_is_help=True)

_MOST_BYTES = 10_000_000


@cause_app.command()
def explain(
    file: Annotated[
        str, typer.Argument(metavar="FILE", help="The log; - reads it from standard input.")
    ],
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Say what the end of a log would be taken for, by which line and which pattern."""
    from watchdog.config.causes import Catalogue
    from watchdog.domain.causes import Evidence, find_cause
    from watchdog.text.log import log_lines

    own = load(config).config.own_causes() if config is not None else ()
    found = find_cause(Evidence(log_lines(_read(file))), Catalogue(own))
    if json:
        named = found.pattern != ""
        print_json(
            {
                "cause": found.cause.value,
                "sureness": found.sureness.word if named else None,
                "line": found.line if named else None,
                "pattern": found.pattern if named else None,
            }
        )
        return
    typer.echo(f"{found.cause}: {found.cause.sentence}")
    if found.pattern:
        typer.echo(f"line:    {clean(found.line)}")
        typer.echo(f"pattern: {found.pattern} ({found.sureness.word})")


def _read(file: str) -> str:
    """The end of a log, whatever its encoding."""
    try:
        raw = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    except OSError as error:
        fail(f"{file}: cannot be read: {error.strerror}")
    return raw[-_MOST_BYTES:].decode("utf-8", errors="replace")
