"""What is wrong with the shape of settings, in words for the person who wrote them."""

import difflib
from collections.abc import Iterable, Iterator
from typing import Any

from pydantic import BaseModel, ValidationError

from watchdog.config.model import Config
from watchdog.files.shape import Location, shape_problems


def config_problems(error: ValidationError) -> Iterator[tuple[Location, str]]:
    """As `shape_problems`, with the setting that may have been meant."""
    return shape_problems(error, near=lambda at: near(str(at[-1]), settings_in(at[:-1])))


def settings_in(location: Iterable[int | str]) -> set[str]:
    """The settings that the section at a location has; none when it is no section."""
    shape: Any = Config
    for part in location:
        if isinstance(part, int):
            continue
        field = shape.model_fields.get(part) if _is_section(shape) else None
        shape = field.annotation if field else None
        shape = next(iter(getattr(shape, "__args__", ())), shape)
    return set(shape.model_fields) if _is_section(shape) else set()


def near(word: str, known: set[str]) -> str:
    found = difflib.get_close_matches(word, known, n=1)
    return f": did you mean {found[0]}?" if found else ""


def _is_section(shape: Any) -> bool:
    return isinstance(shape, type) and issubclass(shape, BaseModel)
