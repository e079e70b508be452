"""Which failing targets may be retried now or later by the rules of this process. The recorded
decision is not enough: a command in the other mode, or with other rules, may have written it, and
it stands until the next look."""

from watchdog.domain.limits import counting
from watchdog.domain.policy import decide
from watchdog.domain.records import DecisionKind, DecisionReason, Fleet, Health, Policy, Target
from watchdog.engine.ports import LedgerTransaction
from watchdog.engine.settings import Settings


def eligible(tx: LedgerTransaction, settings: Settings) -> list[str]:
    """The decision is computed again, except whether a retry is forbidden, which only a look can
    show. A daemon considers the watched targets."""
    return [
        target.model_id
        for target in tx.targets.all()
        if target.health is Health.FAILING
        and target.decision.reason is not DecisionReason.FORBIDDEN
        and (target.watched or not settings.is_daemon)
        and (model := settings.models.get(target.model_id)) is not None
        and _may_be_retried(tx, target, model.policy, Fleet(settings.limits))
    ]


def _may_be_retried(tx: LedgerTransaction, target: Target, policy: Policy, fleet: Fleet) -> bool:
    now = tx.now()
    attempts = tx.attempts.of(target, since=now - policy.window)
    counted = counting(target, attempts, policy, now)
    decision = decide(target, counted, fleet, policy, now)
    return decision.kind in (DecisionKind.WAIT, DecisionKind.RETRY)
