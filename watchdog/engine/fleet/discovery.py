"""Asks the API now and then which models there are, and has those watched that are wanted."""

import json
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta

from watchdog.domain.discovery import Discovered, DiscoveryRules, after_listing
from watchdog.engine.events import DiscoveryDone, DiscoveryFailed, ModelsDiscovered
from watchdog.engine.fleet.listing import SharedListing
from watchdog.engine.ports import ApiError, Clock, LedgerTransaction, LedgerUnavailable, Listener

Known = Mapping[str, Discovered]
"""The discovered models, by id."""

_KEY = "discovered"


def load(tx: LedgerTransaction) -> Known:
    """What the previous active replica discovered; watched until the first listing."""
    kept = json.loads(tx.meta.get(_KEY) or "{}")
    return {model_id: Discovered(name, team) for model_id, (name, team) in kept.items()}


def save(tx: LedgerTransaction, known: Known) -> None:
    kept = {model_id: (model.name, model.team) for model_id, model in known.items()}
    text = json.dumps(kept, sort_keys=True)
    if text != (tx.meta.get(_KEY) or "{}"):
        tx.meta.set(_KEY, text)


class Discoverer:
    """Rounds of discovery, `interval` apart. A round that fails changes nothing."""

    def __init__(
        self,
        listing: SharedListing,
        clock: Clock,
        listener: Listener,
        *,
        known: Callable[[], Known],
        take_up: Callable[[Known], Awaitable[None]],
    ) -> None:
        """`known` returns the discovered models. `take_up` changes them; when it raises
        LedgerUnavailable, it has changed nothing."""
        self._listing = listing
        self._clock = clock
        self._listener = listener
        self._known = known
        self._take_up = take_up
        self._next_at = clock.monotonic()
        self._rules: DiscoveryRules | None = None
        self._failed = False

    async def tick(self, rules: DiscoveryRules, interval: timedelta) -> None:
        """Make a round if it is time for one, or if the rules have changed."""
        now = self._clock.monotonic()
        if now < self._next_at and rules == self._rules:
            return
        self._rules, self._next_at = rules, now + interval.total_seconds()
        try:
            await self._round(rules)
        except (ApiError, LedgerUnavailable) as error:
            if not self._failed:
                self._listener(DiscoveryFailed(error=str(error)))
            self._failed = True
        else:
            self._failed = False

    async def _round(self, rules: DiscoveryRules) -> None:
        listing = await self._listing.get(after=self._clock.now())
        before = self._known()
        known = after_listing(before, listing, rules)
        if known != before:
            await self._take_up(known)
        joined, left = known.keys() - before.keys(), before.keys() - known.keys()
        if joined or left:
            self._listener(
                ModelsDiscovered(
                    joined=tuple(sorted(joined)), left=tuple(sorted(left)), discovered=len(known)
                )
            )
        if listing.models:
            self._listener(DiscoveryDone(at=self._clock.now(), discovered=len(known)))
