"""Asks the API at an interval for its list of models, and puts the wanted ones on the watch
list."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Protocol

from watchdog.domain.discovery import (
    DiscoveryRules,
    ListedModel,
    Listing,
    after_listing,
)
from watchdog.engine.events import DiscoveryDone, DiscoveryFailed, ModelsDiscovered
from watchdog.engine.fleet.discovered import Known
from watchdog.engine.fleet.listing import SharedListing
from watchdog.engine.ports import ApiError, Clock, LedgerUnavailable, Listener


class WatchList(Protocol):
    """Holds the discovered models that are watched, and the teams of all watched models."""

    @property
    def discovered(self) -> Known: ...

    async def learn(self, listed: Sequence[ListedModel]) -> None:
        """Take over what the API lists of the models. Raises LedgerUnavailable, and has changed
        nothing then."""

    async def take_up(self, discovered: Known) -> None:
        """Watch these models instead. Raises LedgerUnavailable, and has changed nothing then."""


class Discoverer:
    """Rounds of discovery, `interval` apart. A round that fails changes nothing."""

    def __init__(
        self, listing: SharedListing, clock: Clock, listener: Listener, watch_list: WatchList
    ) -> None:
        self._listing = listing
        self._clock = clock
        self._listener = listener
        self._watch_list = watch_list
        self._next_at = clock.monotonic()
        self._rules: DiscoveryRules | None = None
        self._failed = False

    async def tick(self, rules: DiscoveryRules | None, interval: timedelta) -> None:
        """Make a round if it is time for one, or if the rules have changed. Without rules nothing
        is discovered: a round then only reads the teams, and its failure is not logged."""
        now = self._clock.monotonic()
        if now < self._next_at and rules == self._rules:
            return
        self._rules, self._next_at = rules, now + interval.total_seconds()
        try:
            await self._round(rules)
        except (ApiError, LedgerUnavailable) as error:
            if not self._failed and rules is not None:
                self._listener(DiscoveryFailed(error=str(error)))
            self._failed = True
        else:
            self._failed = False

    async def _round(self, rules: DiscoveryRules | None) -> None:
        listing = await self._listing.get(after=self._clock.now())
        await self._watch_list.learn(listing.models)
        if rules is not None:
            await self._take_up(listing, rules)

    async def _take_up(self, listing: Listing, rules: DiscoveryRules) -> None:
        before = self._watch_list.discovered
        known = after_listing(before, listing, rules)
        if known != before:
            await self._watch_list.take_up(known)
        joined, left = known.keys() - before.keys(), before.keys() - known.keys()
        if joined or left:
            self._listener(
                ModelsDiscovered(
                    joined=tuple(sorted(joined)), left=tuple(sorted(left)), discovered=len(known)
                )
            )
        if listing.models:
            self._listener(DiscoveryDone(at=self._clock.now(), discovered=len(known)))
