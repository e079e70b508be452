"""Which changes of a configuration may only be the effect of a file that is still being written."""

from collections.abc import Iterator

from pydantic import BaseModel

from watchdog.config import Config
from watchdog.text.phrases import few_of

_MOST_NAMED = 3
"""How many settings a warning names: enough to recognise the change."""


def risk_of(wanted: Config, in_force: Config) -> str:
    """Those changes in the wanted configuration that a half-written file could cause too, as a part
    of a sentence about the file; empty if there are none."""
    removed = {model.id for model in in_force.models} - {model.id for model in wanted.models}
    if removed:
        return f"removes {len(removed)} of {len(in_force.models)} configured models"
    if len(wanted.rules) < len(in_force.rules):
        lost = len(in_force.rules) - len(wanted.rules)
        return f"removes {lost} of {len(in_force.rules)} rules"
    if wanted.discovery != in_force.discovery:
        return "changes which models are discovered"
    if (in_force.mode, wanted.mode) == ("observe", "retry"):
        return "leaves observe"
    unset = list(_unset(in_force, wanted))
    return f"no longer has {few_of(unset, _MOST_NAMED)}" if unset else ""


def _unset(old: BaseModel, new: BaseModel, path: str = "") -> Iterator[str]:
    """The settings that were set and now have another value because they, or members of their
    lists, are missing."""
    for name in type(old).model_fields:
        before, after = getattr(old, name), getattr(new, name)
        if name not in old.model_fields_set or before == after:
            continue
        here = f"{path}{name}"
        if name not in new.model_fields_set or after is None:
            yield here
        elif isinstance(before, BaseModel):
            yield from _unset(before, after, f"{here}.")
        elif isinstance(before, tuple):
            yield from _unset_in_list(before, after, here)


def _unset_in_list(
    before: tuple[object, ...], after: tuple[object, ...], path: str
) -> Iterator[str]:
    """The same for a list. Models are compared by their ids, other sections by their places."""
    if len(after) < len(before):
        yield path
        return
    by_id = {getattr(each, "id", place): each for place, each in enumerate(after)}
    for place, old in enumerate(before):
        new = by_id.get(getattr(old, "id", place))
        if isinstance(old, BaseModel) and isinstance(new, BaseModel):
            yield from _unset(old, new, f"{path}[{place}].")
