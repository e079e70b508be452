"""Which model a command is about: MODEL is an id or a configured name."""

from typing import TYPE_CHECKING, Annotated

import typer

from watchdog.cli.console import fail

if TYPE_CHECKING:
    from collections.abc import Sequence

    from watchdog.config import Config
    from watchdog.domain.records import Target


def complete_model(context: typer.Context, begun: str) -> list[str]:
    """The names, or ids, of the models that begin so, for the shell. It fails silently."""
    from watchdog.cli.completion import titles

    return [title for title in titles(context.params.get("config")) if title.startswith(begun)]


OptionalModel = Annotated[
    str | None,
    typer.Argument(metavar="MODEL", help="A model's id or name.", autocompletion=complete_model),
]
_LONGEST = 100
"""Characters of a mistyped name that are worth repeating."""

STATUS_LISTS = "`status` lists those it knows"

Known = list[tuple[str, str | None]]
"""Ids and names."""


def configured(config: "Config") -> Known:
    return [(model.id, model.name) for model in config.models]


def resolve(
    model: str,
    known: Known,
    past: "Sequence[Target]" = (),
    *,
    otherwise: str = STATUS_LISTS,
) -> str:
    """The id of the model with that id or name. If there is none, it prints a line with similar
    names, or `otherwise`, and exits 2. A name in `past`, the ledger's targets, is used only if no
    known model has that name."""
    if not any(model in pair for pair in known):
        known = known + [(target.model_id, target.name) for target in past]
    ids = sorted({model_id for model_id, name in known if model in (model_id, name)})
    if model in ids:
        return model
    if len(ids) == 1:
        return ids[0]
    if ids:
        fail(f"{model!r} is the name of {len(ids)} models: use an id: {', '.join(ids)}")
    return fail(no_model(model, known, otherwise))


def no_model(word: str, known: Known, otherwise: str) -> str:
    """The line that says so, with similar names, or with `otherwise` if there are none."""
    from watchdog.cli.layout import shorten_middle

    shown = shorten_middle(word, _LONGEST, "...")
    # Without the API, only what is written on this side is known.
    where = " in the configuration or the ledger" if otherwise == STATUS_LISTS else ""
    hint = did_you_mean(word, known) or otherwise
    if any(sign in word for sign in "*?["):
        hint = "this takes one model, and no pattern"
    return f"there is no model {shown!r}{where}: {hint}"


def did_you_mean(word: str, known: Known) -> str:
    """A question that names similar ids and names, or an empty text if there are none."""
    import difflib

    texts = sorted({text for pair in known for text in pair if text})
    near = difflib.get_close_matches(word, texts, n=3)
    return f"did you mean {' or '.join(near)}?" if near else ""
