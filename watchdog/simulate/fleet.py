"""The fleet file: how many models there are, how they fail, and how long builds take."""

import math
from datetime import timedelta
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Literal, Self

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from watchdog.config.file import ConfigError, read_yaml
from watchdog.config.values import Duration, NoBool
from watchdog.domain.causes import Cause
from watchdog.files.shape import dotted, shape_problems
from watchdog.simulate.draws import LONGEST, Times
from watchdog.text.duration import format_duration, parse_duration

MOST_MODELS = 100_000
MOST_DAYS = 3650
_ROUNDING = 1e-6
_SHORTEST_GAP = timedelta(minutes=1)
"""A model that fails more often has no time to be built in between."""

PRESETS = ("quiet-week", "platform-incident", "bad-push", "capacity-drought", "flapping")


class FleetError(Exception):
    """The fleet cannot be used. Each of `problems` is one line: where, and what is wrong."""

    def __init__(self, *problems: str) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Range(_Section):
    median: Duration
    p95: Duration

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.median <= timedelta(0):
            raise ValueError("median must be more than 0")
        if self.p95 < self.median:
            raise ValueError("p95 must be at least the median")
        if self.p95 > LONGEST:
            raise ValueError(f"must be at most {format_duration(LONGEST)}")
        return self

    @property
    def times(self) -> Times:
        return Times(self.median, self.p95)


def _range(value: object) -> object:
    if isinstance(value, dict | _Range):
        return value
    if not isinstance(value, str):
        raise ValueError("write a duration, as 20m, or its median and p95")  # noqa: TRY004 - pydantic's way
    duration = parse_duration(value)
    return {"median": duration, "p95": duration}


Range = Annotated[_Range, BeforeValidator(_range)]
"""A duration, or the median and the 95th percentile of one."""


def _rare(value: timedelta) -> timedelta:
    if value < _SHORTEST_GAP:
        raise ValueError(f"must be at least {format_duration(_SHORTEST_GAP)}")
    return value


def _whole(shares: dict[Cause, float]) -> dict[Cause, float]:
    if any(not share >= 0 for share in shares.values()):
        raise ValueError("a share must be at least 0")
    total = sum(shares.values())
    if not math.isclose(total, 1, abs_tol=_ROUNDING):
        raise ValueError(f"the shares must add up to 1, and they add up to {total:g}")
    return shares


class Fault(_Section):
    """Something that makes models fail: at random (`every`), or many models at once (`at`).
    `until_fixed`: until a person pushes a fix."""

    share: Annotated[float, Field(gt=0, le=1, allow_inf_nan=False), NoBool] = 1
    every: Annotated[Duration, AfterValidator(_rare)] | None = None
    at: Duration | None = None
    spread: Duration = timedelta(0)
    causes: Annotated[dict[Cause, Annotated[float, NoBool]], AfterValidator(_whole)]
    lasts: Range | Literal["until_fixed"]

    @model_validator(mode="after")
    def _once_or_often(self) -> Self:
        if (self.every is None) == (self.at is None):
            raise ValueError("give either every or at")
        if self.at is None and self.spread:
            raise ValueError("spread needs at")
        return self


class Fleet(_Section):
    """See docs/simulate.md."""

    models: Annotated[int, Field(ge=1, le=MOST_MODELS), NoBool] = 300
    days: Annotated[int, Field(ge=1, le=MOST_DAYS), NoBool] = 30
    build: Range
    fails_after: Range
    person: Range
    faults: tuple[Fault, ...]

    def sized(self, models: int | None, days: int | None) -> "Fleet":
        """The same fleet with so many models, for so many days, where they are given."""
        given = {"models": models, "days": days}
        return self.model_copy(update={name: n for name, n in given.items() if n is not None})

    def check_reached(self, name: str) -> None:
        """Raises FleetError if a fault begins after the last day: it would be left out unnoticed.
        `name` is that of the file or the preset."""
        end = f"is after the end, which is at {self.days}d: simulate more --days"
        late = [
            f"{name}: faults[{number}].at: {format_duration(fault.at)} {end}"
            for number, fault in enumerate(self.faults)
            if fault.at is not None and fault.at >= timedelta(days=self.days)
        ]
        if late:
            raise FleetError(*late)


def load_fleet(name: str) -> Fleet:
    """The fleet of a preset or of a file. Raises FleetError."""
    if name in PRESETS:
        text = (files(__package__) / "fleets" / f"{name}.yaml").read_text(encoding="utf-8")
        return Fleet.model_validate(yaml.safe_load(text))
    try:
        return Fleet.model_validate(read_yaml(Path(name), example="docs/simulate.md"))
    except ConfigError as error:
        known = f"; the presets are {', '.join(PRESETS)}"
        presets = "" if Path(name).exists() else known
        raise FleetError(*(problem + presets for problem in error.problems)) from None
    except ValidationError as error:
        raise FleetError(
            *(f"{name}: {_place(dotted(at))}{text}" for at, text in _problems(error))
        ) from None


def _place(at: str) -> str:
    return f"{at}: " if at else ""


def _problems(error: ValidationError) -> list[tuple[tuple[int | str, ...], str]]:
    """What is wrong. Pydantic reports that a value of `lasts` is neither a duration nor the word:
    only the first is kept."""
    found = list(shape_problems(error))
    meant = [(at, text) for at, text in found if "literal['until_fixed']" not in at]
    clean = [(tuple(part for part in at if not _is_type(part)), text) for at, text in meant]
    return list(dict.fromkeys(clean))


def _is_type(part: int | str) -> bool:
    return isinstance(part, str) and (part == "[key]" or part.startswith("function-before["))
