"""What is wrong with the shape of settings, in words for the person who wrote them."""

import difflib
from collections.abc import Iterable, Iterator
from typing import Any

from pydantic import BaseModel, ValidationError

from watchdog.config.model import Config

Location = tuple[int | str, ...]

_WORDS = {
    "missing": "is missing",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_parsing_size": "must be at most 10000",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "finite_number": "must be a finite number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "string_type": "must be text",
    "string_too_long": "must be at most {max_length} characters",
    "path_type": "must be the path of a file",
    "literal_error": "must be {expected}",
    "enum": "must be {expected}",
    "greater_than": "must be more than {gt:g}",
    "greater_than_equal": "must be at least {ge:g}",
    "less_than_equal": "must be at most {le:g}",
    "model_type": "must hold settings, each on a line of its own below it",
    "tuple_type": "must be a list",
    "string_pattern_mismatch": "is no model id: letters, digits, - and _, at most 64, as in the "
    "model's URL",
}


def shape_problems(error: ValidationError) -> Iterator[tuple[Location, str]]:
    """Where, and what, without the values: one of them may be a secret in the wrong place."""
    for found in error.errors(include_input=False, include_url=False):
        location = found["loc"]
        if found["type"] == "extra_forbidden":
            yield location, f"no such setting{near(str(location[-1]), settings_in(location[:-1]))}"
            continue
        words = _WORDS.get(found["type"], found["msg"].removeprefix("Value error, "))
        yield location, words.format_map(found.get("ctx", {}))


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


def dotted(location: Iterable[int | str]) -> str:
    path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location)
    return path.removeprefix(".")


def _is_section(shape: Any) -> bool:
    return isinstance(shape, type) and issubclass(shape, BaseModel)
