"""`status`: what the ledger knows of each target, beside a running daemon or without one."""

from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from watchdog.cli.console import fail
from watchdog.cli.options import ConfigOption, JsonOption, load
from watchdog.cli.output import print_json, print_table, say
from watchdog.cli.selection import (
    ModelsArgument,
    Named,
    StateOption,
    is_in,
    select,
    selected,
    states,
    with_teams,
)
from watchdog.cli.sort import Sort

if TYPE_CHECKING:
    from watchdog.cli.shown import Shown
    from watchdog.config import Config
    from watchdog.engine.fleet.overview import Watched

    Pick = Callable[[Shown], list[Watched]]
    """Those that the command line selects, in its order."""


class Output(StrEnum):
    WIDE = "wide"
    JSON = "json"
    NAME = "name"


def status(
    models: ModelsArgument = None,
    state: StateOption = None,
    team: Annotated[
        list[str] | None,
        typer.Option(
            "--team", metavar="TEAM", help="Only the models of this team; may be repeated."
        ),
    ] = None,
    sort: Annotated[Sort, typer.Option("--sort", help="The order of the rows.")] = Sort.URGENCY,
    output: Annotated[
        Output | None,
        typer.Option(
            "--output",
            "-o",
            help="wide: all columns, whatever the terminal's width; json: as --json; name: one id "
            "a line, for another command.",
        ),
    ] = None,
    watch: Annotated[
        bool, typer.Option("--watch", "-w", help="Go on showing it, until q or Ctrl-C.")
    ] = False,
    json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Show what the ledger knows of each model, the most urgent first, and why it waits.

    With the id or name of one model, show that one in detail.
    """
    from watchdog.cli.ledger import read
    from watchdog.cli.shown import shown

    settings, wanted = load(config).config, states(state)
    if json and output not in (None, Output.JSON):
        fail("give either --json or --output")
    form = Output.JSON if json else output
    if watch and form is not None:
        fail("--watch is for people: leave --json and --output out")
    words = models or []
    seen = read(settings, lambda tx: shown(tx, settings, words))
    pick = _picking(settings, words, team or (), wanted, sort, seen)
    if watch:
        from watchdog.cli.status_watch import watch_status

        watch_status(settings, words, pick)
    elif form is Output.JSON:
        from watchdog.cli.status_json import status_json

        print_json(status_json(seen, pick(seen), settings.baseten.app_url))
    elif form is Output.NAME:
        for each in pick(seen):
            typer.echo(each.target.model_id)
    elif len(words) == 1 and not (wanted or team) and words[0] in _titles(seen):
        _print_detail(seen, pick(seen))
    else:
        _print(seen, pick(seen), wide=form is Output.WIDE)


def _picking(
    settings: "Config",
    words: Sequence[str],
    teams: Sequence[str],
    wanted: frozenset[str],
    sort: Sort,
    seen: "Shown",
) -> "Pick":
    from watchdog.cli.status_table import ordered

    asked = [*words, *map(_pattern_of, teams)]
    known = {each.model_id: each.team for each in with_teams(settings, asked, seen.named())}

    def pick(now_seen: "Shown") -> "list[Watched]":
        found, named = list(now_seen.watched), now_seen.named(known)
        if words:
            ids = set(select(words, named, [each.target for each in now_seen.gone]))
            found = [each for each in (*found, *now_seen.gone) if each.target.model_id in ids]
        if teams:
            ids = {model_id for team in teams for model_id in _of_team(team, named)}
            found = [each for each in found if each.target.model_id in ids]
        return ordered((each for each in found if is_in(each.target, wanted)), sort, now_seen.now)

    pick(seen)  # A word that selects no model ends the command here.
    return pick


def _of_team(team: str, known: "Sequence[Named]") -> set[str]:
    found = selected(_pattern_of(team), known)
    if not found:
        fail(f"no model is in the team {team!r}")
    return found


def _pattern_of(team: str) -> str:
    return f"{team}/*"


def _titles(seen: "Shown") -> set[str]:
    targets = [each.target for each in (*seen.watched, *seen.gone)]
    return {text for each in targets for text in (each.model_id, each.name) if text}


def _print(seen: "Shown", picked: "Sequence[Watched]", *, wide: bool) -> None:
    from watchdog.cli.status_table import COLUMNS, cells

    say(seen.summary())
    if seen.watched:
        typer.echo()
        rows = [cells(each, seen.now) for each in picked]
        print_table(COLUMNS, rows, empty="No model is selected.", wide=wide)
    for notes in (list(seen.meanings(picked)), list(seen.notes())):
        typer.echo("\n" if notes else "", nl=False)
        for note in notes:
            say(note)


def _print_detail(seen: "Shown", picked: "Sequence[Watched]") -> None:
    from watchdog.cli.status_detail import detail, labelled

    for each in picked:
        for label, text in detail(each, seen.now):
            say(labelled(label, text), indent=len(labelled("", "")))
    typer.echo()
    for note in seen.notes():
        say(note)
