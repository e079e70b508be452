"""What can be seen of a daemon from outside, as a row states it.

Each is called until it finds nothing missing; what it returned last is in the error if it never
does.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from tests.fakes.processes import KEY, run
from tests.hostile.stage import Stage, is_safe_to_read


class Seen(Protocol):
    def __call__(self, stage: Stage) -> str | None:
        """What is still missing; None when it is there."""


def until(stage: Stage, *seen: Seen) -> None:
    """Wait for each of these in turn."""
    for each in seen:
        stage.until(lambda each=each: each(stage))  # type: ignore[misc]


@dataclass(frozen=True)
class Log:
    """A log line of this event; a text in `fields` need only be part of the line's."""

    event: str
    fields: dict[str, Any] = field(default_factory=dict)

    def __call__(self, stage: Stage) -> str | None:
        for event in stage.events():
            if event["event"] == self.event and all(
                _fits(wanted, event.get(name)) for name, wanted in self.fields.items()
            ):
                return None
        return f"log {self.event} {self.fields}"


def log(event: str, **fields: Any) -> Log:
    return Log(event, fields)


def _fits(wanted: object, found: object) -> bool:
    if isinstance(wanted, str) and isinstance(found, str):
        return wanted in found
    return wanted == found


@dataclass(frozen=True)
class Metric:
    """A series, named without the prefix, at a value or, where that is None, at least at one."""

    series: str
    value: float | None = None

    def __call__(self, stage: Stage) -> str | None:
        found = stage.metrics().get(self.series)
        if found is not None and (found == self.value or (self.value is None and found >= 1)):
            return None
        return f"metric {self.series} {self.value}, but {found}"


def metric(series: str, value: float | None = None) -> Metric:
    return Metric(series, value)


def state(model_id: str, state: str) -> Metric:
    return Metric(f'target_state{{model_id="{model_id}",state="{state}"}}', 1)


def status(model_id: str, status: str) -> Metric:
    """What the last look found."""
    return Metric(f'deployment_status{{model_id="{model_id}",status="{status}"}}', 1)


def why(model_id: str, reason: str) -> Metric:
    """The reason why a failing target is left alone now."""
    return Metric(f'retry_suppressed{{model_id="{model_id}",reason="{reason}"}}', 1)


@dataclass(frozen=True)
class Answer:
    """What stands in the daemon's answer at a path."""

    path: str
    says: str

    def __call__(self, stage: Stage) -> str | None:
        found = stage.get(self.path)
        return None if self.says in found else f"{self.path}: {self.says!r}, but {found!r}"


def alive() -> Answer:
    return Answer("/healthz", "ok\n")


def ready() -> Answer:
    return Answer("/readyz", "ok\n")


def not_ready(says: str) -> Answer:
    return Answer("/readyz", says)


@dataclass(frozen=True)
class Attempts:
    """The outcomes of all attempts on a model, as the ledger has them, oldest first."""

    model_id: str
    outcomes: tuple[str, ...]

    def __call__(self, stage: Stage) -> str | None:
        found = stage.outcomes(self.model_id)
        return None if found == self.outcomes else f"attempts {self.outcomes}, but {found}"


def attempts(model_id: str, *outcomes: str) -> Attempts:
    return Attempts(model_id, outcomes)


@dataclass(frozen=True)
class Custom:
    """Anything else."""

    what: str
    holds: Callable[[Stage], bool]

    def __call__(self, stage: Stage) -> str | None:
        return None if self.holds(stage) else self.what


def looks_go_on(model_id: str, times: int = 3) -> Custom:
    """So many more looks since the cause came, or went."""

    def holds(stage: Stage) -> bool:
        looks = stage.api.looks(model_id)
        return looks >= stage.since_mark.setdefault(model_id, looks) + times

    return Custom(f"{times} more looks at {model_id}", holds)


def retried(model_id: str, before: int) -> Custom:
    """A retry that the API granted, after the first so many that it was asked for."""
    return Custom(
        f"a retry of {model_id}",
        lambda stage: any(post.retried for post in stage.api.posts(model_id)[before:]),
    )


def _clean_everywhere(stage: Stage) -> bool:
    """Whatever anybody can read, the history among it, has neither the key nor control codes."""
    views = (["status"], ["history"], ["status", "--json"], ["history", "--json"])
    shown = [run(*view, "--config", stage.config).stdout for view in views]
    shown += stage.logs(), stage.get("/metrics")
    assert all(shown)
    return all(map(is_safe_to_read, shown)) and KEY.encode() not in stage.kept()


CLEAN_EVERYWHERE = Custom("no API key and no escape sequence anywhere", _clean_everywhere)
