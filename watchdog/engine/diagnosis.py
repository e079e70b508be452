"""Finds out why a deployment failed and who ended an episode, for people who ask later."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime, timedelta

from watchdog.domain.records import Episode
from watchdog.engine.events import (
    DeploymentFailing,
    DeploymentReplaced,
    EpisodeSuperseded,
    Event,
    GaveUp,
)
from watchdog.engine.ports import ApiError, BasetenApi, Clock, Denied, Ledger, LedgerUnavailable

_MOST_WAITING = 100
"""More than that fail at once only when the platform does, and then their logs tell nothing."""

_BEFORE = timedelta(minutes=30)
"""How far back from the moment at which the failure was seen its cause is looked for."""

_ACTS = {
    "MODEL_DEPLOYED": "pushed",
    "MODEL_DEPLOYMENT_RETRIED": "retried",
    "MODEL_DEPLOYMENT_ACTIVATED": "activated",
    "MODEL_DEPLOYMENT_DEACTIVATED": "deactivated",
    "MODEL_DEPLOYMENT_DELETED": "deleted",
}
"""What may end an episode without us, in the words of the API's audit log and in ours."""


class Diagnosis:
    """Listens to events and, once it is enabled, asks the API one thing after another. What it is
    not told it does without: nothing depends on it."""

    def __init__(self, api: BasetenApi, ledger: Ledger, clock: Clock) -> None:
        self._api = api
        self._ledger = ledger
        self._clock = clock
        self._wanted: asyncio.Queue[Callable[[], Awaitable[None]]] = asyncio.Queue(_MOST_WAITING)
        self._may_read_audit = True
        self.enabled = False

    def __call__(self, event: Event) -> None:
        match event:
            case DeploymentFailing() if not event.reopened:
                self._want(self._why, event.episode)
            case GaveUp() if event.target.episode is not None:
                self._want(self._why, event.target.episode)
            case EpisodeSuperseded() | DeploymentReplaced():
                self._want(self._who, event.episode)

    async def run(self) -> None:
        """Until it is cancelled."""
        while True:
            find_out = await self._wanted.get()
            with suppress(ApiError, LedgerUnavailable):
                await find_out()

    def _want(self, find_out: Callable[[Episode, datetime], Awaitable[None]], of: Episode) -> None:
        now = self._clock.now()
        if self.enabled:
            with suppress(asyncio.QueueFull):
                self._wanted.put_nowait(lambda: find_out(of, now))

    async def _why(self, episode: Episode, at: datetime) -> None:
        lines = await self._api.error_lines(
            episode.model_id, episode.deployment.id, since=at - _BEFORE, until=at
        )
        if lines:
            found = tuple(lines)
            await self._ledger.transact(lambda tx: tx.note_error_lines(episode.id, found))

    async def _who(self, episode: Episode, at: datetime) -> None:
        if not self._may_read_audit:
            return
        try:
            acts = await self._api.acts(
                episode.model_id, since=max(episode.opened_at, at - _BEFORE), until=at
            )
        except Denied:
            self._may_read_audit = False
            return
        known = [act for act in acts if act.event in _ACTS and not act.own]
        if known:
            last = max(known, key=lambda act: act.at)
            actor = f"{_ACTS[last.event]} by {last.actor}"
            await self._ledger.transact(lambda tx: tx.note_actor(episode.id, actor))
