"""How what operators did is shown."""

from typing import Any

from watchdog.domain.records import Action, ActionKind
from watchdog.text.phrases import clock_time
from watchdog.text.untrusted import clean


def action_cells(action: Action) -> tuple[str, ...]:
    """A line of the history: time, model, what, result, by, detail."""
    result = ""
    if action.kind is ActionKind.PAUSE:
        result = f"until {clock_time(action.until)}"
        if action.ended_at is not None:
            result = f"ended {clock_time(action.ended_at)}"
    whom = action.model_id or "all"
    return (
        clock_time(action.at),
        whom,
        action.kind.value,
        result,
        action.who,
        action.note,
    )


def action_json(action: Action) -> dict[str, Any]:
    return {
        "at": action.at,
        "action": action.kind,
        "model_id": action.model_id,
        "who": action.who,
        "note": action.note,
        "until": action.until,
        "ended_at": action.ended_at,
    }


def pause_line(pause: Action) -> str:
    """A pause in force, in one line."""
    note = f": {clean(pause.note)}" if pause.note else ""
    whom = pause.model_id or "all models"
    return f"paused: {whom} until {clock_time(pause.until)} by {clean(pause.who)}{note}"
