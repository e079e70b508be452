"""`simulate`: what a policy would do, tried on a random fleet in virtual time."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from watchdog.cli.console import fail
from watchdog.cli.layout import Column
from watchdog.cli.options import JsonOption, load
from watchdog.cli.output import drawn, print_json, print_table, say
from watchdog.text.phrases import counted

if TYPE_CHECKING:
    from watchdog.simulate.compare import Comparison
    from watchdog.simulate.fleet import Fleet
    from watchdog.simulate.run import Policy

_ALWAYS = 5
"""Columns that are shown however narrow the terminal is."""

_MOST_WORLDS = 10_000
EXIT_INTERRUPTED = 130
"""The exit code after Ctrl-C, as for every program that it ends."""


def simulate(
    config: Annotated[
        list[Path] | None,
        typer.Option("--config", "-c", metavar="FILE", help="Try its policy; may be repeated."),
    ] = None,
    preset: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="Try ours, cron-loop, fixed-10m or doubling; may be repeated. By default all of "
            "them, or ours beside the one --config.",
        ),
    ] = None,
    fleet: Annotated[
        str,
        typer.Option(
            metavar="FILE",
            help="The fleet: a file, or quiet-week, platform-incident, bad-push, "
            "capacity-drought or flapping.",
        ),
    ] = "quiet-week",
    models: Annotated[int | None, typer.Option(help="How many models the fleet has.")] = None,
    days: Annotated[int | None, typer.Option(help="For how many days.")] = None,
    worlds: Annotated[int, typer.Option(help="On how many random worlds.")] = 20,
    seed: Annotated[int, typer.Option(help="The same seed gives the same worlds.")] = 1,
    json: JsonOption = False,
    svg: Annotated[Path | None, typer.Option(metavar="FILE", help="Write a picture.")] = None,
) -> None:
    """Try policies on a simulated fleet, and compare what they do. It asks no API."""
    from watchdog.simulate.compare import Comparison
    from watchdog.simulate.fleet import MOST_DAYS, MOST_MODELS

    _check("models", models, MOST_MODELS)
    _check("days", days, MOST_DAYS)
    _check("worlds", worlds, _MOST_WORLDS)
    if svg is not None and not svg.parent.is_dir():
        fail(f"{svg}: cannot be written: {svg.parent} is no folder")
    tried = _policies(config or [], preset or [])
    comparison = Comparison(tried, _fleet(fleet, models, days), seed)
    interrupted = False
    with _progress(worlds * len(tried) * comparison.fleet.days) as each_day:
        try:
            comparison.run(worlds, each_day)
        except KeyboardInterrupt:
            interrupted = True
    if not comparison.results:
        fail("interrupted before the first world was done", status=EXIT_INTERRUPTED)
    _print(comparison, json=json, svg=svg)
    if interrupted:
        fail(
            f"interrupted after {len(comparison.results)} of {worlds} worlds",
            status=EXIT_INTERRUPTED,
        )


def _check(name: str, number: int | None, most: int) -> None:
    if number is not None and not 1 <= number <= most:
        fail(f"--{name}: must be from 1 to {most}")


def _policies(configs: Sequence[Path], names: Sequence[str]) -> "list[Policy]":
    """All presets if nothing is named. A single policy is tried beside `ours`."""
    from watchdog.simulate.run import Policy, presets

    known = presets()
    for name in names:
        if name not in known:
            fail(f"--preset: there is no {name}: the presets are {', '.join(known)}")
    if not (configs or names):
        return list(known.values())
    tried = {str(path): Policy(str(path), load(path).config) for path in configs}
    tried |= {name: known[name] for name in names}
    # The others are compared with the first.
    if "ours" in names or len(tried) == 1:
        tried = {"ours": known["ours"]} | tried
    return list(tried.values())


def _fleet(name: str, models: int | None, days: int | None) -> "Fleet":
    from watchdog.simulate.fleet import FleetError, load_fleet

    try:
        fleet = load_fleet(name).sized(models, days)
        fleet.check_reached(name)
    except FleetError as error:
        fail(*error.problems)
    return fleet


@contextmanager
def _progress(total: int) -> Iterator[Callable[[], None]]:
    """A bar on standard error, if that is a terminal; what to call after each part of the total."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("simulating", total=total)
        yield lambda: bar.advance(task)


def _columns(titles: Sequence[str]) -> list[Column]:
    """The later ones go first where there is too little room; `--json` has them all."""
    return [Column(title, max(0, rank - _ALWAYS)) for rank, title in enumerate(titles)]


def _print(comparison: "Comparison", *, json: bool, svg: Path | None) -> None:
    from watchdog.simulate import picture, words

    if json:
        print_json(words.as_json(comparison))
    else:
        _print_words(comparison)
    if svg is not None:  # Last: the results are printed already if it cannot be written.
        try:
            svg.write_text(picture.svg(comparison), encoding="utf-8")
        except OSError as error:
            fail(f"{svg}: cannot be written: {error.strerror}")


def _print_words(comparison: "Comparison") -> None:
    from watchdog.simulate import words

    fleet = comparison.fleet
    sizes = ((fleet.models, "model"), (fleet.days, "day"), (len(comparison.results), "world"))
    size = ", ".join(counted(count, noun) for count, noun in sizes)
    typer.echo(f"{size}, seed {comparison.seed}\n")
    within = drawn("±", "+-")
    rows = [[cell.replace("±", within) for cell in row] for row in words.rows(comparison)]
    print_table(_columns(words.columns()), rows, empty="")
    for line in ("", *words.paragraph(comparison)):
        say(line.replace("±", within))
