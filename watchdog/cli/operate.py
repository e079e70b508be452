"""`pause`, `resume`, `reset` and `retry`: the commands with which an operator intervenes."""

import asyncio
import getpass
import os
import socket
import sys
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from watchdog.cli.console import fail
from watchdog.cli.model_argument import ModelArgument, configured, resolve
from watchdog.cli.options import ConfigOption, load
from watchdog.text.duration import parse_duration
from watchdog.text.phrases import clock_time
from watchdog.text.untrusted import LONGEST_NAME, clean

if TYPE_CHECKING:
    from collections.abc import Callable

    from watchdog.config import Config
    from watchdog.engine.ports import LedgerTransaction
    from watchdog.engine.settings import Settings

_LONGEST_PAUSE = timedelta(days=30)
"""A pause must end by itself: if it were forgotten, the watchdog would stay off."""

OptionalModel = Annotated[
    str | None, typer.Argument(metavar="[MODEL]", help="A model's id or configured name.")
]
AllOption = Annotated[bool, typer.Option("--all", help="All models, also those to come.")]


def _one_line(note: str) -> str:
    """A shell passes on any bytes, including bytes that are not valid text."""
    return clean(note)


NoteOption = Annotated[
    str, typer.Option("--note", help="Why; shown in status and history.", callback=_one_line)
]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


def pause(
    model: OptionalModel = None,
    every: AllOption = False,
    span: Annotated[
        str | None, typer.Option("--for", metavar="DURATION", help="How long, as 2h. Required.")
    ] = None,
    note: NoteOption = "",
    config: ConfigOption = None,
) -> None:
    """Hands off: retry nothing of a model, or of all, for a time. Watching goes on.

    It holds across restarts, and takes the place of an earlier pause.
    """
    from watchdog.engine.target import operate

    settings, wanted = load(config).config, _span(span)
    ends: list[datetime] = []

    def begin(tx: "LedgerTransaction", rules: "Settings", model_id: str | None) -> None:
        until = operate.pause(tx, model_id, span=wanted, who=who(), note=note)
        if not operate.holds(tx, rules, until):
            fail("not paused: by the clock of a running daemon that would be over: set its clock")
        ends.append(until)

    model_id = _change(settings, model, every, begin)
    typer.echo(f"paused {model_id or 'all models'} until {clock_time(ends[-1])}")


def resume(
    model: OptionalModel = None,
    every: AllOption = False,
    note: NoteOption = "",
    config: ConfigOption = None,
) -> None:
    """End a pause before its time."""
    from watchdog.engine.target import operate

    left: list[str] = []

    def end(tx: "LedgerTransaction", _: "Settings", model_id: str | None) -> None:
        ended = operate.resume(tx, model_id, who=who(), note=note)
        if model_id and any(pause.model_id is None for pause in tx.actions.pauses()):
            left.append("; all models are paused: `resume --all`")
        if not ended:
            fail(f"{model_id or 'all models'}: not paused{''.join(left)}")

    model_id = _change(load(config).config, model, every, end)
    typer.echo(f"resumed {model_id or 'all models'}{''.join(left)}")


def reset(
    model: ModelArgument,
    note: NoteOption = "",
    yes: YesOption = False,
    config: ConfigOption = None,
) -> None:
    """Forget a model's attempts: a new episode and a new window begin.

    For one that is exhausted, after its cause was fixed. The fleet's limits still count them.
    """
    from watchdog.engine.target import operate

    settings = load(config).config
    confirm(f"Forget the attempts of {model}, so that it may be retried anew?", yes=yes)

    def clear(tx: "LedgerTransaction", rules: "Settings", model_id: str | None) -> None:
        target = tx.targets.get(model_id) if model_id is not None else None
        if target is None:
            fail(f"the ledger does not know {model_id} yet: start the daemon first")
        try:
            operate.reset(tx, rules, target, who=who(), note=note)
        except operate.OutOfStep:
            fail("not reset: the clock of a running daemon differs from this one: set its clock")
        except operate.UnderWay:
            fail(f"a retry of {model_id} is under way: reset it once its result is known")

    typer.echo(f"reset {_change(settings, model, False, clear)}")


def _change(
    settings: "Config",
    model: str | None,
    every: bool,
    work: "Callable[[LedgerTransaction, Settings, str | None], None]",
) -> str | None:
    """Run one writing transaction about one model or all; the model's id."""
    from watchdog.app.operate import change_ledger
    from watchdog.app.parts import SetupError

    if every == (model is not None):
        fail("name a MODEL, or give --all" if model is None else "give either MODEL or --all")

    def whole(tx: "LedgerTransaction", rules: "Settings") -> str | None:
        known = configured(settings)
        model_id = resolve(model, known, tx.targets.all()) if model is not None else None
        work(tx, rules, model_id)
        return model_id

    try:
        model_id, made = asyncio.run(change_ledger(settings, whole))
    except SetupError as error:
        fail(str(error))
    if made:
        where = settings.store.display_url
        typer.echo(
            f"warning: there was no ledger at {where}: made it. "
            "A daemon with another store.url does not see this",
            err=True,
        )
    return model_id


def _span(text: str | None) -> timedelta:
    if text is None:
        fail("say how long: --for 2h")
    try:
        span = parse_duration(text)
    except ValueError as error:
        fail(f"--for: {error}")
    if not timedelta(0) < span <= _LONGEST_PAUSE:
        fail(f"--for: must be more than 0s and at most {_LONGEST_PAUSE.days}d")
    return span


def confirm(question: str, *, yes: bool) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        fail(f"{question} Nobody is there to ask: give --yes")
    typer.confirm(question, abort=True)


def who() -> str:
    """user@host, as the history shows it. In a container the user may have no name."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError, ImportError):
        user = str(os.getuid())
    return clean(f"{user}@{socket.gethostname()}", most=LONGEST_NAME)
