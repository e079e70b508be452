"""Log lines for a person at a terminal: one fact, one line."""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from watchdog.text.phrases import age

WIDTH = 120
"""Columns that a line needs at most; the JSON form has everything."""

_LEVEL_WIDTH, _NAME_WIDTH, _EVENT_WIDTH = 7, 20, 24

_COLOURS = {"debug": "\x1b[2m", "info": "\x1b[32m", "warning": "\x1b[33m", "error": "\x1b[1;31m"}
_BOLD, _PLAIN = "\x1b[1m", "\x1b[0m"

_LEFT_OUT = frozenset({"deployment_id", "failing_since", "replica"})
"""The fields that a line has no room for. `status` and the JSON form show them."""

_PLACES = {
    "page": "page",
    "metrics": "metrics",
    "config": "configuration",
    "api": "API",
    "ledger": "ledger",
}
"""Where the daemon is: each has a line of its own below `started`."""


class Console:
    """Renders an event of structlog. `colours`: for a terminal."""

    def __init__(self, *, colours: bool) -> None:
        self._colours = colours

    def __call__(self, _logger: Any, _method: str, line: Mapping[str, Any]) -> str:
        rest = dict(line)
        time, level, event = rest.pop("timestamp"), rest.pop("level"), rest.pop("event")
        trace = rest.pop("exception", None)
        model_id = rest.pop("model_id", None)
        name = _cut_middle(str(rest.pop("model_name", None) or model_id or ""), _NAME_WIDTH)
        if "team" in rest:  # Last, because it is the least important one if the line is cut.
            rest["team"] = rest.pop("team")
        below = []
        if event == "started":
            places = {label: rest.pop(key, None) for key, label in _PLACES.items()}
            limits = rest.pop("limits", {})
            places["limits"] = " ".join(_pair(*each) for each in limits.items())
            below = [f"  {label:<14} {place}" for label, place in places.items() if place]
        said = " ".join(_pair(key, each) for key, each in rest.items() if key not in _LEFT_OUT)
        before = f"{f'{name:<{_NAME_WIDTH}} ' if name else ''}"
        after = f"{'':<{max(0, _EVENT_WIDTH - len(event))}} {said}" if said else ""
        room = WIDTH - len(time) - _LEVEL_WIDTH - len(before) - len(event) - len("  ")
        first = (
            f"{time} {self._in(_COLOURS.get(level, ''), f'{level:<{_LEVEL_WIDTH}}')} "
            f"{before}{self._in(_BOLD, event)}{_cut(after, max(0, room))}"
        )
        return "\n".join((first, *below, *([trace] if trace else [])))

    def _in(self, colour: str, text: str) -> str:
        return f"{colour}{text}{_PLAIN}" if self._colours else text


def _pair(key: str, value: Any) -> str:
    if isinstance(value, Mapping):
        return " ".join(_pair(*each) for each in value.items())
    if key.endswith("_seconds") and isinstance(value, int | float):
        return f"{key.removesuffix('_seconds')}={age(timedelta(seconds=value))}"
    text = _text(value)
    return f"{key}={json.dumps(text, ensure_ascii=False) if ' ' in text else text}"


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return _moment(value) or value
    return str(value)


def _moment(text: str) -> str | None:
    """A moment in the reader's time zone, if it is one; with its day where that is not today."""
    if len(text) < len("2026-03-01T12:00:00+00:00") or text[10:11] != "T":
        return None
    try:
        local = datetime.fromisoformat(text).astimezone()
    except ValueError:
        return None
    today = local.date() == datetime.now().astimezone().date()
    return f"{local:%H:%M:%S}" if today else f"{local:%Y-%m-%dT%H:%M:%S}"


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: max(0, width - 3)]}..."


def _cut_middle(text: str, width: int) -> str:
    """For names, whose beginning and end tell them apart."""
    if len(text) <= width:
        return text
    tail = (width - 3) // 2
    return f"{text[: width - 3 - tail]}...{text[-tail:]}"
