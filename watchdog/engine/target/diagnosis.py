"""Finds out why a deployment failed and who ended an episode, for the history."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime, timedelta

from watchdog.domain.records import Attempt, Episode, Target
from watchdog.engine.events import (
    DeploymentFailing,
    DeploymentReplaced,
    EffectSeen,
    EpisodeSuperseded,
    Event,
    GaveUp,
    InternalError,
    TargetMissing,
)
from watchdog.engine.ports import (
    Act,
    ApiError,
    BasetenApi,
    Clock,
    Ledger,
    LedgerUnavailable,
    Listener,
)
from watchdog.engine.settings import LiveSettings
from watchdog.engine.target.record import record_push
from watchdog.engine.target.telling import tell

_MOST_WAITING = 100
"""More targets fail at once only when the platform fails, and then their logs say nothing."""

_BEFORE = timedelta(days=7)
"""How far back the API gives logs at once. A failure may be seen long after it happened."""

_PUSHED = "MODEL_DEPLOYED"
_PROMOTED = "MODEL_DEPLOYMENT_PROMOTED"

_ACTS = {
    _PUSHED: "pushed",
    _PROMOTED: "promoted",
    "MODEL_DEPLOYMENT_RETRIED": "retried",
    "MODEL_DEPLOYMENT_ACTIVATED": "activated",
    "MODEL_DEPLOYMENT_DEACTIVATED": "deactivated",
    "MODEL_DEPLOYMENT_DELETED": "deleted",
}
"""What may end an episode without us, in the words of the API's audit log and in ours."""


class Diagnosis:
    """Listens to events and, if the settings say so, makes one optional request after another. A
    request that fails is not repeated, because nothing depends on its answer."""

    def __init__(
        self,
        api: BasetenApi,
        ledger: Ledger,
        clock: Clock,
        listener: Listener,
        live: LiveSettings,
    ) -> None:
        self._api = api
        self._ledger = ledger
        self._clock = clock
        self._listener = listener
        self._live = live
        self._wanted: asyncio.Queue[Callable[[], Awaitable[None]]] = asyncio.Queue(_MOST_WAITING)

    def __call__(self, event: Event) -> None:
        match event:
            case DeploymentFailing() if not event.reopened:
                self._want(self._why, event.episode)
            case GaveUp() if event.target.episode is not None:
                self._want(self._why, event.target.episode)
            case EpisodeSuperseded() | DeploymentReplaced():
                self._want(self._who, event.episode, event.target)
            case TargetMissing() if event.episode is not None:
                self._want(self._who, event.episode, event.target)
            case EffectSeen():
                self._want(self._whose, event.episode, event.target, event.attempt)

    async def run(self) -> None:
        """Run until cancelled. Requests that still wait are dropped then."""
        try:
            while True:
                find_out = await self._wanted.get()
                if self._live.current.diagnose:
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
        if self._live.current.diagnose:
            with suppress(asyncio.QueueFull):
                self._wanted.put_nowait(lambda: find_out(now, *about))

    async def _why(self, at: datetime, episode: Episode) -> None:
        since = max(episode.deployment.created_at, at - _BEFORE)
        lines = await self._api.error_lines(
            episode.model_id, episode.deployment.id, since=min(since, at), until=at
        )
        if lines:
            found = tuple(lines)
            await self._ledger.transact(lambda tx: tx.findings.note_error_lines(episode.id, found))

    async def _who(self, at: datetime, episode: Episode, target: Target) -> None:
        """Record who ended an episode."""
        acts = await self._acts(episode, target, episode.opened_at, at)
        if acts:
            actor = f"{_ACTS[acts[-1].event]} by {acts[-1].actor}"
            await self._ledger.transact(lambda tx: tx.findings.note_actor(episode.id, actor))

    async def _whose(
        self, at: datetime, episode: Episode, target: Target, attempt: Attempt
    ) -> None:
        """End the episode if somebody pushed what was taken for the effect of an attempt, or
        promoted what stood there, which ends the slot. Only that tells: a retry in the log may be
        our own."""
        acts = await self._acts(episode, target, attempt.sent_at or attempt.reserved_at, at)
        if not any(act.event in (_PUSHED, _PROMOTED) for act in acts):
            return
        settings = self._live.current
        recorded = await self._ledger.transact(lambda tx: record_push(tx, settings, episode))
        if recorded is not None:
            tell(recorded, settings, self._listener)

    async def _acts(
        self, episode: Episode, target: Target, since: datetime, until: datetime
    ) -> list[Act]:
        """The acts of others in that time that may have changed the deployment, oldest first."""
        ids = {episode.deployment.id, *([target.deployment.id] if target.deployment else [])}
        acts = await self._api.acts(
            episode.model_id, sorted(ids), since=max(since, until - _BEFORE)
        )
        known = [
            act
            for act in acts
            if act.event in _ACTS and not act.own and act.at <= until
            # An API that does not know the filter tells of the model's other deployments too.
            if act.deployment_id is None or act.deployment_id in ids
        ]
        return sorted(known, key=lambda act: act.at)
