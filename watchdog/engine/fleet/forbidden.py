"""Whether the key in use may retry nothing at all, inside a transaction."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta

from watchdog.domain.limits import PROBE_INTERVAL
from watchdog.domain.records import Attempt, Outcome
from watchdog.engine.events import Event, RetriesAllowed, RetriesForbidden
from watchdog.engine.ports import LedgerTransaction

MODELS_FORBIDDEN = 3
"""If retries of this many models were forbidden, and no retry of any model was accepted or refused
in between, the cause is the key and not the models."""

_KEY = "retries_forbidden"
_ALLOWED_AT = "retries_allowed_at"


@dataclass(frozen=True, slots=True)
class _Forbidden:
    """What the ledger keeps while a key may retry nothing: which key, since when, and when one
    retry may be sent to find out whether that has changed."""

    key_mark: str
    since: str
    probe_at: str


class Forbidding:
    """`news` is what to report once the transaction is committed. Observe mode sends no retry that
    could find out whether the key may retry. So `retries_forbidden` neither begins nor ends in that
    mode."""

    def __init__(self, tx: LedgerTransaction, key_mark: str, *, observe: bool) -> None:
        self._tx = tx
        self._now = tx.now()
        self._key_mark = key_mark
        kept = None if observe else json.loads(tx.meta.get(_KEY) or "null")
        self._forbidden = _Forbidden(**kept) if kept is not None else None
        self.news: list[Event] = []
        if self._forbidden is not None and self._forbidden.key_mark != key_mark:
            self._end(self._forbidden)

    @property
    def probe_at(self) -> datetime | None:
        """When one retry may be sent to find out whether the key may retry again; None unless it is
        known that the key may retry nothing."""
        if self._forbidden is None:
            return None
        # A clock that was ahead must not put it off for longer than an hour.
        return min(datetime.fromisoformat(self._forbidden.probe_at), self._now + PROBE_INTERVAL)

    @property
    def allowed_at(self) -> datetime | None:
        """When the key was last found to have a role that may retry. Retries that were forbidden
        before that no longer count."""
        kept = self._tx.meta.get(_ALLOWED_AT)
        at = datetime.fromisoformat(kept) if kept is not None else None
        return at if at is None or at <= self._now else None

    def note_reserved(self) -> None:
        """Called when an attempt was reserved. If retries are forbidden, this attempt is the probe,
        and the next one may be sent only after `PROBE_INTERVAL`."""
        if self._forbidden is not None:
            self._probe_later(self._forbidden, PROBE_INTERVAL)

    def answered(self, attempt: Attempt, earlier: Sequence[Attempt]) -> None:
        """Follow what became of an attempt, which is recorded already. `earlier` are others of its
        target."""
        if self._forbidden is not None:
            self._follow_probe(self._forbidden, attempt, earlier)
        elif attempt.forbidden_key == self._key_mark:
            models = self._tx.usage.forbidden_models(self._key_mark)
            if models >= MODELS_FORBIDDEN:
                self._begin(models)

    def _follow_probe(
        self, forbidden: _Forbidden, attempt: Attempt, earlier: Sequence[Attempt]
    ) -> None:
        if attempt.outcome in (Outcome.ACCEPTED, Outcome.REFUSED):
            self._end(forbidden)
            if any(each.forbidden_key == self._key_mark for each in earlier):
                # It was forbidden before: so the key's role has changed, and may retry the others.
                self._tx.meta.set(_ALLOWED_AT, self._now.isoformat())
        elif attempt.sent_at is None and attempt.reserved_at > datetime.fromisoformat(
            forbidden.since
        ):
            self._probe_later(forbidden, timedelta(0))

    def _begin(self, models: int) -> None:
        now = self._now.isoformat()
        forbidden = _Forbidden(self._key_mark, now, now)
        self._probe_later(forbidden, PROBE_INTERVAL)
        self.news.append(RetriesForbidden(models=models, probe_at=self._now + PROBE_INTERVAL))

    def _probe_later(self, forbidden: _Forbidden, span: timedelta) -> None:
        self._forbidden = replace(forbidden, probe_at=(self._now + span).isoformat())
        self._tx.meta.set(_KEY, json.dumps(asdict(self._forbidden)))

    def _end(self, forbidden: _Forbidden) -> None:
        self._forbidden = None
        self._tx.meta.set(_KEY, "null")
        after = self._now - datetime.fromisoformat(forbidden.since)
        self.news.append(RetriesAllowed(after=max(after, timedelta(0))))
