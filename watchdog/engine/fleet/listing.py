"""The list of models, requested once for all callers that need it."""

import asyncio
from datetime import datetime, timedelta

from watchdog.domain.discovery import Listing
from watchdog.domain.records import Target
from watchdog.engine.events import ListingIncomplete, ModelsListed
from watchdog.engine.ports import AnswerLost, ApiError, BasetenApi, Clock, Listener, NotFound
from watchdog.engine.settings import LiveSettings


class SharedListing:
    """At most one request for the list is under way, and its result serves for an effective
    interval: a 404 for every model leads to one listing an interval, not to one for each model."""

    def __init__(
        self, api: BasetenApi, clock: Clock, listener: Listener, live: LiveSettings
    ) -> None:
        self._api = api
        self._clock = clock
        self._listener = listener
        self._live = live
        self._asking = asyncio.Lock()
        self._asked_at: datetime | None = None
        self._result: Listing | ApiError = Listing(())
        self._with_development: frozenset[str] = frozenset()
        self._unreadable = 0

    async def get(self, *, after: datetime | None = None) -> Listing:
        """A listing that was requested after a given moment, and at most an interval ago. Raises
        ApiError if that request failed."""
        async with self._asking:
            if not self._serves(after):
                await self._ask()
        if isinstance(self._result, ApiError):
            raise self._result.with_traceback(None)
        return self._result

    async def confirm(self, model_id: str, error: NotFound, *, after: datetime | None) -> None:
        """Return if a listing that was requested after a given moment confirms a 404: that there is
        no such model, or that it has no development deployment. Otherwise raise AnswerLost with the
        code of the 404, because a load balancer may give that answer to every request. An empty
        list confirms nothing either, but the API answered: then raise NotFound."""
        if (doubt := await self._doubt(model_id, after)) is None:
            return
        is_empty = isinstance(self._result, Listing) and not self._result.models
        kind = NotFound if is_empty else AnswerLost
        raise kind(f"{error}, and {doubt}", code=error.code)

    async def _doubt(self, model_id: str, after: datetime | None) -> str | None:
        try:
            listing = await self.get(after=after)
        except ApiError as error:
            return f"the list of models, which is to confirm that, failed: {error}"
        if model_id in self._with_development:
            return "the list of models has its development deployment"
        if not listing.models:
            return "the list of models is empty, which confirms nothing"
        if not listing.whole:
            return f"the list of models has {listing.unreadable} entries that cannot be read"
        return None

    def _serves(self, after: datetime | None) -> bool:
        if self._asked_at is None or (after is not None and self._asked_at <= after):
            return False
        age = self._clock.now() - self._asked_at
        # Less than nothing: the clock was set back.
        return timedelta(0) <= age <= self._live.current.effective_interval

    async def _ask(self) -> None:
        asked_at = self._clock.now()
        try:
            self._result = await self._api.list_models()
        except ApiError as error:
            self._result = error
        else:
            self._with_development = frozenset(
                model.id for model in self._result.models if model.has_development
            )
            self._tell(self._result)
        self._asked_at = asked_at

    def _tell(self, listing: Listing) -> None:
        listed, unreadable = len(listing.models), listing.unreadable
        self._listener(ModelsListed(listed=listed, unreadable=unreadable))
        if unreadable and unreadable != self._unreadable:
            self._listener(ListingIncomplete(listed=listed, unreadable=unreadable))
        self._unreadable = unreadable


def known_until(target: Target, now: datetime) -> datetime | None:
    """The last moment at which the target was recorded as present or absent. A listing from before
    that moment cannot confirm a 404. A moment that is ahead was written before the clock was set
    back."""
    moments = (target.observed_at, target.missing_since)
    return max((at for at in moments if at is not None and at <= now), default=None)
