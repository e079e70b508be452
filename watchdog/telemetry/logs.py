"""One log line for each fact."""

import logging
import traceback
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import fields
from datetime import datetime, timedelta
from typing import Any, TextIO, cast

import structlog

from watchdog.domain.records import (
    Action,
    Attempt,
    Decision,
    DeploymentRef,
    Episode,
    FleetLimits,
    Hold,
    Target,
)
from watchdog.engine.events import Event, Level
from watchdog.telemetry.log_writer import LogWriter
from watchdog.text.untrusted import clean

_FIRST = ("model_name", "attempt", "reason", "decision_reason", "status", "model_id")
"""What a person wants to see before a terminal cuts the line."""

_LEVELS = {
    Level.INFO: logging.INFO,
    Level.WARNING: logging.WARNING,
    Level.ERROR: logging.ERROR,
}

_TRACE_LINES = 40
"""Of a traceback, the last: the innermost calls, where a bug shows."""


class LogListener:
    """Writes events as log lines, everything that came from outside made safe first.

    Never raises for the stream's sake: a full disk or a closed pipe must not stop the daemon.
    """

    def __init__(self, logger: Any, secret: Callable[[], str]) -> None:
        """`secret` gives the present API key, to be masked."""
        self._logger = logger
        self._secret = secret

    def use(self, logger: Any) -> None:
        """Another level or form from now on."""
        self._logger = logger

    def __call__(self, event: Event) -> None:
        name, level = event.logged_as()
        if name is None:
            return
        values = _safe(_fields(event), self._secret())
        try:
            self._logger.log(_LEVELS[level], name, **values)
        except (OSError, ValueError):
            return


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
        case Action():
            return _action(value)
        case FleetLimits():
            return {name: {each.name: getattr(value, each.name) for each in fields(value)}}
        case DeploymentRef():
            # The id alone may well be the same: nothing documents that a push changes it.
            return {
                f"{name}_deployment_id": value.id,
                f"{name}_created_at": value.created_at.isoformat(),
            }
    return _plain(name, value)


def _plain(name: str, value: Any) -> dict[str, Any]:
    match value:
        case tuple():
            return {name: "; ".join(map(str, value))}
        case timedelta():
            return {f"{name}_seconds": round(value.total_seconds(), 3)}
        case datetime():
            return {name: value.isoformat()}
        case BaseException():
            trace = "".join(traceback.format_exception(value))
            return {name: f"{type(value).__name__}: {value}", "exception": trace}
    return {name: value}


def _action(action: Action) -> dict[str, Any]:
    return {
        "action": action.kind,
        "model_id": action.model_id or "all",
        "who": action.who,
        "note": action.note or None,
        "until": action.until and action.until.isoformat(),
    }


def _target(target: Target) -> dict[str, Any]:
    return {
        "model_id": target.model_id,
        "model_name": target.name,
        "deployment_id": target.deployment.id if target.deployment else None,
        "status": target.status,
    }


def _safe(values: Mapping[str, Any], secret: str) -> dict[str, Any]:
    """A line's values with every text made safe. A traceback, under structlog's name for it, keeps
    its lines, indented so that none can pass for a log line."""
    safe = {
        key: clean(value, secret) if isinstance(value, str) else value
        for key, value in values.items()
    }
    if isinstance(trace := values.get("exception"), str):
        lines = trace.splitlines()[-_TRACE_LINES:]
        safe["exception"] = "\n".join(f"  {clean(line, secret)}" for line in lines)
    return safe


def _lead(_logger: Any, _method: str, line: MutableMapping[str, Any]) -> dict[str, Any]:
    """What every line has comes first, where the eye looks for it."""
    first = {key: line.pop(key) for key in ("timestamp", "level", "event") if key in line}
    return {**first, **line}


def start_logging(
    level: str, form: str, stream: TextIO | LogWriter, secret: Callable[[], str] = lambda: ""
) -> Any:
    """Set logging up, for us and for the libraries, and return our logger.

    `form` is json, console, or auto: console on a terminal. `secret` gives what to mask in the
    libraries' lines.
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
        structlog.WriteLogger(cast("TextIO", stream)),
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(number),
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[
                structlog.stdlib.add_logger_name,
                *shared,
                # Before the console's own renderer gets at it: that one prints local variables.
                structlog.processors.format_exc_info,
                lambda _logger, _method, line: _safe(line, secret()),
            ],
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
