"""What an operator may do: pause, resume, reset, and a note about a retry. Each action is one
transaction, and is recorded with who did it and why."""

from datetime import datetime, timedelta

from watchdog.domain.episode import reset as cleared
from watchdog.domain.records import Action, ActionKind, Target
from watchdog.domain.replica import GONE_AFTER
from watchdog.engine.fleet.judges import living_others
from watchdog.engine.ports import LedgerTransaction
from watchdog.engine.settings import Settings
from watchdog.engine.target.left_behind import resolve_and_read
from watchdog.engine.target.recorded import Recorded
from watchdog.engine.target.written import write_step


class OutOfStep(Exception):
    """The clock of a running daemon differs from that of this process, so an action would take
    effect at another time for the daemon."""


class UnderWay(Exception):
    """An attempt of the target is under way: only its result says whether another may be sent."""


def pause(
    tx: LedgerTransaction, model_id: str | None, *, span: timedelta, who: str, note: str
) -> datetime:
    """Pause the retries of one model or of all for a span. Returns the end, by the ledger's time.
    Replaces an earlier pause."""
    until = tx.now() + span
    tx.actions.end_pauses(model_id, tx.now())
    tx.actions.add(Action(tx.now(), ActionKind.PAUSE, model_id, who, note, until=until))
    _check_soon(tx, model_id)
    return until


def holds(tx: LedgerTransaction, settings: Settings, until: datetime) -> bool:
    """Whether a pause with that end is in force for the active daemon too. A daemon of an older
    program may use another clock; its heartbeat shows that clock's time."""
    return all(each.seen_at < until for each in living_others(tx, settings.owner) if each.active)


def resume(tx: LedgerTransaction, model_id: str | None, *, who: str, note: str) -> bool:
    """End a pause. Returns whether there was one."""
    ended = tx.actions.end_pauses(model_id, tx.now())
    if ended:
        tx.actions.add(Action(tx.now(), ActionKind.RESUME, model_id, who, note))
        _check_soon(tx, model_id)
    return bool(ended)


def reset(
    tx: LedgerTransaction, settings: Settings, target: Target, *, who: str, note: str
) -> Recorded:
    """Begin a new episode and a new window. Raises UnderWay and OutOfStep."""
    now = tx.now()
    active = (each for each in living_others(tx, settings.owner) if each.active)
    if any(each.silent_for(now) > GONE_AFTER for each in active):
        raise OutOfStep(target.model_id)
    attempts = resolve_and_read(tx, settings, target, now)
    if any(attempt.under_way for attempt in attempts):
        raise UnderWay(target.model_id)
    recorded = write_step(tx, settings, target, cleared(target, now), attempts, now)
    tx.actions.add(Action(now, ActionKind.RESET, target.model_id, who, note))
    tx.targets.make_due(target.model_id, now)
    return recorded


def note_retry(tx: LedgerTransaction, model_id: str, *, who: str, note: str) -> int:
    """Record that an operator ordered a retry. Returns the id of the action."""
    return tx.actions.add(Action(tx.now(), ActionKind.RETRY, model_id, who, note))


def note_not_retried(tx: LedgerTransaction, action_id: int, *, why: str, note: str) -> None:
    """Record in the action's note why no retry was sent, before what the operator wrote."""
    tx.actions.set_note(action_id, "; ".join(filter(None, (f"not retried: {why}", note))))


def _check_soon(tx: LedgerTransaction, model_id: str | None) -> None:
    """Have a daemon check the target at once, so that it shows the change. The daemon obeys the
    action even without this check, because each attempt reads the ledger."""
    if model_id is not None:
        tx.targets.make_due(model_id, tx.now())
    else:
        tx.targets.spread_checks(timedelta(minutes=1))
