"""One attempt: reserve, look again, POST once, record. The limits hold only if the steps are done
in this order."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from watchdog.domain.limits import RESERVATION_TTL
from watchdog.domain.records import Attempt, DeploymentRef, Health, Outcome, Target
from watchdog.domain.status import health_of
from watchdog.engine.events import (
    CanarySent,
    InternalError,
    RetryAnswered,
    RetryMismatched,
    RetryReserved,
)
from watchdog.engine.look import Look
from watchdog.engine.ports import (
    Access,
    ApiError,
    BasetenApi,
    Clock,
    Held,
    Ledger,
    LedgerUnavailable,
    Listener,
    Post,
    VersionConflict,
)
from watchdog.engine.settings import LiveSettings, Settings
from watchdog.engine.target.record import record_outcome, reserve, why_not_send
from watchdog.engine.target.recorded import Recorded
from watchdog.engine.target.sent import Sent, abandoned, answered, failed
from watchdog.engine.target.telling import tell

_RECORD_AGAIN = timedelta(seconds=1)
"""The wait before another try to record an answer that could not be written to the ledger."""

_INTERNAL_ERROR = "internal error"
"""The reason that is recorded for an attempt if an exception of ours hides the real one."""


class Retrier:
    """Makes attempts, each in its own task: the cancellation of a check must not lose an answer."""

    def __init__(
        self,
        api: BasetenApi,
        ledger: Ledger,
        clock: Clock,
        listener: Listener,
        live: LiveSettings,
        *,
        new_id: Callable[[], str],
    ) -> None:
        self._api = api
        self._ledger = ledger
        self._clock = clock
        self._listener = listener
        self._live = live
        self._new_id = new_id
        self._tasks: set[asyncio.Task[Target]] = set()
        self._stopping = asyncio.Event()

    async def retry(
        self, target: Target, *, forced: bool = False, date: datetime | None = None
    ) -> Target:
        """Make one attempt on a target that was just seen failing, if every limit still allows it.
        With `forced` only the fleet's limits, the holds and the breaker are applied, not the
        target's own rules. `date` is the `Date` of the look that saw it. Raises LedgerUnavailable
        before anything is sent, and VersionConflict when another process has changed the target. An
        answer that arrives is always recorded."""
        task = asyncio.create_task(self._retry(target, forced, date), name=target.model_id)
        self._tasks.add(task)
        task.add_done_callback(self._finished)
        return await asyncio.shield(task)

    def send_nothing_more(self) -> None:
        """From now on attempts that have not been sent are abandoned."""
        self._stopping.set()

    async def finish(self) -> None:
        """Wait until every sent attempt is recorded, or cannot be recorded any more."""
        if self._tasks:
            # Not gather: that would pass a cancellation on to them.
            await asyncio.wait(tuple(self._tasks))

    def _finished(self, task: asyncio.Task[Target]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None and not isinstance(error, (LedgerUnavailable, VersionConflict)):
            self._listener(InternalError(model_id=task.get_name(), error=error))

    async def _retry(self, seen: Target, forced: bool, date: datetime | None) -> Target:
        settings = self._live.current
        if seen.model_id not in settings.models:
            return seen  # It left the configuration since it was looked at.
        attempt_id, access = self._new_id(), self._access(seen.model_id)
        recorded, attempt = await self._ledger.transact(
            lambda tx: reserve(tx, settings, seen, attempt_id, access, forced=forced, date=date)
        )
        tell(recorded, settings, self._listener)
        target = recorded.after
        if attempt is None:
            return target
        self._listener(RetryReserved(target=target, attempt=attempt))
        try:
            sent = await self._send(settings, target, attempt, forced=forced)
        except Exception as error:  # noqa: BLE001 - a pending attempt would hold up the whole fleet
            self._listener(InternalError(model_id=target.model_id, error=error))
            unknown = replace(attempt, outcome=Outcome.UNKNOWN, sent_at=self._clock.now())
            sent = Sent(replace(unknown, reason=_INTERNAL_ERROR))
        if recorded.canary and sent.attempt.sent_at is not None:
            self._listener(CanarySent(target=target, attempt=sent.attempt))
        self._listener(RetryAnswered(target=target, attempt=sent.attempt))
        ended = await self._record_outcome(settings, sent)
        if ended is None:
            return target
        self._tell_mismatch(target, ended, sent)
        tell(ended, settings, self._listener)
        return ended.after

    def _access(self, model_id: str) -> Access:
        return Access(self._api.retry_hold(model_id), self._api.key_mark)

    async def _send(
        self, settings: Settings, target: Target, attempt: Attempt, *, forced: bool
    ) -> Sent:
        """Look again, and POST if the target is still the failing deployment that the decision was
        about."""
        try:
            deployment = await self._api.get_deployment(target.model_id, urgent=True)
        except ApiError as error:
            return self._abandoned(attempt, f"could not look again: {error}")
        now = self._clock.now()
        attempt = replace(attempt, api_date=deployment.date or attempt.api_date)
        policy = settings.models[target.model_id].policy
        changed = deployment.ref != target.deployment
        opted_out = deployment.opted_out and not forced
        if changed or opted_out or health_of(deployment.status, policy) is not Health.FAILING:
            look = Look(now, deployment.observed(now), deployment.date)
            why = f"it changed to {deployment.status} meanwhile"
            if changed:
                why = f"it is another deployment meanwhile, in {deployment.status}"
            if opted_out:
                why = "its label opts it out meanwhile"
            return self._abandoned(attempt, why, look)
        if settings.observe:
            hindrance = await self._hindrance(settings, attempt, forced=forced)
            if hindrance is not None:
                return self._abandoned(attempt, hindrance)
            now = self._clock.now()
            return Sent(replace(attempt, sent_at=now, outcome=Outcome.DRY_RUN, answered_at=now))
        try:
            async with self._api.retry_turn(attempt.model_id) as post:
                hindrance = await self._hindrance(settings, attempt, forced=forced)
                if hindrance is not None:
                    return self._abandoned(attempt, hindrance)
                return await self._post(replace(attempt, sent_at=self._clock.now()), post)
        except Held as error:
            return self._abandoned(attempt, str(error))

    async def _hindrance(self, settings: Settings, attempt: Attempt, *, forced: bool) -> str | None:
        """The reason why the attempt must not be sent, or None. This is the last check, right
        before the POST."""
        asked = self._clock.monotonic()
        try:
            why_not, at = await self._ledger.transact(
                lambda tx: (why_not_send(tx, attempt, forced=forced), tx.now())
            )
        except LedgerUnavailable as error:
            return str(error)
        if why_not is not None:
            return why_not
        # `at` is the ledger's time, which may come from another machine. The time since the
        # question is added from this process's monotonic clock.
        at += timedelta(seconds=self._clock.monotonic() - asked)
        if at > attempt.reserved_at + RESERVATION_TTL:
            return "the reservation expired before it could be sent"
        if self._stopping.is_set():
            return "stopping"
        if self._live.current is not settings:
            return "the configuration changed meanwhile"
        return None

    async def _post(self, attempt: Attempt, post: Post) -> Sent:
        try:
            answer = await post()
        except ApiError as error:
            return failed(attempt, error, self._clock.now(), self._api.key_mark)
        return answered(attempt, answer, self._clock.now())

    def _abandoned(self, attempt: Attempt, reason: str, look: Look | None = None) -> Sent:
        return abandoned(attempt, reason, self._clock.now(), look)

    async def _record_outcome(self, settings: Settings, sent: Sent) -> Recorded | None:
        """Record the answer or, if that fails because of a bug, at least the outcome of the
        attempt: a pending attempt blocks its target and holds a place of the whole fleet."""
        try:
            return await self._record(settings, sent)
        except LedgerUnavailable:
            raise
        except Exception as error:  # noqa: BLE001 - the answer may hold what nothing foresaw
            bare = Sent(replace(sent.attempt, reason=_INTERNAL_ERROR))
            ended = await self._record(settings, bare)
            self._listener(InternalError(model_id=sent.attempt.model_id, error=error))
            return ended

    async def _record(self, settings: Settings, sent: Sent) -> Recorded | None:
        """Record the answer, and try again until it succeeds. Until then the attempt stays pending,
        and nothing else is sent to this target."""
        named = sent.answer.deployment.ref if sent.answer else None
        while True:
            access = self._access(sent.attempt.model_id)
            try:
                return await self._ledger.transact(
                    lambda tx, access=access: record_outcome(  # type: ignore[misc]
                        tx, settings, sent.attempt, named, sent.look, access, sent.throttled
                    )
                )
            except LedgerUnavailable:
                if self._stopping.is_set():
                    raise
            await self._pause()

    async def _pause(self) -> None:
        try:
            await asyncio.wait_for(self._stopping.wait(), _RECORD_AGAIN.total_seconds())
        except TimeoutError:
            return

    def _tell_mismatch(self, target: Target, ended: Recorded, sent: Sent) -> None:
        observed: DeploymentRef | None = target.deployment
        answered = sent.answer.deployment.ref if sent.answer else None
        if observed is not None and answered is not None and answered != observed:
            self._listener(
                RetryMismatched(
                    target=ended.after,
                    attempt=sent.attempt,
                    observed=observed,
                    answered=answered,
                )
            )
