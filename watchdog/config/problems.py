"""What is wrong with the shape of settings, in words for the person who wrote them."""

import difflib
from collections.abc import Iterable, Iterator
from types import UnionType
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError

from watchdog.config.model import Config
from watchdog.files.shape import Location, shape_problems


def config_problems(error: ValidationError) -> Iterator[tuple[Location, str]]:
    """As `shape_problems`, with the setting that may have been meant."""
    return shape_problems(error, near=lambda at: near(str(at[-1]), settings_in(at[:-1])))


def settings_in(location: Iterable[int | str]) -> set[str]:
    """The settings that the section at a location has; none when it is no section. A list of
    sections is not a section itself. Its members are sections, each at its number."""
    shape = _shape(location)
    return set(shape.model_fields) if _is_section(shape) else set()


def is_compound(location: Iterable[int | str]) -> bool:
    """Whether the setting at a location is a section or a list."""
    shape = _shape(location)
    return _is_section(shape) or get_origin(shape) is tuple


def near(word: str, known: set[str]) -> str:
    found = difflib.get_close_matches(word, known, n=1)
    return f": did you mean {found[0]}?" if found else ""


def _shape(location: Iterable[int | str]) -> Any:
    """The type of the setting at a location; None if there is no such setting."""
    shape: Any = Config
    for part in location:
        if isinstance(part, int):
            shape = next(iter(get_args(shape)), None)
            continue
        field = shape.model_fields.get(part) if _is_section(shape) else None
        shape = field.annotation if field else None
        if isinstance(shape, UnionType):  # A section that may be left out.
            shape = get_args(shape)[0]
    return shape


def _is_section(shape: Any) -> bool:
    return isinstance(shape, type) and issubclass(shape, BaseModel)
