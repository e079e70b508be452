"""`cause`: what a log would be taken for."""

import os
import sys
from pathlib import Path
from typing import Annotated, BinaryIO

import typer

from watchdog.cli.console import fail
from watchdog.cli.examples import epilog
from watchdog.cli.options import ConfigOption, JsonOption, load
from watchdog.cli.output import print_json
from watchdog.cli.usage import FoldedHelp, Group
from watchdog.files.regular import check_regular, open_regular
from watchdog.text.untrusted import clean

cause_app = typer.Typer(cls=Group, help="Explain the causes of failures.", no_args_is_help=True)

_MOST_BYTES = 10_000_000


@cause_app.command(cls=FoldedHelp, epilog=epilog("cause explain"))
def explain(
    file: Annotated[
        str, typer.Argument(metavar="FILE", help="The log; - reads it from standard input.")
    ],
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Print the cause that the end of a log shows, with the line and the pattern that show it."""
    from watchdog.config.causes import Catalogue
    from watchdog.domain.cause_search import find_cause
    from watchdog.domain.causes import Evidence
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
        if file == "-":
            raw = _end(sys.stdin.buffer)
        else:
            check_regular(Path(file))
            with os.fdopen(open_regular(Path(file), os.O_RDONLY), "rb") as opened:
                raw = _end(opened)
    except OSError as error:
        fail(f"{file}: cannot be read: {error.strerror}")
    return raw.decode("utf-8", errors="replace")


def _end(stream: BinaryIO) -> bytes:
    """The last bytes of a stream, whose beginning may be far larger than the memory."""
    end = b""
    while part := stream.read(_MOST_BYTES):
        end = (end + part)[-_MOST_BYTES:]
    return end
