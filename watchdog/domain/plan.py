"""When a target is checked next, if its last look wrote nothing."""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta

from watchdog.domain.records import Target

_SOONEST = 0.95
_SPAN = 0.1
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Claim:
    """The active daemon has started the check that the ledger plans for `planned`, and plans the
    next one for `next_at`. The claim is written to the ledger later. Until then the claim counts as
    long as the ledger has this `version` and the plan `planned` for the target: a process that
    plans a later check saves the target, which changes its version."""

    version: int
    planned: datetime
    next_at: datetime

    def counts_for(self, version: int, planned: datetime) -> bool:
        """Whether the claim counts for a target that has this version and this plan in the
        ledger."""
        return (self.version, self.planned) == (version, planned)


def claim(target: Target, at: datetime, now: datetime, interval: timedelta) -> Claim:
    """A claim of the check that is due at `at`, made now. The next check is up to 5 % sooner or
    later than an interval from now; how much is always the same for a target, so that the targets
    spread."""
    own = share(target.model_id, interval * _SPAN)
    next_at = now + interval * _SOONEST + own
    return Claim(target.version, target.next_check_at or at, next_at)


def share(model_id: str, span: timedelta) -> timedelta:
    """A target's position in a span of time, in whole microseconds."""
    return int(spread(model_id) * (span // _MICROSECOND)) * _MICROSECOND


def spread(model_id: str) -> float:
    """A target's position in every span: always the same, in [0, 1)."""
    return int.from_bytes(hashlib.sha256(model_id.encode()).digest()[:6]) / 2**48
