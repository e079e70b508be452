"""Writes one log line for each event."""

import logging
import traceback
from collections.abc import Callable, Collection, Mapping, MutableMapping
from dataclasses import fields
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, TextIO, cast

import structlog

from watchdog.domain.causes import Finding
from watchdog.domain.records import (
    Action,
    Attempt,
    Decision,
    DecisionReason,
    DeploymentRef,
    Episode,
    FleetLimits,
    Hold,
    Target,
)
from watchdog.engine.events import Event, Level, TeamsSeen
from watchdog.telemetry.console import Console
from watchdog.telemetry.log_writer import LogWriter
from watchdog.text.untrusted import clean

_FIRST = ("model_name", "attempt", "reason", "decision_reason", "status", "model_id", "team")
"""The fields that come first, because a terminal may cut off the rest of the line."""

_LEVELS = {
    Level.DEBUG: logging.DEBUG,
    Level.INFO: logging.INFO,
    Level.WARNING: logging.WARNING,
    Level.ERROR: logging.ERROR,
}

_TRACE_LINES = 40
"""The number of last lines of a traceback that are logged: they show the innermost calls."""


class LogListener:
    """Writes events as log lines. All text in them is cleaned first.

    Never raises because of the stream: a full disk or a closed pipe must not stop the daemon.
    """

    def __init__(
        self, stream: TextIO | LogWriter, secret: Callable[[], str], *, level: str, form: str
    ) -> None:
        """`secret` returns the present API key, which is masked. `level` and `form`: see
        `start_logging`."""
        self._stream = stream
        self._secret = secret
        self._teams: Mapping[str, str] = {}
        self.write_as(level, form)

    def write_as(self, level: str, form: str) -> None:
        """Use another level or form from now on."""
        self._logger = start_logging(level, form, self._stream, self._secret)

    def __call__(self, event: Event) -> None:
        if isinstance(event, TeamsSeen):
            self._teams = event.teams
        name, level = event.logged_as()
        if name is None:
            return
        values = _safe(_fields(event, self._teams), self._secret(), unmasked=event.own_texts)
        try:
            self._logger.log(_LEVELS[level], name, **values)
        except (OSError, ValueError):
            return


def _fields(event: Event, teams: Mapping[str, str]) -> dict[str, Any]:
    """The fields of an event's log line. The fields of records in the event have the log's own
    names. If the event is about a model, the team of that model is a field too."""
    found: dict[str, Any] = {}
    for field in fields(event):
        found |= _named(field.name, getattr(event, field.name))
    found["team"] = teams.get(found.get("model_id") or "")
    ordered = {key: found.pop(key, None) for key in _FIRST} | found
    return {key: value for key, value in ordered.items() if value is not None}


def _named(name: str, value: Any) -> dict[str, Any]:
    match value:
        case Target():
            return _target(value)
        case Attempt():
            return {"attempt": value.number, "reason": value.reason}
        case Episode():
            since = {"failing_since": value.failing_from.isoformat()}
            return since if value.open else since | {"cause": value.cause}
        case Finding():
            # The line is untrusted, and may hold a secret.
            return {"cause": value.cause, "sureness": value.sureness.word}
        case Decision() | Hold():
            until = value.until and value.until.isoformat()
            return {"decision_reason": value.reason, "until": until}
        case Action():
            return _action(value)
        case FleetLimits():
            return {name: {each.name: getattr(value, each.name) for each in fields(value)}}
        case DeploymentRef():
            # The id alone may be the same: it is not documented that a push changes it.
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
        "until": action.until and action.until.isoformat(),
        "note": action.note or None,
    }


def _target(target: Target) -> dict[str, Any]:
    permanent = target.decision.reason is DecisionReason.CAUSE_PERMANENT
    return {
        "model_id": target.model_id,
        "model_name": target.name,
        "deployment_id": target.deployment.id if target.deployment else None,
        "status": target.status,
        "cause": target.episode.cause if permanent and target.episode else None,
    }


def _safe(
    values: Mapping[str, Any], secret: str, *, unmasked: Collection[str] = ()
) -> dict[str, Any]:
    """A line's values with every text cleaned, and every one masked but `unmasked` and the words of
    this program. A traceback, which structlog names `exception`, keeps its lines; they are
    indented, so that none looks like a log line."""
    safe = {
        key: clean(value, "" if key in unmasked else secret) if _is_text(value) else value
        for key, value in values.items()
    }
    if isinstance(trace := values.get("exception"), str):
        lines = trace.splitlines()[-_TRACE_LINES:]
        safe["exception"] = "\n".join(f"  {clean(line, secret)}" for line in lines)
    return safe


def _is_text(value: object) -> bool:
    return isinstance(value, str) and not isinstance(value, StrEnum)


def _lead(_logger: Any, _method: str, line: MutableMapping[str, Any]) -> dict[str, Any]:
    """Put the fields that every line has first."""
    first = {key: line.pop(key) for key in ("timestamp", "level", "event") if key in line}
    return {**first, **line}


def start_logging(
    level: str, form: str, stream: TextIO | LogWriter, secret: Callable[[], str] = lambda: ""
) -> Any:
    """Set up logging for this program and for the libraries, and return this program's logger.

    `form` is `json`, `console`, or `auto`, which is `console` on a terminal and otherwise `json`.
    `secret` returns the text to mask in the libraries' lines.
    """
    number = logging.getLevelNamesMapping()[level.upper()]
    console = form == "console" or (form == "auto" and stream.isatty())
    # For a person the time of day in the person's zone, else in UTC.
    time = structlog.processors.TimeStamper(fmt="%H:%M:%S" if console else "iso", utc=not console)
    shared: list[Any] = [
        structlog.processors.add_log_level,
        time,
        _lead,
    ]
    renderer: Any = structlog.processors.JSONRenderer()
    if console:
        renderer = Console(colours=stream.isatty())
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
                # Before the console's renderer formats it, because that one prints local variables.
                structlog.processors.format_exc_info,
                lambda _logger, _method, line: _safe(line, secret()),
            ],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    # Only warnings and errors of the libraries are logged.
    root.setLevel(logging.WARNING)
    # It warns at each tick while the previous one still waits; `ledger_unavailable` shows the
    # cause.
    logging.getLogger("apscheduler").setLevel(logging.ERROR)
    # It warns of each request that is not HTTP, as a scanner of ports sends.
    logging.getLogger("uvicorn").setLevel(logging.ERROR)
    logging.raiseExceptions = False
    return logger
