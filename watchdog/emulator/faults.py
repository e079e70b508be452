"""Scripted faults: what goes wrong between the workspace and a client, when, and for which
requests."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)

from watchdog.text.duration import parse_duration


class Operation(StrEnum):
    """The operations of the API."""

    LIST_MODELS = "list_models"
    GET_MODEL = "get_model"
    LIST_DEPLOYMENTS = "list_deployments"
    GET_DEPLOYMENT = "get_deployment"
    RETRY = "retry"
    GET_LOGS = "get_logs"
    LIST_AUDIT_LOGS = "list_audit_logs"
    LIST_STARTUPS = "list_startups"


class FaultKind(StrEnum):
    """What a fault does to a request."""

    # Not executed.
    HANG = "hang"
    RESET = "reset"
    THROTTLED = "throttled"
    UNAUTHORIZED = "unauthorized"
    FORBIDDEN = "forbidden"
    UNAVAILABLE = "unavailable"
    NOT_FOUND = "not_found"
    # Executed, and the answer is lost.
    LOST_ANSWER = "lost_answer"
    RESET_AFTER = "reset_after"
    GATEWAY_TIMEOUT = "gateway_timeout"
    # Executed, and the answer is not what it should be.
    TRUNCATED = "truncated"
    ILL_TYPED = "ill_typed"
    HUGE = "huge"
    RETRIED_TEXT = "retried_text"
    OTHER_DEPLOYMENT = "other_deployment"
    OTHER_MODEL = "other_model"
    UNREADABLE_ENTRY = "unreadable_entry"
    HOSTILE_REASON = "hostile_reason"
    # Applied beside any other fault.
    LATE = "late"
    LAGGING = "lagging"
    NEW_ID = "new_id"
    NEW_CREATED_AT = "new_created_at"


BESIDE = frozenset({FaultKind.LATE, FaultKind.LAGGING, FaultKind.NEW_ID, FaultKind.NEW_CREATED_AT})
"""Faults that do not change the answer. Of all others, only the first one that matches applies."""

NOT_EXECUTED = frozenset(
    {
        FaultKind.HANG,
        FaultKind.RESET,
        FaultKind.THROTTLED,
        FaultKind.UNAUTHORIZED,
        FaultKind.FORBIDDEN,
        FaultKind.UNAVAILABLE,
        FaultKind.NOT_FOUND,
    }
)

_ONLY = {
    FaultKind.RETRIED_TEXT: (Operation.RETRY,),
    FaultKind.OTHER_DEPLOYMENT: (Operation.RETRY,),
    FaultKind.HOSTILE_REASON: (Operation.RETRY,),
    FaultKind.NEW_ID: (Operation.RETRY,),
    FaultKind.NEW_CREATED_AT: (Operation.RETRY,),
    FaultKind.LAGGING: (Operation.GET_DEPLOYMENT,),
    FaultKind.OTHER_MODEL: (Operation.GET_DEPLOYMENT, Operation.RETRY),
    FaultKind.UNREADABLE_ENTRY: (Operation.LIST_MODELS,),
}
"""The operations to which a fault is limited. A fault that is not listed here can apply to any."""

_OPTIONS = {"delay": FaultKind.LATE, "reads": FaultKind.LAGGING, "retry_after": FaultKind.THROTTLED}


def _duration(value: object) -> timedelta:
    if not isinstance(value, str):
        raise ValueError("write a duration, as in 90s or 5m")  # noqa: TRY004 - pydantic's way
    return parse_duration(value)


Span = Annotated[timedelta, BeforeValidator(_duration)]


def _some(models: tuple[str, ...] | None) -> tuple[str, ...] | None:
    if models == ():
        raise ValueError("empty: name models, or leave it out for all")
    return models


class Fault(BaseModel):
    """One fault. `from` and `until` are scenario time since the start; without `until` it never
    ends. `models` and `operation` limit it to some requests; without them it applies to all.
    `times`: how many requests it applies to at most. `delay` is in real seconds, as time-outs
    are."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    fault: FaultKind
    models: Annotated[
        tuple[Annotated[str, StringConstraints(min_length=1)], ...] | None, AfterValidator(_some)
    ] = None
    operation: Operation | None = None
    begins: Span = Field(timedelta(0), alias="from")
    until: Span | None = None
    times: Annotated[int, Field(ge=1)] | None = None
    delay: Span = timedelta(seconds=5)
    reads: Annotated[int, Field(ge=1)] = 3
    retry_after: Any = 30

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for option, kind in _OPTIONS.items():
            if option in self.model_fields_set and self.fault is not kind:
                raise ValueError(f"{option} goes with {kind}, not with {self.fault}")
        if self.until is not None and self.until <= self.begins:
            raise ValueError("until must be later than from")
        only = _ONLY.get(self.fault)
        if only is not None and self.operation not in (None, *only):
            raise ValueError(f"{self.fault} applies to {' and '.join(only)} only")
        return self

    def applies(self, operation: Operation, model_id: str | None, elapsed: timedelta) -> bool:
        """Whether the fault applies to such a request at this time since the start."""
        return (
            self.begins <= elapsed
            and (self.until is None or elapsed < self.until)
            and (self.models is None or model_id in self.models)
            and self.operation in (None, operation)
            and operation in _ONLY.get(self.fault, (operation,))
        )


@dataclass(frozen=True, slots=True)
class InjectedFaults:
    """The faults of one request: at most one `main`, and those beside it."""

    main: Fault | None = None
    beside: tuple[Fault, ...] = ()

    def beside_of(self, kind: FaultKind) -> Fault | None:
        return next((fault for fault in self.beside if fault.fault is kind), None)

    @property
    def names(self) -> tuple[str, ...]:
        main = () if self.main is None else (self.main.fault.value,)
        return (*main, *(fault.fault.value for fault in self.beside))


class Faults:
    """The faults of a scenario, with how often each has been used."""

    def __init__(self, faults: Sequence[Fault] = ()) -> None:
        self._faults = tuple(faults)
        self._used: Counter[int] = Counter()

    def take(
        self, operation: Operation, model_id: str | None, elapsed: timedelta
    ) -> InjectedFaults:
        """The faults to apply to this request; each counts as used once more."""
        main: Fault | None = None
        beside: list[Fault] = []
        for number, fault in enumerate(self._faults):
            spent = fault.times is not None and self._used[number] >= fault.times
            if spent or not fault.applies(operation, model_id, elapsed):
                continue
            if fault.fault in BESIDE:
                beside.append(fault)
            elif main is None:
                main = fault
            else:
                continue
            self._used[number] += 1
        return InjectedFaults(main, tuple(beside))
