"""The scenario file: the models, and the course of each of their deploys."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from importlib.resources import as_file, files
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    StringConstraints,
    ValidationError,
    model_validator,
)

from watchdog.emulator.faults import Fault, Span
from watchdog.emulator.limits import RateLimits
from watchdog.files.shape import dotted, shape_problems
from watchdog.files.yaml_file import YamlFileError, read_settings
from watchdog.text.duration import parse_duration
from watchdog.text.patterns import MODEL_ID

DEFAULT_SCENARIO = "default.yaml"

_MOST_BYTES = 16 << 20
"""Ten thousand models, each with a long course, take half of this."""


class ScenarioError(Exception):
    """The scenario cannot be used. Each of `problems` is one line: where, and what is wrong."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


@dataclass(frozen=True, slots=True)
class Step:
    """A status, and how long it lasts in scenario time; None: until a push or a retry."""

    status: str
    lasts: timedelta | None = None


def _step(value: object) -> Step:
    match value:
        case Step():
            return value
        case str() if value:
            return Step(value)
        case dict() if len(value) == 1:
            status, lasts = next(iter(value.items()))
            if status and isinstance(status, str) and isinstance(lasts, str):
                return Step(status, parse_duration(lasts))
    raise ValueError("write a status and how long it lasts, as in BUILDING: 3m, or a status alone")


def _ends_at_rest(steps: tuple[Step, ...]) -> tuple[Step, ...]:
    if steps[-1].lasts is not None or any(step.lasts is None for step in steps[:-1]):
        raise ValueError("each status but the last says how long it lasts, and the last does not")
    return steps


Steps = Annotated[
    tuple[Annotated[Step, PlainValidator(_step)], ...],
    Field(min_length=1),
    AfterValidator(_ends_at_rest),
]
"""What one deploy goes through, in order."""


class Phase(StrEnum):
    """Of the start of a deployment."""

    SCHEDULING = "SCHEDULING"
    IMAGE_PULL = "IMAGE_PULL"
    WEIGHT_DOWNLOAD = "WEIGHT_DOWNLOAD"
    CONTAINER_CREATE = "CONTAINER_CREATE"
    CONTAINER_START = "CONTAINER_START"
    READINESS = "READINESS"


class LogLine(BaseModel):
    """A line of a log. Many lines of a build have no level."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    message: str
    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] | None = None


def _with_message(value: object) -> object:
    return {"message": value} if isinstance(value, str) else value


class Deploy(BaseModel):
    """One push or retry: the statuses that it goes through, the `log` that it has written when it
    reaches its last one, and the phase in which its start fails or stalls, if it does."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    steps: Steps
    log: tuple[Annotated[LogLine, BeforeValidator(_with_message)], ...] = ()
    fails_in: Phase | None = None
    stalls_in: Phase | None = None


def _with_steps(value: object) -> object:
    return {"steps": value} if isinstance(value, list | tuple) else value


Name = Annotated[str, StringConstraints(min_length=1)]


class ActKind(StrEnum):
    """What is done to a model. Activating takes the next deploy; promoting empties the slot."""

    PUSH = "push"
    PUSH_NEW_ID = "push_new_id"
    STOP = "stop"
    DEACTIVATE = "deactivate"
    ACTIVATE = "activate"
    PROMOTE = "promote"
    DELETE = "delete"


class ActBy(StrEnum):
    """Who acts. The platform deactivates a deployment that is not used, or if credit or capacity is
    missing."""

    PERSON = "person"
    PLATFORM = "platform"


class Act(BaseModel):
    """An act on a model, so long after the start, in scenario time. A push takes the model's next
    deploy; it also brings a deleted model back. `logged` is how much later the audit log shows the
    act; null means never."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    at: Span
    act: ActKind
    who: Name = "ann@example.com"
    by: ActBy = ActBy.PERSON
    logged: Span | None = timedelta(0)


def _in_order(acts: tuple[Act, ...]) -> tuple[Act, ...]:
    if list(acts) != sorted(acts, key=lambda act: act.at):
        raise ValueError("list the acts in the order of their times")
    return acts


class ModelScenario(BaseModel):
    """One model. Its first deploy has been pushed when the scenario starts; each later push and
    each accepted retry takes the next one, and the last repeats. No deploys: no development
    deployment. `refuses` is the reason with which every retry is refused. `labels` are the
    deployment's, `logs` the lines of errors that each of its deploys logs when it fails, beside the
    deploy's own, `acts` a person's."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: Annotated[str, StringConstraints(pattern=MODEL_ID)]
    name: Name
    team: Name = "default"
    deploys: tuple[Annotated[Deploy, BeforeValidator(_with_steps)], ...]
    refuses: Name | None = None
    labels: dict[str, Any] | None = None
    logs: tuple[str, ...] = ()
    acts: Annotated[tuple[Act, ...], AfterValidator(_in_order)] = ()

    @model_validator(mode="after")
    def _has_what_it_acts_on(self) -> Self:
        if self.acts and not self.deploys:
            raise ValueError("acts need deploys")
        return self


def _unique(models: tuple[ModelScenario, ...]) -> tuple[ModelScenario, ...]:
    twice = [model_id for model_id, n in Counter(model.id for model in models).items() if n > 1]
    if twice:
        raise ValueError(f"more than one model with the id {', '.join(twice)}")
    return models


class Scenario(BaseModel):
    """Every model of the emulated workspace, and what goes wrong with its API."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    models: Annotated[tuple[ModelScenario, ...], AfterValidator(_unique)]
    faults: tuple[Fault, ...] = ()
    limits: RateLimits = RateLimits()

    @model_validator(mode="after")
    def _faults_of_known_models(self) -> Self:
        known = {model.id for model in self.models}
        for number, fault in enumerate(self.faults):
            for model_id in fault.models or ():
                if model_id not in known:
                    raise ValueError(f"faults[{number}].models: there is no model {model_id}")
        return self


def load_scenario(path: Path | None = None) -> Scenario:
    """Read a scenario file; None: the one that comes with the emulator. Raises ScenarioError."""
    with as_file(files(__package__) / DEFAULT_SCENARIO) as built_in:
        source = path or built_in
        try:
            content = read_settings(source, _MOST_BYTES, example="docs/emulator.md")
        except YamlFileError as error:
            raise ScenarioError([str(error)]) from None
    try:
        return Scenario.model_validate(content)
    except ValidationError as error:
        problems = (f"{dotted(at)}: {text}" if at else text for at, text in shape_problems(error))
        raise ScenarioError([f"{source}: {problem}" for problem in problems]) from None
