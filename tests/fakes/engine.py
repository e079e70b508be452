"""The engine with fakes of its ports, in virtual time."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, TypeVar

from tests.fakes.ledger import InMemoryLedger
from tests.fakes.receivers import ScriptedReceivers
from tests.fakes.scripted_api import ScriptedApi
from watchdog.domain.breaker import BreakerRules
from watchdog.domain.causes import Match  # noqa: TC001
from watchdog.domain.outbox import Receiver  # noqa: TC001
from watchdog.domain.records import (
    Attempt,
    DecisionReason,
    FleetLimits,
    Hold,
    Policy,
    Standing,
    Target,
)
from watchdog.domain.replica import Replica
from watchdog.engine.events import Event, TargetChanged, TargetUnrecorded
from watchdog.engine.fleet.condition import Condition
from watchdog.engine.fleet.listing import SharedListing
from watchdog.engine.lifecycle.one_pass import check_all
from watchdog.engine.lifecycle.sender import SENDING, Sender
from watchdog.engine.lifecycle.term import Term
from watchdog.engine.lifecycle.wiring import Engine, Fanout
from watchdog.engine.ports import LedgerTransaction, LedgerUnavailable, Listener, Throttled
from watchdog.engine.settings import TICK, LiveSettings, Model, Settings, no_patterns
from watchdog.engine.target import operate
from watchdog.engine.target.attempt import Retrier

T = TypeVar("T")

START = datetime(2026, 3, 1, tzinfo=UTC)

POLICY: dict[str, Any] = {
    "retry_on": frozenset({"BUILD_FAILED", "DEPLOY_FAILED"}),
    "first_delay": timedelta(minutes=2),
    "backoff": timedelta(minutes=5),
    "backoff_factor": 3.0,
    "backoff_max": timedelta(hours=1),
    "jitter": 0.5,
    "max_attempts": 4,
    "window": timedelta(hours=24),
    "max_attempts_per_window": 6,
    "healthy_reset": timedelta(minutes=30),
    "stuck_after": timedelta(minutes=60),
    "settle": timedelta(minutes=5),
    "standing": Standing.RETRY,
}


BREAKER = BreakerRules(
    min_failures=3,
    ratio=0.3,
    max_failures=20,
    window=timedelta(minutes=10),
    cooldown=timedelta(minutes=10),
)
NEVER_OPENS = replace(BREAKER, min_failures=1000, max_failures=1000)


def at(**ago: float) -> datetime:
    """A moment this long after the start."""
    return START + timedelta(**ago)


class LoopClock:
    """A clock that follows the running loop's virtual time."""

    def __init__(self) -> None:
        self.stepped = timedelta(0)

    def now(self) -> datetime:
        return START + self.stepped + timedelta(seconds=round(self.monotonic(), 6))

    def apis(self) -> datetime:
        """The time of the API's clock: it is a year ahead, and never steps."""
        return at(days=365, seconds=int(self.monotonic()))

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()


class World:
    """Some models, a scripted API, a ledger, and a daemon's engine that can run, stop and crash."""

    def __init__(
        self,
        *model_ids: str,
        observe: bool = False,
        concurrency: int = 20,
        max_retries_per_minute: int = 4,
        max_in_flight: int = 10,
        fleet_window: int = 50,
        breaker: BreakerRules = BREAKER,
        **policy: Any,
    ) -> None:
        self.clock = LoopClock()
        self.api = ScriptedApi(self.clock)
        self.ledger = InMemoryLedger(self.clock)
        self.observe = observe
        self.diagnose = False
        self.match: Match = no_patterns
        self.receivers: tuple[Receiver, ...] = ()
        self.notifier = ScriptedReceivers(self.clock)
        self._sends_at = START
        self.events: list[Event] = []
        self.listeners: list[Listener] = []  # added to each engine that starts
        self.models = {
            model_id: Model(name=None, policy=Policy(**POLICY | policy)) for model_id in model_ids
        }
        self._limits = FleetLimits(max_retries_per_minute, max_in_flight, fleet_window)
        self._breaker = breaker
        self._concurrency = concurrency
        self._lives = itertools.count(1)
        self._ids = (f"attempt-{number}" for number in itertools.count(1))
        self._engine: Engine | None = None
        self._term: Term | None = None
        self._owner = ""

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        await self._start()
        try:
            yield
        finally:
            await self.stop()

    def shared_listing(self) -> SharedListing:
        """The shared listing of a process that runs at the same time as the daemon."""
        settings = self._settings_of("beside", self.models, observe=self.observe)
        return self._make_engine(self.ledger, settings).listing

    async def _start(self) -> None:
        self._owner = f"daemon:{next(self._lives)}"
        self.ledger.observe = self.observe
        settings = self._settings_of(self._owner, self.models, observe=self.observe)
        engine = self._engine = self._make_engine(self.ledger, settings)
        for listener in self.listeners:
            engine.listener.add(listener)
        await self.beat()
        self._term = Term(engine)
        await self._term.take_up(settings, {}, {}, lambda: None)
        self._term.sweep.start()

    async def beat(self) -> None:
        """Write a heartbeat of the running process."""
        now = self.clock.now()
        replica = Replica(self._owner, "0.1.0", now, now, now, active=True)
        await self.transact(lambda tx: tx.replicas.save(replica))

    def _make_engine(self, ledger: InMemoryLedger, settings: Settings) -> Engine:
        condition = Condition()
        return Engine(
            self.api,
            ledger,
            self.clock,
            Fanout([self.events.append, condition]),
            settings,
            new_id=partial(next, self._ids),
            notifier=self.notifier,
            condition=condition,
        )

    def _settings_of(self, owner: str, models: Mapping[str, Model], *, observe: bool) -> Settings:
        return Settings(
            observe=observe,
            owner=owner,
            models=dict(models),
            limits=self._limits,
            breaker=self._breaker,
            interval=timedelta(minutes=1),
            recovery_interval=timedelta(seconds=15),
            timeout=timedelta(seconds=10),
            concurrency=self._concurrency,
            max_rate=50,
            diagnose=self.diagnose,
            match=self.match,
            receivers=self.receivers,
        )

    async def check_retry(
        self, *model_ids: str, observe: bool = False, **policy: Any
    ) -> dict[str, Target]:
        """Do what `check --retry` does in a separate process, for these models, or for all if none
        is given. Returns the targets as the command shows them."""
        models = {
            model_id: replace(model, policy=replace(model.policy, **policy))
            for model_id, model in self.models.items()
            if model_id in (model_ids or self.models)
        }
        settings = self._settings_of(f"command:{next(self._lives)}", models, observe=observe)
        ledger = self.ledger.beside(observe=observe)
        checked = await check_all(self._make_engine(ledger, settings))
        self.ledger.dead_owners.add(settings.owner)
        return {each.target.model_id: each.target for each in checked}

    @property
    def engine(self) -> Engine:
        """The engine of the daemon's present or last life."""
        assert self._engine is not None, "it has never run"
        return self._engine

    @property
    def live(self) -> LiveSettings:
        return self.engine.live

    @property
    def settings(self) -> Settings:
        return self.engine.settings

    @property
    def retrier(self) -> Retrier:
        return self.engine.retrier

    @property
    def sender(self) -> Sender:
        assert self.engine.sender is not None
        return self.engine.sender

    async def transact(self, work: Callable[[LedgerTransaction], T]) -> T:
        """One transaction of the running process."""
        assert self._engine is not None
        return await self._engine.ledger.transact(work)

    async def force(self, model_id: str) -> None:
        """Do what `retry --force` does."""
        await self.engine.checker.check(self.target(model_id), forced=True)

    async def force_by_command(self, model_id: str) -> None:
        """Do what `retry --force` does in a separate process."""
        settings = self._settings_of(
            f"command:{next(self._lives)}", {model_id: self.models[model_id]}, observe=self.observe
        )
        engine = self._make_engine(self.ledger.beside(observe=self.observe), settings)
        await engine.checker.check(self.target(model_id), forced=True)
        self.ledger.dead_owners.add(settings.owner)

    async def reset(self, model_id: str) -> None:
        """Do what `reset` does."""
        settings, target = self.settings, self.target(model_id)
        await self.ledger.transact(
            lambda tx: operate.reset(tx, settings, target, who="ann@desk", note="")
        )

    async def reload(self, **changes: Any) -> None:
        """Apply the models as they are now, as the daemon does when its file changes."""
        assert self._term is not None
        settings = replace(self.settings, models=dict(self.models), observe=self.observe, **changes)

        def put_in_force() -> None:
            self.live.current = settings
            self.ledger.observe = self.observe

        await self._term.take_up(settings, {}, {}, put_in_force)

    async def run_for(self, *, every: timedelta = TICK, **span: float) -> None:
        """Tick for so long, as the scheduler would; less often if a test runs for long."""
        ends = self.clock.now() + timedelta(**span)
        while self.clock.now() < ends:
            await self.tick()
            await asyncio.sleep(every.total_seconds())

    async def tick(self) -> None:
        assert self._term is not None
        await self.engine.breaker.tick()
        await self._term.sweep.tick()
        if self.receivers and self.clock.now() >= self._sends_at:
            self._sends_at = self.clock.now() + SENDING
            await self.sender.tick()

    async def diagnosing(self) -> None:
        """Read why deployments fail, as the running process does beside its checks."""
        assert self._term is not None
        await self.engine.diagnosis.run(self._term.sweep.check_now)

    async def attend_to_the_breaker(self) -> None:
        """Do what a tick of the daemon does before its checks."""
        await self.engine.breaker.tick()

    async def stop(self) -> None:
        if self._term is not None:
            sweep, retrier = self._term.sweep, self.engine.retrier
            self._term = None
            retrier.send_nothing_more()
            await sweep.stop(timedelta(seconds=10))
            await self.sender.stop(timedelta(seconds=10))
            await retrier.finish()
            with suppress(LedgerUnavailable):
                await self.ledger.transact(lambda tx: tx.replicas.remove(self._owner))

    async def crash(self) -> None:
        """End like a killed process: nothing more is sent or recorded."""
        self._term = None
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        self.ledger.dead_owners.add(self._owner)

    def on_retry(
        self,
        model_id: str,
        status: str,
        *,
        then: tuple[str, timedelta] | None = None,
        effect: Callable[[], object] = lambda: None,
    ) -> None:
        """Set what an accepted retry does to a model."""

        def retried() -> None:
            self.api.set_status(model_id, status)
            effect()
            if then is not None:
                later, delay = then
                asyncio.get_running_loop().call_later(
                    delay.total_seconds(), self.api.set_status, model_id, later
                )

        self.api.model(model_id).on_retry = retried

    def throttle(self, model_id: str, span: timedelta, *, times: int = 1) -> None:
        """Answer the next retries with a 429."""

        def throttled() -> None:
            self.api.model(model_id).retry_error = Throttled("slow", hold=self.hold_for(span))

        left = [throttled] * times
        self.api.model(model_id).before_urgent = lambda: left and left.pop()()

    def hold_for(self, span: timedelta) -> Hold:
        return Hold(DecisionReason.API_HELD, self.clock.now() + span)

    def posts(self) -> list[datetime]:
        return [when for _, when in self.api.posts]

    def log(self) -> list[str]:
        """The names of the logged events, in order."""
        names = (event.logged_as()[0] for event in self.events)
        return [name for name in names if name is not None]

    def attempts(self) -> list[Attempt]:
        """Every attempt in the ledger, the oldest first."""
        return self.ledger.all_attempts()

    def target(self, model_id: str) -> Target:
        return self.ledger.stored_target(model_id)

    def shown(self, model_id: str) -> Target:
        """A target as the metrics show it."""
        return [
            event.target
            for event in self.events
            if isinstance(event, (TargetChanged, TargetUnrecorded))
            and event.target.model_id == model_id
        ][-1]
