"""Which model a command is about: MODEL is an id or a configured name."""

import difflib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from watchdog.cli.console import fail
from watchdog.domain.records import Target

if TYPE_CHECKING:
    from watchdog.config import Config

ModelArgument = Annotated[str, typer.Argument(help="A model's id or configured name.")]

Known = list[tuple[str, str | None]]
"""Ids and names."""


def configured(config: "Config") -> Known:
    return [(model.id, model.name) for model in config.models]


def resolve(model: str, known: Known, past: Sequence[Target] = ()) -> str:
    """The id of the model with that id or name. If there is none, it prints a line with similar
    names and exits 2. A name in `past`, the ledger's targets, is used only if no known model has
    that name."""
    if not any(model in pair for pair in known):
        known = known + [(target.model_id, target.name) for target in past]
    ids = sorted({model_id for model_id, name in known if model in (model_id, name)})
    if model in ids:
        return model
    if len(ids) == 1:
        return ids[0]
    if ids:
        fail(f"{model!r} is the name of {len(ids)} models: use an id: {', '.join(ids)}")
    texts = sorted({text for pair in known for text in pair if text})
    near = difflib.get_close_matches(model, texts, n=3)
    hint = f"did you mean {' or '.join(near)}?" if near else "`status` lists those it knows"
    return fail(f"there is no model {model!r}: {hint}")
