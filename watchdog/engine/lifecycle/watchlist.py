"""Brings the ledger in line with the configuration when a daemon starts watching.

All of it takes a number of round trips to the ledger that does not depend on how many targets there
are: a server may be milliseconds away.
"""

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime

from watchdog.domain.records import Health, Target
from watchdog.domain.removal import unwatched
from watchdog.domain.step import Transition
from watchdog.engine.fleet.api_date import api_date
from watchdog.engine.fleet.counted import counted
from watchdog.engine.fleet.judges import living_others
from watchdog.engine.ports import LedgerTransaction
from watchdog.engine.settings import MODE, Settings
from watchdog.engine.target.left_behind import resolve_left_behind
from watchdog.engine.target.recorded import Recorded
from watchdog.engine.target.written import save


def begin(tx: LedgerTransaction, settings: Settings) -> list[Recorded]:
    """Resolve the pending attempts of dead processes, write the mode of this daemon, and add and
    remove targets.

    Returns every watched target with its attempts, and each one that this removed.
    """
    tx.clamp_future()
    resolve_left_behind(tx)
    gone = remove_unwanted(tx, settings)
    went_live = tx.meta.get(MODE) == "observe" and not settings.observe
    tx.meta.set(MODE, settings.mode)
    now, known = tx.now(), {target.model_id: target for target in tx.targets.all()}
    new = [
        Target(model_id=model_id, name=model.name, next_check_at=now)
        for model_id, model in settings.models.items()
        if model_id not in known
    ]
    before = [known[model_id] for model_id in settings.models if model_id in known]
    wanted = [_wanted(each, settings, now, went_live=went_live) for each in before]
    tx.targets.add_all(new)
    changed = [each for each, was in zip(wanted, before, strict=True) if each != was]
    saved = {each.model_id: each for each in tx.targets.save_all(changed)}
    after = [saved.get(each.model_id, each) for each in before]
    attempts = counted(tx, after, settings.policies, api_date(tx))
    found = {each.model_id: Recorded(each, each, Transition(each), ()) for each in new}
    for known_as, each in zip(before, after, strict=True):
        own = attempts[each.model_id]
        found[each.model_id] = Recorded(known_as, each, Transition(each), own)
    return [*gone, *(found[model_id] for model_id in settings.models)]


def remove_unwanted(tx: LedgerTransaction, settings: Settings) -> list[Recorded]:
    """Remove each target that no living daemon is configured with. While a changed configuration
    reaches the replicas one by one, those that have it must not remove targets that the others
    still watch."""
    unwanted = set(tx.targets.watched()) - settings.models.keys()
    if unwanted:
        unwanted -= tx.replicas.configured([each.id for each in living_others(tx, settings.owner)])
    if unwanted and settings.receivers:
        tx.notices.forget(unwanted)
    return _remove(tx, unwanted) if unwanted else []


def targets_for_command(tx: LedgerTransaction, settings: Settings) -> list[Target]:
    """The configured targets for one pass of a command.

    A new one is recorded, for the limits' sake, but not as watched: only a daemon's configuration
    decides what daemons watch.
    """
    if not living_others(tx, settings.owner):  # A daemon's clock may be ahead of this one.
        tx.clamp_future()
    resolve_left_behind(tx)
    known = {target.model_id: target for target in tx.targets.all()}
    new = {
        model_id: Target(model_id=model_id, name=model.name, watched=False)
        for model_id, model in settings.models.items()
        if model_id not in known
    }
    tx.targets.add_all(list(new.values()))
    return [known.get(model_id) or new[model_id] for model_id in settings.models]


def _remove(tx: LedgerTransaction, model_ids: Collection[str]) -> list[Recorded]:
    now = tx.now()
    before = [each for each in tx.targets.all() if each.model_id in model_ids]
    attempts = counted(tx, before, {}, api_date(tx))
    steps = [unwatched(each, attempts[each.model_id], now) for each in before]
    tx.attempts.resolve([attempt for step in steps for attempt in step.attempts])
    changes = [(each, step.target) for each, step in zip(before, steps, strict=True)]
    return [
        Recorded(known, after, step, attempts[after.model_id])
        for known, after, step in zip(before, save(tx, changes, now), steps, strict=True)
    ]


def _wanted(known: Target, settings: Settings, now: datetime, *, went_live: bool) -> Target:
    """The target with the changes that are needed to watch it."""
    due = known.next_check_at if known.watched else None
    # No plan reaches further ahead, unless the clock was set back since it was made.
    due = min(due or now, now + settings.effective_interval)
    name = settings.models[known.model_id].name
    target = replace(known, watched=True, name=name, next_check_at=due)
    if went_live and target.health is Health.FAILING and target.episode is not None:
        # They began to fail in observe mode, in which no retries are wanted, so they count as
        # standing failures.
        standing = replace(target.episode, standing=True)
        target = replace(target, episode=standing, broke_at=None)
    return target
