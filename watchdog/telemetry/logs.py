"""One log line for each fact."""

import logging
import traceback
from collections.abc import Callable, MutableMapping
from dataclasses import fields
from datetime import datetime, timedelta
from typing import Any, TextIO

import structlog

from watchdog.domain.records import (
    Attempt,
    Decision,
    DeploymentRef,
    Episode,
    FleetLimits,
    Hold,
    Outcome,
    Target,
)
from watchdog.domain.untrusted import clean
from watchdog.engine.events import (
    AuthFailed,
    CheckFailed,
    ConfigDoubtful,
    DeploymentFailedAgain,
    DeploymentFailing,
    DeploymentStuck,
    Event,
    GaveUp,
    InternalError,
    LedgerLost,
    RetryAnswered,
    RetryMismatched,
    TargetMissing,
)

_ERRORS = (AuthFailed, DeploymentStuck, GaveUp, InternalError, LedgerLost)
_WARNINGS = (
    CheckFailed,
    ConfigDoubtful,
    DeploymentFailedAgain,
    DeploymentFailing,
    RetryMismatched,
    TargetMissing,
)
_FIRST = ("model_name", "attempt", "reason", "decision_reason", "status", "model_id")
"""What a person wants to see before a terminal cuts the line."""

_GOOD_OUTCOMES = frozenset({Outcome.ACCEPTED, Outcome.ABANDONED, Outcome.DRY_RUN})


class LogListener:
    """Writes events as log lines, everything that came from outside made safe first.

    Never raises for the stream's sake: a full disk or a closed pipe must not stop the daemon.
    """

    def __init__(self, logger: Any, secret: Callable[[], str]) -> None:
        """`secret` gives the present API key, to be masked."""
        self._logger = logger
        self._secret = secret

    def __call__(self, event: Event) -> None:
        name = event.name
        if isinstance(event, RetryAnswered):
            name = event.LOG_NAMES[event.attempt.outcome]
        if name is None:
            return
        values = {key: self._safe(value) for key, value in _fields(event).items()}
        try:
            self._logger.log(_level(event), name, **values)
        except (OSError, ValueError):
            return

    def _safe(self, value: Any) -> Any:
        return clean(value, self._secret()) if isinstance(value, str) else value


def _level(event: Event) -> int:
    if isinstance(event, _ERRORS):
        return logging.ERROR
    if isinstance(event, RetryAnswered) and event.attempt.outcome not in _GOOD_OUTCOMES:
        return logging.WARNING
    return logging.WARNING if isinstance(event, _WARNINGS) else logging.INFO


def _fields(event: Event) -> dict[str, Any]:
    """The fields of an event's line: those of the records in it, under the log's own names."""
    found: dict[str, Any] = {}
    for field in fields(event):
        found |= _named(field.name, getattr(event, field.name))
    ordered = {key: found.pop(key, None) for key in _FIRST} | found
    return {key: value for key, value in ordered.items() if value is not None}


def _named(name: str, value: Any) -> dict[str, Any]:
    match value:
        case Target():
            return _target(value)
        case Attempt():
            return {"attempt": value.number, "reason": value.reason}
        case Episode():
            return {"failing_since": value.failing_from.isoformat()}
        case Decision() | Hold():
            until = value.until and value.until.isoformat()
            return {"decision_reason": value.reason, "until": until}
        case FleetLimits():
            return {name: {each.name: getattr(value, each.name) for each in fields(value)}}
        case DeploymentRef():
            return {f"{name}_deployment_id": value.id}
        case timedelta():
            return {f"{name}_seconds": round(value.total_seconds(), 3)}
        case datetime():
            return {name: value.isoformat()}
        case BaseException():
            lines = traceback.format_exception(value)
            return {name: f"{type(value).__name__}: {value}", "traceback": "".join(lines[-5:])}
    return {name: value}


def _target(target: Target) -> dict[str, Any]:
    return {
        "model_id": target.model_id,
        "model_name": target.name,
        "deployment_id": target.deployment.id if target.deployment else None,
        "status": target.status,
    }


def _lead(_logger: Any, _method: str, line: MutableMapping[str, Any]) -> dict[str, Any]:
    """What every line has comes first, where the eye looks for it."""
    first = {key: line.pop(key) for key in ("timestamp", "level", "event") if key in line}
    return {**first, **line}


def start_logging(level: str, form: str, stream: TextIO) -> Any:
    """Set logging up, for us and for the libraries, and return our logger.

    `form` is json, console, or auto: console on a terminal.
    """
    number = logging.getLevelNamesMapping()[level.upper()]
    console = form == "console" or (form == "auto" and stream.isatty())
    time = structlog.processors.TimeStamper(fmt="%H:%M:%SZ" if console else "iso", utc=True)
    shared: list[Any] = [
        structlog.processors.add_log_level,
        time,
        _lead,
    ]
    renderer: Any = structlog.processors.JSONRenderer()
    if console:
        renderer = structlog.dev.ConsoleRenderer(
            colors=stream.isatty(), pad_event_to=24, sort_keys=False
        )
    logger = structlog.wrap_logger(
        structlog.WriteLogger(stream),
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(number),
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *shared],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    # The libraries' own chatter is not ours to pass on; what they warn of is.
    root.setLevel(logging.WARNING)
    # It warns of each tick that finds the last one still waiting; `ledger_unavailable` says why.
    logging.getLogger("apscheduler").setLevel(logging.ERROR)
    logging.raiseExceptions = False
    return logger
