"""Reads in the background, after a failure, why the deployment failed, and after the end of an
episode who ended it."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from watchdog.domain.cause_search import find_cause
from watchdog.domain.causes import NOTHING
from watchdog.domain.records import DecisionKind, DecisionReason, Target
from watchdog.engine.events import (
    CauseFound,
    DeploymentFailedAgain,
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
    Access,
    ApiError,
    BasetenApi,
    Clock,
    Ledger,
    LedgerUnavailable,
    Listener,
)
from watchdog.engine.settings import LiveSettings
from watchdog.engine.target.actors import Actors
from watchdog.engine.target.evidence import kept_lines, read_evidence, since_when
from watchdog.engine.target.record import record_cause
from watchdog.engine.target.telling import tell

if TYPE_CHECKING:
    from datetime import datetime

_MOST_WAITING = 100
"""More targets fail at once only when the platform fails, and then their logs say nothing."""


_FindOut = Callable[[], Awaitable[Target | None]]
"""Returns a target whose retry is due now, because its cause is known."""


class Diagnosis:
    """Listens to events and, if the settings say so, makes one optional request after another. A
    request that fails is not repeated: without its answer the cause is unknown, and the rules go on
    without it."""

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
        self._actors = Actors(api, ledger, listener, live)
        self._wanted: asyncio.Queue[_FindOut] = asyncio.Queue(_MOST_WAITING)
        self._unexplained: dict[str, tuple[datetime, Target]] = {}

    def __call__(self, event: Event) -> None:
        match event:
            case DeploymentFailing() | DeploymentFailedAgain():
                self._want_cause(event.target)
            case GaveUp() if event.decision.reason is not DecisionReason.CAUSE_PERMANENT:
                self._want_cause(event.target)
            case EpisodeSuperseded() | DeploymentReplaced():
                self._want(self._actors.note, event.episode, event.target)
            case TargetMissing() if event.episode is not None:
                self._want(self._actors.note, event.episode, event.target)
            case EffectSeen():
                self._want(self._actors.end_if_pushed, event.episode, event.target, event.attempt)

    async def run(self, check_now: Callable[[Target], None]) -> None:
        """Run until cancelled. Requests that still wait are dropped then. `check_now` starts the
        check of a target whose retry waited for its cause."""
        try:
            while True:
                find_out = await self._wanted.get()
                if due := await self._attempt(find_out):
                    check_now(due)
        finally:
            while not self._wanted.empty():
                self._wanted.get_nowait()
            self._unexplained.clear()

    async def _attempt(self, find_out: _FindOut) -> Target | None:
        try:
            return await find_out()
        except (ApiError, LedgerUnavailable):
            return None
        except Exception as error:  # noqa: BLE001 - a bug here must not end all further findings
            self._listener(InternalError(model_id=None, error=error))
            return None

    def _want_cause(self, target: Target) -> None:
        """Put the reading of a cause into the queue. If the same target is waiting there already,
        only its newest failure is explained."""
        waits = target.model_id in self._unexplained
        self._unexplained[target.model_id] = (self._clock.now(), target)
        if not waits and not self._put(lambda: self._why(target.model_id)):
            self._not_known(target.model_id)

    def _want(self, find_out: Callable[..., Awaitable[None]], *about: object) -> None:
        now = self._clock.now()
        self._put(lambda: find_out(now, *about))

    def _put(self, find_out: _FindOut) -> bool:
        """Put a request into the queue. False if `diagnose` is off or the queue is full."""
        if not self._live.current.diagnose or self._wanted.full():
            return False
        self._wanted.put_nowait(find_out)
        return True

    def _not_known(self, model_id: str) -> None:
        _, target = self._unexplained.pop(model_id)
        self._listener(CauseFound(target=target, finding=NOTHING))

    async def _why(self, model_id: str) -> Target | None:
        """Record the cause of a target's newest failure. Returns the target if its retry waited for
        that."""
        settings = self._live.current
        if not settings.diagnose:
            self._not_known(model_id)
            return None
        at, target = self._unexplained.pop(model_id)
        episode = target.episode
        if episode is None:
            return None
        since = await self._ledger.transact(lambda tx: since_when(tx, settings, episode, at))
        evidence = await read_evidence(self._api, episode, since=since, until=self._clock.now())
        finding = find_cause(evidence, settings.match)
        lines = kept_lines(evidence, finding)
        access = Access(self._api.retry_hold(model_id), self._api.key_mark)
        present = self._live.current
        recorded = await self._ledger.transact(
            lambda tx: record_cause(tx, present, episode, finding, lines, at, access)
        )
        if recorded is None:
            return None
        self._listener(CauseFound(target=recorded.after, finding=finding))
        tell(recorded, present, self._listener)
        return recorded.after if recorded.after.decision.kind is DecisionKind.RETRY else None
