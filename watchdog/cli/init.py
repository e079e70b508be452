"""`init`: write a first configuration file from what the key can see."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from watchdog.cli.console import fail, one_line
from watchdog.cli.layout import Column, shorten_middle
from watchdog.cli.model_argument import did_you_mean
from watchdog.cli.models import workspace
from watchdog.cli.options import load_without_file
from watchdog.cli.output import print_table
from watchdog.cli.selection import Named, selected
from watchdog.files.places import CONFIG_NAME

if TYPE_CHECKING:
    from watchdog.app.workspace import SeenModel

_PLACE = "# MODELS\n"
"""The line of the template that the chosen models replace."""


def init(
    models: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="MODEL",
            help="What to watch: numbers of the list, ids, names, or patterns such as 'team-a/*'.",
        ),
    ] = None,
    file: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="The file to write.")
    ] = Path(CONFIG_NAME),
    everything: Annotated[
        bool, typer.Option("--all", help="Watch every model with a development deployment.")
    ] = False,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Ask nothing: for scripts, with MODEL or --all.")
    ] = False,
) -> None:
    """Choose models from those that the key can see, and write a commented configuration file.

    It overwrites nothing. Exit status: 0 written; 1 you answered no; 2 wrong usage or key; 3 the
    API could not be asked.
    """
    if file.exists():
        fail(f"{file} exists: remove it first, or name another file with --output")
    if yes and not (everything or models):
        fail("--yes needs to know what to watch: name models, or give --all")
    offered = [each for each in workspace(load_without_file().config).models if _offered(each)]
    if not offered:
        fail("the key sees no model with a development deployment: push one with `truss watch`")
    chosen = offered if everything else _chosen(offered, models) if models else _ask(offered)
    if not (yes or models or everything):
        question = f"Write {one_line(file)} with {_count(chosen)}?"
        _answer(lambda: typer.confirm(question, default=True, abort=True))
    _write(file, _text(chosen))
    typer.echo(f"{one_line(file)}: {_count(chosen)}. Next: `baseten-watchdog doctor`, then `run`.")


def _offered(seen: "SeenModel") -> bool:
    return seen.listed.has_development


def _ask(offered: "Sequence[SeenModel]") -> "Sequence[SeenModel]":
    print_table(
        (
            Column(""),
            Column("model", 2),
            Column("name", 0, shorten_middle),
            Column("team", 1, shorten_middle),
            Column("status"),
        ),
        [
            [str(number), each.listed.id, each.listed.name, each.listed.team, each.status or "-"]
            for number, each in enumerate(offered, 1)
        ],
        empty="There are no models to choose from.",
    )
    question = "Watch which? Numbers, names, patterns such as 'team-a/*', or all"
    words = str(_answer(lambda: typer.prompt(question))).replace(",", " ").split()
    return offered if words == ["all"] else _chosen(offered, words)


def _answer(ask: Callable[[], object]) -> object:
    """The answer. Standard input may be closed, or end without one, as in a script."""
    try:
        return ask()
    except (typer.Abort, OSError) as error:
        if isinstance(error, typer.Abort) and not isinstance(error.__context__, EOFError):
            raise  # The answer is no, or Ctrl-C.
    typer.echo()
    return fail("nobody answers on standard input: name models, or give --all, and --yes")


def _chosen(offered: "Sequence[SeenModel]", words: Iterable[str]) -> "Sequence[SeenModel]":
    """The chosen models in the order of the list. A word that matches no model is an error, because
    it may be mistyped."""
    ids: set[str] = set()
    for word in words:
        found = _found(word, offered)
        if not found:
            hint = did_you_mean(word, [(each.listed.id, each.listed.name) for each in offered])
            fail(
                f"{word!r} is no number, id, name or pattern of a model in the list"
                f"{hint and f': {hint}'}"
            )
        ids |= found
    return [each for each in offered if each.listed.id in ids]


def _found(word: str, offered: "Sequence[SeenModel]") -> set[str]:
    """An id goes first, then a number of the list, then a name or a pattern."""
    models = [each.listed for each in offered]
    for number, model in enumerate(models, 1):
        if word == str(number) and all(word != each.id for each in models):
            return {model.id}
    return selected(word, [Named(each.id, each.name, each.team) for each in models])


def _text(chosen: "Sequence[SeenModel]") -> str:
    from importlib.resources import files
    from json import dumps

    template = files("watchdog.cli").joinpath("init.yaml").read_text("utf-8")
    # YAML reads a string that JSON quoted as the same text, whatever it contains.
    lines = (
        f"  - {{id: {dumps(model.id)}, name: {dumps(model.name)}, team: {dumps(model.team)}}}\n"
        for model in (each.listed for each in chosen)
    )
    return template.replace(_PLACE, "".join(lines))


def _write(file: Path, text: str) -> None:
    try:
        with file.open("x", encoding="utf-8") as opened:
            opened.write(text)
    except OSError as error:
        fail(f"{file}: cannot be written: {error.strerror}")


def _count(chosen: "Sequence[SeenModel]") -> str:
    from watchdog.text.phrases import counted

    return counted(len(chosen), "model")
