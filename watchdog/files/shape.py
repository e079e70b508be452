"""What is wrong with the shape of a file's values, in words for the person who wrote them."""

from collections.abc import Callable, Iterable, Iterator

from pydantic import ValidationError

from watchdog.text.patterns import NOT_MATCHED

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
    "dict_type": "must be a mapping: a name and a value on each line below it",
    "tuple_type": "must be a list",
    "too_short": "must not be empty",
}


def shape_problems(
    error: ValidationError, *, near: Callable[[Location], str] = lambda _: ""
) -> Iterator[tuple[Location, str]]:
    """The place and the problem, without the values, because one may be a secret in the wrong
    place. `near` adds to an unknown name the known one that was probably meant."""
    for found in error.errors(include_input=False, include_url=False):
        location = found["loc"]
        if found["type"] == "extra_forbidden":
            yield location, f"no such setting{near(location)}"
            continue
        words, context = _WORDS.get(found["type"]), found.get("ctx", {})
        if found["type"] == "string_pattern_mismatch":
            yield location, NOT_MATCHED[context["pattern"]]
        elif words is not None:
            yield location, words.format_map(context)
        else:
            yield location, found["msg"].removeprefix("Value error, ")


def dotted(location: Iterable[int | str]) -> str:
    path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location)
    return path.removeprefix(".")
