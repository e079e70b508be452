"""Conditions that can be observed of a daemon from outside, as a row states them. Each is called
until nothing is missing; if that never happens, the error contains its last result."""

from collections.abc import Callable
from typing import Any

from tests.fakes.processes import KEY, run
from tests.hostile.stage import Stage, is_safe_to_read

Seen = Callable[[Stage], str | None]
"""What is still missing; None when it is there."""


def until(stage: Stage, *seen: Seen) -> None:
    """Wait for each of these in turn."""
    for each in seen:
        stage.until(lambda each=each: each(stage))  # type: ignore[misc]


def holds(what: str, condition: Callable[[Stage], bool]) -> Seen:
    return lambda stage: None if condition(stage) else what


def log(event: str, **fields: Any) -> Seen:
    """A log line of this event; a text in `fields` need only be part of the line's."""

    def fits(line: dict[str, Any]) -> bool:
        return line["event"] == event and all(
            _fits(wanted, line.get(name)) for name, wanted in fields.items()
        )

    return holds(f"log {event} {fields}", lambda stage: any(map(fits, stage.events())))


def _fits(wanted: object, found: object) -> bool:
    if isinstance(wanted, str) and isinstance(found, str):
        return wanted in found
    return wanted == found


def metric(series: str, value: float | None = None) -> Seen:
    """A series, named without the prefix, at a value or, where that is None, at least at one."""

    def missing(stage: Stage) -> str | None:
        found = stage.metrics().get(series)
        if found is not None and (found == value or (value is None and found >= 1)):
            return None
        return f"metric {series} {value}, but {found}"

    return missing


def state(model_id: str, state: str) -> Seen:
    return metric(f'target_state{{model_id="{model_id}",state="{state}"}}', 1)


def status(model_id: str, status: str) -> Seen:
    """The result of the last check."""
    return metric(f'deployment_status{{model_id="{model_id}",status="{status}"}}', 1)


def why(model_id: str, reason: str) -> Seen:
    """The reason why a failing target is left alone now."""
    return metric(f'retry_suppressed{{model_id="{model_id}",reason="{reason}"}}', 1)


def answer(path: str, says: str) -> Seen:
    """What stands in the daemon's answer at a path."""

    def missing(stage: Stage) -> str | None:
        found = stage.get(path)
        return None if says in found else f"{path}: {says!r}, but {found!r}"

    return missing


ALIVE = answer("/healthz", "ok\n")
READY = answer("/readyz", "ok\n")


def not_ready(says: str) -> Seen:
    return answer("/readyz", says)


def attempts(model_id: str, *outcomes: str) -> Seen:
    """The outcomes of all attempts on a model, as the ledger has them, oldest first."""

    def missing(stage: Stage) -> str | None:
        found = stage.outcomes(model_id)
        return None if found == outcomes else f"attempts {outcomes}, but {found}"

    return missing


def looks_go_on(model_id: str, times: int = 3) -> Seen:
    """This many more checks since the cause began, or ended."""

    def enough(stage: Stage) -> bool:
        looks = stage.api.looks(model_id)
        return looks >= stage.since_mark.setdefault(model_id, looks) + times

    return holds(f"{times} more looks at {model_id}", enough)


def retried(model_id: str, before: int) -> Seen:
    """A retry that the API granted, after the first so many that it was asked for."""
    return holds(
        f"a retry of {model_id}",
        lambda stage: any(post.retried for post in stage.api.posts(model_id)[before:]),
    )


def _clean_everywhere(stage: Stage) -> bool:
    """Nothing that a user can read, including the history, has the key or control codes."""
    views = (["status"], ["history"], ["status", "--json"], ["history", "--json"])
    shown = [run(*view, "--config", stage.config).stdout for view in views]
    shown += stage.logs(), stage.get("/metrics")
    assert all(shown)
    return all(map(is_safe_to_read, shown)) and KEY.encode() not in stage.kept()


CLEAN_EVERYWHERE = holds("no API key and no escape sequence anywhere", _clean_everywhere)
