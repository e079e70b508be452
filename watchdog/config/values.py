"""The types of the settings' values, and the messages when a value does not fit."""

import re
from datetime import timedelta
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, WithJsonSchema

from watchdog.text.duration import format_duration, parse_duration
from watchdog.text.home import check_no_home
from watchdog.text.host import HIGHEST_PORT
from watchdog.text.patterns import HOST, MODEL_ID
from watchdog.text.untrusted import is_visible

_LONGEST = timedelta(days=3650)
"""Longer than any useful value, and small enough that now plus this does not overflow."""


def _duration(value: object) -> timedelta:
    if isinstance(value, timedelta):
        return value
    text = str(value).strip()
    if isinstance(value, (int, float, str)) and text.isdecimal():
        # YAML reads 1:30 as 90, so the user may not know where the number comes from.
        raise ValueError(f"a duration needs a unit: {text} seconds are written {text}s")
    if not isinstance(value, str):
        raise ValueError("not a duration: write it like 30s, 5m, 1h30m or 500ms")  # noqa: TRY004
    duration = parse_duration(text)
    if duration > _LONGEST:
        raise ValueError(f"too long a duration: at most {format_duration(_LONGEST)}")
    return duration


def _not_bool(value: object) -> object:
    # YAML reads yes, no, on and off as booleans, and pydantic would take those for 1 and 0.
    if isinstance(value, bool):
        raise ValueError("must be a number, not yes or no")  # noqa: TRY004 - pydantic's protocol
    return value


def _text(value: object) -> object:
    if value is not None and not isinstance(value, (str, Path, dict, list, tuple)):
        raise ValueError("put it in quotes: YAML reads it as a number, a date, or true or false")
    if value == "":
        raise ValueError("must not be empty")
    return value


def _printable(value: str) -> str:
    if not is_visible(value) or not value.strip():
        raise ValueError("must be one line of visible characters")
    return value


def _storable(path: Path) -> Path:
    if "\0" in str(path):
        raise ValueError("a path holds no NUL")
    if re.match(r"[a-z]+:/", str(path)):  # Of two slashes, `Path` keeps one.
        # It may hold a secret, and paths are shown.
        raise ValueError("must be the path of a file, not a URL")
    check_no_home(str(path))
    return path


def _without_slash(url: str) -> str:
    # The ledger belongs to one base URL, and these are the same.
    return url.rstrip("/")


def _unique(values: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(values))


Duration = Annotated[
    timedelta,
    BeforeValidator(_duration),
    PlainSerializer(format_duration),
    WithJsonSchema(
        {"type": "string", "pattern": r"^(\d+d)?(\d+h)?(\d+m)?(\d+s)?(\d+ms)?$", "minLength": 2}
    ),
]
# `Field` comes before these validators, because otherwise its limits would be missing in the JSON
# Schema.
NoBool = BeforeValidator(_not_bool)
Quoted = BeforeValidator(_text)

Port = Annotated[int, Field(ge=0, le=HIGHEST_PORT), NoBool]
Count = Annotated[int, Field(ge=1, le=10_000), NoBool]
Factor = Annotated[float, Field(allow_inf_nan=False, ge=1, le=100), NoBool]
Number = Annotated[float, Field(allow_inf_nan=False), NoBool]
Text = Annotated[str, Field(min_length=1), AfterValidator(_printable), Quoted]
Name = Annotated[str, Field(min_length=1, max_length=100), AfterValidator(_printable), Quoted]
BaseUrl = Annotated[Text, AfterValidator(_without_slash)]
File = Annotated[Path, AfterValidator(_storable), Quoted]
Statuses = Annotated[tuple[Text, ...], AfterValidator(_unique)]
HostPattern = Annotated[str, Field(pattern=HOST), Quoted]
ModelId = Annotated[str, Field(pattern=MODEL_ID), Quoted]
