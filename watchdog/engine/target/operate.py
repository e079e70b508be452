"""What a person may do to the watchdog: each one transaction, written down with who and why."""

from datetime import datetime, timedelta

from watchdog.domain.records import Action, ActionKind, Target
from watchdog.domain.replica import GONE_AFTER
from watchdog.domain.transition import reset as cleared
from watchdog.engine.fleet.judges import living_others
from watchdog.engine.ports import LedgerTransaction
from watchdog.engine.settings import Settings
from watchdog.engine.target.left_behind import resolve_and_read
from watchdog.engine.target.written import Recorded, write_step


class OutOfStep(Exception):
    """A running daemon does not go by the same clock: what counts from now on for this process,
    counts from another moment on for that one."""


class UnderWay(Exception):
    """An attempt of the target is under way: only its result says whether another may be sent."""


def pause(
    tx: LedgerTransaction, model_id: str | None, *, span: timedelta, who: str, note: str
) -> datetime:
    """Retry nothing for so long, of one model or of all; until when that is, by the ledger's time.
    It takes the place of an earlier one."""
    until = tx.now() + span
    tx.actions.end_pauses(model_id, tx.now())
    tx.actions.add(Action(tx.now(), ActionKind.PAUSE, model_id, who, note, until=until))
    _have_checked(tx, model_id)
    return until


def holds(tx: LedgerTransaction, settings: Settings, until: datetime) -> bool:
    """Whether a pause until then is in force for the active daemon too: one that does not go by
    the same clock, as an older program does not, tells by its heartbeat what time it thinks it is.
    """
    return all(each.seen_at < until for each in living_others(tx, settings.owner) if each.active)


def resume(tx: LedgerTransaction, model_id: str | None, *, who: str, note: str) -> bool:
    """End a pause; whether there was one."""
    ended = tx.actions.end_pauses(model_id, tx.now())
    if ended:
        tx.actions.add(Action(tx.now(), ActionKind.RESUME, model_id, who, note))
        _have_checked(tx, model_id)
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


def note_retry(tx: LedgerTransaction, model_id: str, *, who: str, note: str) -> None:
    """Write down that a person asked for a retry."""
    tx.actions.add(Action(tx.now(), ActionKind.RETRY, model_id, who, note))


def _have_checked(tx: LedgerTransaction, model_id: str | None) -> None:
    """So that a daemon shows it at once. It obeys anyway: each attempt asks the ledger."""
    if model_id is not None:
        tx.targets.make_due(model_id, tx.now())
    else:
        tx.targets.spread_checks(timedelta(minutes=1))
