"""`pause`, `resume` and `reset`: the commands that change the ledger."""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from watchdog.cli.console import fail, warn
from watchdog.cli.ledger import fail_without_ledger
from watchdog.cli.options import (
    ByOption,
    ConfigOption,
    CreateOption,
    NoteOption,
    YesOption,
    load,
    load_for_brake,
)
from watchdog.cli.output import when_in_zone
from watchdog.cli.selection import ModelsArgument, StateOption
from watchdog.text.duration import parse_duration
from watchdog.text.phrases import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from watchdog.config import Config
    from watchdog.domain.records import Action
    from watchdog.engine.ports import LedgerTransaction
    from watchdog.engine.settings import Settings

T = TypeVar("T")

_LONGEST_PAUSE = timedelta(days=30)
"""A pause must end by itself: if it were forgotten, the watchdog would stay off."""

_MOST_NAMED = 5
"""So many models are named in a command that a message proposes."""

AllOption = Annotated[
    bool, typer.Option("--all", help="All models, also those that are added later.")
]


def pause(
    models: ModelsArgument = None,
    state: StateOption = None,
    every: AllOption = False,
    span: Annotated[
        str | None, typer.Option("--for", metavar="DURATION", help="How long, as 2h. Required.")
    ] = None,
    note: NoteOption = "",
    by: ByOption = "",
    create: CreateOption = False,
    yes: YesOption = False,
    config: ConfigOption = None,
) -> None:
    """Send no retries of some models, or of all, for a time. The checks go on.

    It holds across restarts, and takes the place of an earlier pause.
    """
    from watchdog.engine.target import operate

    settings, wanted = load_for_brake(config), _span(span)
    act = f"Pause {{}} for {span}"
    ids = _chosen(settings, models, state, every, act, yes=yes, create=create)

    def begin(tx: "LedgerTransaction", rules: "Settings") -> datetime:
        ends = [operate.pause(tx, each, span=wanted, who=by, note=note) for each in ids]
        if not operate.holds(tx, rules, min(ends)):
            fail(
                "not paused: by the clock of a running daemon it would already be over: set that "
                "clock"
            )
        return min(ends)

    until = when_in_zone(_change(settings, begin, create=create))
    for model_id in ids:
        typer.echo(f"paused {model_id or 'all models'} until {until}")


def resume(
    models: ModelsArgument = None,
    state: StateOption = None,
    every: AllOption = False,
    note: NoteOption = "",
    by: ByOption = "",
    yes: YesOption = False,
    config: ConfigOption = None,
) -> None:
    """End a pause before its time."""
    from watchdog.engine.target import operate

    settings = load_for_brake(config)
    ids = _chosen(settings, models, state, every, "Resume {}", yes=yes, own_pauses=True)

    def end(tx: "LedgerTransaction", _: "Settings") -> "tuple[list[str | None], Sequence[Action]]":
        ended = [each for each in ids if operate.resume(tx, each, who=by, note=note)]
        return ended, tx.actions.pauses()

    ended, left = _change(settings, end)
    still = _still_paused(left, every=every)
    for model_id in ids:
        if model_id in ended:
            typer.echo(f"resumed {model_id or 'all models'}{still}")
        elif len(ids) > 1:
            typer.echo(f"{model_id}: not paused{still}", err=True)
    if not ended:
        fail(f"{ids[0] or 'all models'}: not paused{still}" if len(ids) == 1 else "none is paused")


def _still_paused(left: "Sequence[Action]", *, every: bool) -> str:
    """Which other pause keeps a model paused after this one ended."""
    single = sorted(each.model_id for each in left if each.model_id is not None)
    if every and single:
        which = " ".join(single) if len(single) <= _MOST_NAMED else "--state paused"
        return f"; {counted(len(single), 'model')} still paused individually: `resume {which}`"
    if not every and len(single) < len(left):
        return "; all models are paused: `resume --all`"
    return ""


def reset(
    models: ModelsArgument = None,
    state: StateOption = None,
    note: NoteOption = "",
    by: ByOption = "",
    yes: YesOption = False,
    config: ConfigOption = None,
) -> None:
    """Forget the attempts of some models: for each a new episode and a new window begin.

    For those that are exhausted, after the cause was fixed. The fleet's limits still count them.
    """
    settings = load(config).config
    question = "Forget the attempts of {}, so that {they} may be retried anew"
    ids = _chosen(settings, models, state, None, question, yes=yes, always=True)

    def clear(tx: "LedgerTransaction", rules: "Settings") -> list[str]:
        return [_reset(tx, rules, each, by, note) for each in ids if each is not None]

    problems = _change(settings, clear)
    for model_id, problem in zip(ids, problems, strict=True):
        if not problem:
            typer.echo(f"reset {model_id}")
    if any(problems):
        fail(*filter(None, problems))


def _reset(tx: "LedgerTransaction", rules: "Settings", model_id: str, by: str, note: str) -> str:
    """Reset a model. Returns why it was not reset; empty if it was."""
    from watchdog.engine.target import operate

    target = tx.targets.get(model_id)
    if target is None:
        return f"the ledger does not know {model_id} yet: start the daemon first"
    if model_id not in rules.models:
        return (
            f"{model_id}: not reset: it is neither configured nor discovered, so it has no limits"
        )
    try:
        operate.reset(tx, rules, target, who=by, note=note)
    except operate.OutOfStep:
        return "not reset: the clock of a running daemon differs from this one: set its clock"
    except operate.UnderWay:
        return f"a retry of {model_id} is under way: reset it once its result is known"
    return ""


def _chosen(
    settings: "Config",
    models: list[str] | None,
    state: list[str] | None,
    every: bool | None,
    act: str,
    *,
    yes: bool,
    always: bool = False,
    own_pauses: bool = False,
    create: bool = False,
) -> tuple[str | None, ...]:
    """The ids that the command line selects, None for all models, once they are confirmed. A single
    model that is named by its id or name needs no confirmation, unless `always`. `every` None: the
    command has no --all. `own_pauses` and `create` as in `choose`."""
    if every and (models or state):
        fail(f"give either {'MODEL' if models else '--state'} or --all")
    if every:
        return (None,)
    if not (models or state):
        fail(f"name a MODEL, or give --state{'' if every is None else ' or --all'}")
    from watchdog.cli.chosen import choose

    chosen = choose(settings, models, state, own_pauses=own_pauses, create=create)
    if chosen.several or always:
        chosen.confirm(act, yes=yes)
    return chosen.model_ids


def _change(
    settings: "Config",
    work: "Callable[[LedgerTransaction, Settings], T]",
    *,
    create: bool = False,
) -> "T":
    """Run one writing transaction and return its result.

    A missing ledger is made only with `create`: what is written to a ledger that no daemon uses
    has no effect.
    """
    import asyncio

    from watchdog.app.operate import change_ledger
    from watchdog.app.setup import NoLedgerError, SetupError

    try:
        result, made = asyncio.run(change_ledger(settings, work, make=create))
    except NoLedgerError as error:
        fail_without_ledger(error)
    except SetupError as error:
        fail(str(error))
    if made:
        where = settings.store.display_url
        warn(
            f"there was no ledger at {where}: made it. "
            "A daemon with another store.url does not see this"
        )
    return result


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
