"""The commands that a model's page offers: those that can help in the state that it shows."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from watchdog.domain.reasons import Scope
from watchdog.domain.records import Action, ActionKind, TargetState
from watchdog.web.rows import Row


class Command(NamedTuple):
    """`name` is that of the command, `typed` all that follows the program's name, and `what` what
    it is for."""

    name: str
    typed: str
    what: str


def commands(row: Row, actions: Iterable[Action]) -> Iterator[Command]:
    """`actions` are those about this model and about all, newest first."""
    model_id = row.target.model_id
    yield Command("history", f"history {model_id}", "what happened to it, with its log's lines")
    if row.watched.is_gone:
        return
    pauses = [each for each in actions if _in_force(each, row.now)]
    if pauses:
        yield _resume(model_id, pauses)
    else:
        what = "no retries for a time; it is still watched"
        yield Command("pause", f"pause {model_id} --for 2h", what)
    yield from _retries(row, model_id)


def _in_force(action: Action, now: datetime) -> bool:
    lasts = action.until is not None and action.until > now and action.ended_at is None
    return action.kind is ActionKind.PAUSE and lasts


def _resume(model_id: str, pauses: Sequence[Action]) -> Command:
    """The model's own pause goes before the one of all models."""
    if any(each.model_id is not None for each in pauses):
        return Command("resume", f"resume {model_id}", "end its pause")
    return Command("resume", "resume --all", "end the pause of all models")


def _retries(row: Row, model_id: str) -> Iterator[Command]:
    """A retry that would be refused is not offered: only a failing model can be retried, and no
    command passes the limits of the fleet."""
    reason = row.target.decision.reason
    if row.state is TargetState.EXHAUSTED:
        yield Command("reset", f"reset {model_id}", "retry it anew, once its cause is fixed")
    if row.state is not TargetState.WAITING:
        return
    if reason is None:
        yield Command("retry", f"retry {model_id}", "one retry now, within the limits")
    elif reason.scope is Scope.MODEL:
        typed = f"retry {model_id} --force"
        yield Command("retry", typed, "one retry now, beyond its own limits and delays")
