"""Who judges the breaker: opens it, follows its canaries and closes it. All others obey it."""

from datetime import datetime

from watchdog.domain.replica import Replica
from watchdog.engine.ports import LedgerTransaction
from watchdog.engine.settings import MODE, Settings


def may_judge(tx: LedgerTransaction, settings: Settings, needed_since: datetime) -> bool:
    """Whether this process sees the whole fleet, so that it may judge for it.

    The active daemon does. A command does only where no living daemon judges in its mode, and if
    its models include every target that was seen later than `needed_since`.
    """
    others = living_others(tx, settings.owner)
    if settings.is_daemon:
        return not any(each.active for each in others)
    if others and tx.meta.get(MODE) == settings.mode:
        return False
    return settings.models.keys() >= set(tx.breaker.seen(needed_since))


def living_others(tx: LedgerTransaction, own: str) -> list[Replica]:
    """The other daemons that may still be alive, by their last heartbeats."""
    now = tx.now()
    return [
        each
        for each in tx.replicas.all()
        if each.id != own and not tx.knows_dead(each.id, each.silent_for(now))
    ]
