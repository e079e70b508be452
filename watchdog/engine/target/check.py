"""One target: look, record, decide, and retry if the decision says so."""

from contextlib import suppress
from dataclasses import dataclass, replace

from watchdog.domain.meaning import asks_who
from watchdog.domain.records import (
    Actor,
    Decision,
    DecisionKind,
    DecisionReason,
    Health,
    Policy,
    Target,
)
from watchdog.domain.status import ASLEEP, health_of
from watchdog.domain.steady import is_steady
from watchdog.engine.events import CheckDone, TargetUnrecorded
from watchdog.engine.fleet.api_clock import ApiClock
from watchdog.engine.fleet.api_watch import ApiWatch
from watchdog.engine.fleet.listing import SharedListing, known_until
from watchdog.engine.look import Look
from watchdog.engine.ports import (
    Access,
    ApiError,
    BasetenApi,
    Clock,
    Ledger,
    LedgerUnavailable,
    Listener,
    NotFound,
    VersionConflict,
)
from watchdog.engine.settings import LiveSettings, Settings
from watchdog.engine.target.attempt import Retrier
from watchdog.engine.target.deactivation import who_deactivated
from watchdog.engine.target.record import record_look
from watchdog.engine.target.telling import tell


@dataclass(frozen=True, slots=True)
class Checked:
    """A target as it was last recorded, and the error if the look failed. `overtaken`: a retry was
    due, but another process changed the target first."""

    target: Target
    error: ApiError | LedgerUnavailable | None = None
    overtaken: bool = False


class Viewer:
    """Looks at models."""

    def __init__(self, api: BasetenApi, clock: Clock, listing: SharedListing) -> None:
        self._api = api
        self._clock = clock
        self._listing = listing

    async def look(self, target: Target) -> Look:
        """Look at the target's slot: its deployment, or a confirmed absence of one. Raises
        ApiError."""
        try:
            deployment = await self._api.get_deployment(target.model_id)
        except NotFound as error:
            after = known_until(target, self._clock.now())
            await self._listing.confirm(target.model_id, error, after=after)
            return Look(self._clock.now(), None)
        now = self._clock.now()
        return Look(now, deployment.observed(now), deployment.date)

    async def show(self, target: Target, policy: Policy) -> Checked:
        """Look at a target, without recording or deciding anything."""
        try:
            look = await self.look(target)
        except ApiError as error:
            return Checked(target, error)
        seen = look.observation
        if seen is None:
            return Checked(replace(target, missing_since=look.at))
        return Checked(
            replace(
                target,
                status=seen.status,
                health=health_of(seen.status, policy),
                deployment=seen.deployment,
                observed_at=look.at,
            )
        )


class Checker:
    """Checks targets, one call each; calls for different targets may overlap."""

    def __init__(
        self,
        api: BasetenApi,
        ledger: Ledger,
        clock: Clock,
        listener: Listener,
        live: LiveSettings,
        retrier: Retrier,
        api_watch: ApiWatch,
        listing: SharedListing,
    ) -> None:
        self._api = api
        self._api_clock = ApiClock(ledger, listener)
        self._viewer = Viewer(api, clock, listing)
        self._ledger = ledger
        self._clock = clock
        self._listener = listener
        self._live = live
        self._retrier = retrier
        self._api_watch = api_watch

    async def check(
        self, target: Target, *, forced: bool = False, may_retry: bool = True
    ) -> Checked:
        """Look at a target and do what follows. Errors of the API and the ledger are in the result
        and are not raised. `forced` is as in `decide`. Without `may_retry` the target is only
        watched."""
        settings, started = self._live.current, self._clock.monotonic()
        if target.model_id not in settings.models:
            return Checked(target)  # It left the configuration while it waited.
        policy = settings.models[target.model_id].policy
        try:
            look = await self._viewer.look(target)
        except ApiError as error:
            self._api_watch.failed(target, error, started)
            self._listener(CheckDone(model_id=target.model_id, result="error", observed_at=None))
            await self._leave_queue(target)
            return Checked(target, error)
        self._api_watch.answered(target.model_id)
        await self._api_clock.compare(look)
        seen = look.observation
        if seen is not None and is_steady(target, seen, policy):
            self._done(target, look)
            return Checked(target)
        look = await self._with_actor(settings, target, look, policy)
        checked = Checked(_unrecorded(target, look, policy))
        try:
            checked = await self._act(settings, target, look, forced=forced, may_retry=may_retry)
        except LedgerUnavailable as error:
            self._listener(TargetUnrecorded(target=checked.target))
            checked = replace(checked, error=error)
        finally:
            self._done(checked.target, look)
        return checked

    async def _with_actor(
        self, settings: Settings, target: Target, look: Look, policy: Policy
    ) -> Look:
        """The look. If the audit log must be read at this look, with the actor that deactivated the
        deployment."""
        seen = look.observation
        if seen is None or not asks_who(target, seen, policy):
            return look
        by: Actor | None = Actor.NOBODY
        if settings.diagnose:
            by = await who_deactivated(self._api, target, seen)
        return replace(look, observation=replace(seen, deactivated_by=by))

    async def _leave_queue(self, target: Target) -> None:
        """A target that cannot be seen gives up its place in the queue, because it is not known
        when it will be retried. While the ledger does not answer, nothing is retried anyway."""
        if target.queue_rank is None:
            return
        with suppress(LedgerUnavailable):
            await self._ledger.transact(lambda tx: tx.queue.leave(target.model_id))

    async def _act(
        self, settings: Settings, target: Target, look: Look, *, forced: bool, may_retry: bool
    ) -> Checked:
        access = Access(self._api.retry_hold(target.model_id), self._api.key_mark)
        recorded = await self._ledger.transact(
            lambda tx: record_look(tx, settings, target, look, access)
        )
        if recorded is None:
            return Checked(target)
        tell(recorded, settings, self._listener)
        decided = recorded.after.decision.kind is DecisionKind.RETRY
        wanted = forced and recorded.after.health is Health.FAILING
        if not may_retry or not (decided or wanted):
            return Checked(recorded.after)
        try:
            retried = self._retrier.retry(recorded.after, forced=forced, date=look.date)
            return Checked(await retried)
        except VersionConflict:
            return Checked(recorded.after, overtaken=True)

    def _done(self, target: Target, look: Look) -> None:
        seen = look.observation is not None and target.health is not None
        result = target.health.value if seen and target.health is not None else "missing"
        observed_at = look.at if look.observation else None
        self._listener(CheckDone(model_id=target.model_id, result=result, observed_at=observed_at))


_AWAITING = (DecisionReason.ATTEMPT_UNDER_WAY, DecisionReason.STUCK)
"""While the decision has one of these reasons, SCALED_TO_ZERO does not count as healthy."""


def _unrecorded(target: Target, look: Look, policy: Policy) -> Target:
    """The state of a target as far as it is known while the ledger is away. Only for the
    metrics."""
    if look.observation is None:
        return target
    seen, decision = look.observation, target.decision
    health = target.health if target.status == seen.status else health_of(seen.status, policy)
    if seen.status == ASLEEP and decision.reason in _AWAITING:
        health = Health.IN_PROGRESS
    if health is Health.FAILING:
        decision = Decision(DecisionKind.WAIT, DecisionReason.LEDGER_UNAVAILABLE)
    return replace(
        target,
        status=seen.status,
        health=health,
        observed_at=look.at,
        decision=decision,
    )
