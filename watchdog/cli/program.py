"""The command line. Each command imports what it needs when it runs, so that all start fast."""

from typing import Annotated

import typer

from watchdog import __version__
from watchdog.cli.cause import cause_app
from watchdog.cli.check import check
from watchdog.cli.config import config_app
from watchdog.cli.console import (
    ignore_impossible_sizes,
    open_standard_streams,
    written_output,
)
from watchdog.cli.demo import demo
from watchdog.cli.doctor import doctor
from watchdog.cli.emulator import emulator
from watchdog.cli.examples import epilog
from watchdog.cli.history import history
from watchdog.cli.init import init
from watchdog.cli.models import models
from watchdog.cli.notify import notify_app
from watchdog.cli.operate import pause, reset, resume
from watchdog.cli.replay import replay
from watchdog.cli.retry import retry
from watchdog.cli.run import health, run
from watchdog.cli.simulate import simulate
from watchdog.cli.status import status
from watchdog.cli.usage import FoldedHelp, OneLineErrors

app = typer.Typer(
    name="baseten-watchdog",
    help="Keeps Baseten development deployments alive: retries failed ones, within limits, "
    "and says why it did or did not.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    cls=OneLineErrors,
    rich_markup_mode="rich",
)


def _print_version(value: bool) -> None:
    if value:
        typer.echo(f"baseten-watchdog {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
) -> None: ...


for _command in (
    init,
    doctor,
    run,
    check,
    models,
    status,
    history,
    pause,
    resume,
    reset,
    retry,
    health,
    emulator,
    demo,
    simulate,
    replay,
):
    app.command(cls=FoldedHelp, epilog=epilog(_command.__name__))(_command)
app.add_typer(config_app, name="config")
app.add_typer(cause_app, name="cause")
app.add_typer(notify_app, name="notify")


def main() -> None:
    """The console script."""
    open_standard_streams()
    ignore_impossible_sizes()
    with written_output():
        app(prog_name="baseten-watchdog")
