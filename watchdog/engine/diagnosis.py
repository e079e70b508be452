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
    InternalError,
)
from watchdog.engine.ports import ApiError, BasetenApi, Clock, Ledger, LedgerUnavailable, Listener

_MOST_WAITING = 100
"""More than that fail at once only when the platform does, and then their logs tell nothing."""

_BEFORE = timedelta(days=7)
"""How far back the API gives logs at once. A failure may be seen long after it happened."""

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

    def __init__(self, api: BasetenApi, ledger: Ledger, clock: Clock, listener: Listener) -> None:
        self._api = api
        self._ledger = ledger
        self._clock = clock
        self._listener = listener
        self._wanted: asyncio.Queue[Callable[[], Awaitable[None]]] = asyncio.Queue(_MOST_WAITING)
        self.enabled = False

    def __call__(self, event: Event) -> None:
        match event:
            case DeploymentFailing() if not event.reopened:
                self._want(self._why, event.episode)
            case GaveUp() if event.target.episode is not None:
                self._want(self._why, event.target.episode)
            case EpisodeSuperseded() | DeploymentReplaced():
                now_there = event.target.deployment
                self._want(self._who, event.episode, now_there.id if now_there else None)

    async def run(self) -> None:
        """Until it is cancelled; then what is still waiting is forgotten."""
        try:
            while True:
                find_out = await self._wanted.get()
                if self.enabled:
                    await self._attempt(find_out)
        finally:
            while not self._wanted.empty():
                self._wanted.get_nowait()

    async def _attempt(self, find_out: Callable[[], Awaitable[None]]) -> None:
        try:
            await find_out()
        except (ApiError, LedgerUnavailable):
            return
        except Exception as error:  # noqa: BLE001 - a bug here must not end all further findings
            self._listener(InternalError(model_id=None, error=error))

    def _want(self, find_out: Callable[..., Awaitable[None]], *about: object) -> None:
        now = self._clock.now()
        if self.enabled:
            with suppress(asyncio.QueueFull):
                self._wanted.put_nowait(lambda: find_out(now, *about))

    async def _why(self, at: datetime, episode: Episode) -> None:
        since = max(episode.deployment.created_at, at - _BEFORE)
        lines = await self._api.error_lines(
            episode.model_id, episode.deployment.id, since=min(since, at), until=at
        )
        if lines:
            found = tuple(lines)
            await self._ledger.transact(lambda tx: tx.note_error_lines(episode.id, found))

    async def _who(self, at: datetime, episode: Episode, deployment_id: str | None) -> None:
        acts = await self._api.acts(
            episode.model_id, since=max(episode.opened_at, at - _BEFORE), until=at
        )
        # The log is the whole model's, with its other deployments.
        about = (episode.deployment.id, deployment_id, None)
        known = [
            act for act in acts if act.event in _ACTS and not act.own and act.deployment_id in about
        ]
        if known:
            last = max(known, key=lambda act: act.at)
            actor = f"{_ACTS[last.event]} by {last.actor}"
            await self._ledger.transact(lambda tx: tx.note_actor(episode.id, actor))
