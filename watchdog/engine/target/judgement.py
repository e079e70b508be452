"""The decision about one target, and everything in the ledger that it is made from."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from watchdog.domain.policy import decide, ready_since
from watchdog.domain.queue import rank
from watchdog.domain.records import (
    Attempt,
    Decision,
    Fleet,
    Health,
    OpenBreaker,
    Target,
)
from watchdog.engine.events import Event, ForbiddenSeen
from watchdog.engine.fleet.breaker import Breaker
from watchdog.engine.fleet.forbidden import Forbidding
from watchdog.engine.fleet.hold import held
from watchdog.engine.fleet.judges import living_others
from watchdog.engine.fleet.usage import fleet_used
from watchdog.engine.ports import Access, LedgerTransaction
from watchdog.engine.settings import MODE, Settings


@dataclass(frozen=True, slots=True)
class Judged:
    """A decision and what it was made from. For a target that is not failing, `fleet` has only the
    limits, and `ready_at`, `breaker` and `forbidding` are None."""

    decision: Decision
    fleet: Fleet | None = None
    ready_at: datetime | None = None
    breaker: Breaker | None = None
    forbidding: Forbidding | None = None
    news: tuple[Event, ...] = ()

    def note_reserved(self, attempt: Attempt) -> bool:
        """Note the reserved attempt for the breaker and for the probe of a forbidden key. Returns
        whether the attempt is the breaker's canary."""
        if self.forbidding is not None:
            self.forbidding.note_reserved()
        canary = self.fleet is not None and self.fleet.breaker is not None
        if canary and self.breaker is not None:
            self.breaker.note_canary_attempt(attempt)
        return canary


def judge(
    tx: LedgerTransaction,
    settings: Settings,
    target: Target,
    attempts: Sequence[Attempt],
    access: Access,
    now: datetime,
    *,
    forced: bool = False,
    forbidding: Forbidding | None = None,
    date: datetime | None = None,
) -> Judged:
    policy, fleet = settings.policy_of(target), Fleet(settings.limits)
    if target.health is not Health.FAILING:
        news = tuple(forbidding.news) if forbidding is not None else ()
        return Judged(decide(target, attempts, fleet, policy, now), fleet, news=news)
    forbidding = forbidding or forbidding_of(tx, settings, access)
    breaker = Breaker(tx, settings)
    fleet = _fleet(tx, settings, access, forbidding, breaker.judge(target), now, date)
    ready_at = ready_since(target, attempts, fleet, policy, now)
    if ready_at is not None and not _beside_another_mode(tx, settings):
        seen_since = now - settings.timing.longest_gap
        place = rank(target, attempts), ready_at, target.model_id
        fleet = replace(fleet, ahead=tx.queue.ahead(*place, seen_since=seen_since))
    decision = decide(target, attempts, fleet, policy, now, forced=forced)
    news = (
        *forbidding.news,
        ForbiddenSeen(forbidden=forbidding.probe_at is not None),
        *breaker.news,
    )
    return Judged(decision, fleet, ready_at, breaker, forbidding, news)


def forbidding_of(tx: LedgerTransaction, settings: Settings, access: Access) -> Forbidding:
    return Forbidding(tx, access.key_mark, observe=settings.observe)


def _beside_another_mode(
    tx: LedgerTransaction,
    settings: Settings,
) -> bool:
    """Whether this is a command in another mode than that of a living daemon. The queue in the
    ledger then belongs to the daemon's mode, which has limits of its own, so the command ignores
    it."""
    if settings.is_daemon or tx.meta.get(MODE) in (None, settings.mode):
        return False
    return bool(living_others(tx, settings.owner))


def _fleet(
    tx: LedgerTransaction,
    settings: Settings,
    access: Access,
    forbidding: Forbidding,
    breaker: OpenBreaker | None,
    now: datetime,
    date: datetime | None,
) -> Fleet:
    """What the ledger and the API say of the whole fleet."""
    return replace(
        fleet_used(tx, settings.limits, date=date),
        hold=access.hold or held(tx, now),
        breaker=breaker,
        key_mark=access.key_mark,
        probe_at=forbidding.probe_at,
        forbidden_from=forbidding.allowed_at,
        date=date,
        diagnosed=settings.diagnose and settings.is_daemon,
    )
