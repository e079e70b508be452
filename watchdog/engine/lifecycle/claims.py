"""The claims that the ledger does not know of yet."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from watchdog.domain.plan import Claim, claim
from watchdog.domain.records import Target
from watchdog.engine.ports import Due, LedgerTransaction

WRITTEN_AFTER = timedelta(hours=1)
"""A claim is written when the moment of its next check is this long ago. It is much shorter than
`domain.breaker.FORGOTTEN_AFTER`: to commands, a target is watched if its plan is younger than
that."""


@dataclass(frozen=True, slots=True)
class Claims:
    """What the active daemon has claimed and not written, by model id.

    Because of the claims, looks that change nothing write nothing. If this process dies, the
    moments in the ledger have passed, and the next daemon checks these targets at once: sooner than
    planned, and never later. There are never more claims than a tick may make, so that the other
    targets then need not wait long.
    """

    open: Mapping[str, Claim] = field(default_factory=dict)
    # What the last transaction of a tick found, which holds while the ledger does not change: the
    # claimed targets, if all that are watched are claimed, and the next moment that the ledger has.
    known: Mapping[str, Target] = field(default_factory=dict)
    planned: datetime | None = None

    def of(self, model_ids: Collection[str], latest: datetime) -> "Claims":
        """The claims of these targets, each with a next check at `latest` or sooner: the interval
        may have become shorter."""
        return Claims(
            {
                model_id: replace(each, next_at=min(each.next_at, latest))
                for model_id, each in self.open.items()
                if model_id in model_ids
            }
        )

    def due(self, until: datetime) -> Sequence[Due] | None:
        """What is due by then if the ledger has not changed since the last transaction of a tick,
        the longest due first; None if only the ledger can tell."""
        if self.planned is None or self.planned <= until or _any_old(self.open, until):
            return None
        found = sorted(
            (each.next_at, key) for key, each in self.open.items() if each.next_at <= until
        )
        if any(key not in self.known for _, key in found):
            return None
        return [Due(self.known[key], at) for at, key in found]

    def also(self, made: Mapping[str, Claim]) -> "Claims":
        """Make these claims too, without the ledger."""
        return replace(self, open={**self.open, **made})

    def plus(
        self,
        tx: LedgerTransaction,
        made: Mapping[str, Claim],
        *,
        of: int | None,
        most: int,
        idle_from: datetime,
    ) -> "Claims":
        """Make these claims too. Write all of them if they are more than `most`, or if one is old.
        No other check is due by `idle_from`. `of` is how many targets are watched, or None if
        nothing tells when the ledger has changed."""
        claims, known = {**self.open, **made}, dict[str, Target]()
        if len(claims) > most or _any_old(claims, tx.now()):
            tx.targets.plan(claims)
            claims = {}
        elif len(claims) == of:
            known = {each.model_id: each for each in tx.targets.some(claims)}
            claims = {key: each for key, each in claims.items() if _counts(each, known.get(key))}
        planned = tx.targets.next_planned(idle_from)
        return Claims(claims, known, planned or idle_from + WRITTEN_AFTER)


def _any_old(claims: Mapping[str, Claim], now: datetime) -> bool:
    return any(each.planned < now - WRITTEN_AFTER for each in claims.values())


def _counts(each: Claim, target: Target | None) -> bool:
    if target is None or target.next_check_at is None:
        return False
    return each.counts_for(target.version, target.next_check_at)


def made(due: Sequence[Due], now: datetime, interval: timedelta) -> dict[str, Claim]:
    """A claim of each, by model id."""
    return {each.target.model_id: claim(each.target, each.at, now, interval) for each in due}
