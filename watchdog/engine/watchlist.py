"""Brings the ledger in line with the configuration when a daemon starts watching."""

from dataclasses import replace
from datetime import datetime

from watchdog.domain.records import Health, Target
from watchdog.domain.step import Transition
from watchdog.domain.transition import unwatched
from watchdog.engine.ports import LedgerTransaction
from watchdog.engine.record import Recorded, Recorder, save
from watchdog.engine.settings import MODE, Settings


def begin(tx: LedgerTransaction, recorder: Recorder, settings: Settings) -> list[Recorded]:
    """Settle what a dead owner left behind, note the mode, and add and remove targets.

    Returns every watched target with its attempts, and each one that this removed.
    """
    tx.clamp_future()
    recorder.resolve_left_behind(tx)
    gone = remove_unwanted(tx, recorder, settings)
    known = {target.model_id: target for target in tx.targets()}
    went_live = tx.meta(MODE) == "observe" and not settings.observe
    tx.set_meta(MODE, settings.mode)
    watched = [
        _watch(tx, known.get(model_id), model_id, recorder, settings, went_live=went_live)
        for model_id in settings.models
    ]
    return [*gone, *watched]


def remove_unwanted(
    tx: LedgerTransaction, recorder: Recorder, settings: Settings
) -> list[Recorded]:
    """Remove each target that no living daemon is configured with: while a changed configuration
    goes round, those that have it already must not take away what the others still watch."""
    unwanted = [model_id for model_id in tx.watched() if model_id not in settings.models]
    if not unwanted:
        return []
    wanted = tx.configured([each.id for each in recorder.living_others(tx)])
    gone = [tx.target(model_id) for model_id in unwanted if model_id not in wanted]
    return [_remove(tx, target, tx.now()) for target in gone if target is not None]


def enlist(tx: LedgerTransaction, recorder: Recorder, settings: Settings) -> list[Target]:
    """The configured targets for one pass of a command.

    A new one is recorded, for the limits' sake, but not as watched: only a daemon's configuration
    decides what daemons watch.
    """
    if not recorder.living_others(tx):  # A daemon's clock may be ahead of this one.
        tx.clamp_future()
    recorder.resolve_left_behind(tx)
    return [_known(tx, model_id, settings) for model_id in settings.models]


def _known(tx: LedgerTransaction, model_id: str, settings: Settings) -> Target:
    target = tx.target(model_id)
    if target is None:
        name = settings.models[model_id].name
        target = Target(model_id=model_id, name=name, watched=False)
        tx.add_target(target)
    return target


def _remove(tx: LedgerTransaction, target: Target, now: datetime) -> Recorded:
    attempts = tx.attempts(target, since=now)
    step = unwatched(target, attempts, now)
    for attempt in step.attempts:
        tx.resolve_attempt(attempt)
    return Recorded(target, save(tx, target, step.target, now), step, attempts)


def _watch(
    tx: LedgerTransaction,
    known: Target | None,
    model_id: str,
    recorder: Recorder,
    settings: Settings,
    *,
    went_live: bool,
) -> Recorded:
    name, now = settings.models[model_id].name, tx.now()
    if known is None:
        new = Target(model_id=model_id, name=name, next_check_at=now)
        tx.add_target(new)
        return Recorded(new, new, Transition(new), ())
    due = known.next_check_at if known.watched else None
    # No plan reaches further ahead, unless the clock was set back since it was made.
    due = min(due or now, now + settings.effective_interval)
    target = replace(known, watched=True, name=name, next_check_at=due)
    if went_live and target.health is Health.FAILING and target.episode is not None:
        # Nobody chose to have these retried: they failed while the watchdog only looked on.
        standing = replace(target.episode, standing=True)
        target = replace(target, episode=standing, broke_at=None)
    if target != known:
        target = tx.save_target(target)
    attempts = recorder.attempts(tx, target, now)
    return Recorded(known, target, Transition(target), attempts)
